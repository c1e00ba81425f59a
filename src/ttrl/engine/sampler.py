"""Implements the native sampler: many completions of many questions, one forward pass per token.

Completions of a question that are still equal share one row of the batch. A row draws for each of its
completions with that completion's own random numbers and splits where they differ, so the outcome is
that of independent sampling while far fewer rows are computed. Finished rows leave the batch.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import contextmanager
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ttrl.data.prompts import Prompter
from ttrl.engine.decoding import Decoding, Drawing
from ttrl.errors import DataError, ModelError
from ttrl.seeding import derive_seed
from ttrl.types import Completion, Group, Question, SamplingParams


class NativeSampler:
    """Samples from a Hugging Face causal language model that it shares with the policy.

    Deterministic: completion i of a question depends on the weights, the parameters and
    derive_seed(seed, question.id, i), and on the rest of the batch only as far as floating point forces.

    Args:
        dtype: of decoding, where a fast decoder knows the model; the model's own if left out.
            Log-probabilities are those of what was sampled from, in whatever type.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        prompter: Prompter,
        *,
        max_rows: int,
        dtype: torch.dtype | None = None,
    ) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._prompter = prompter
        self._max_rows = max_rows
        self._dtype = dtype or model.dtype
        self._version = 0
        self.sampled_tokens = 0
        """Number of tokens of all completions so far."""
        self.computed_tokens = 0
        """Number of row positions computed while decoding; smaller, because completions share rows."""
        self.seconds = 0.0

    @property
    def weight_bytes(self) -> int:
        """Returns the bytes of the model's weights."""
        return sum(p.numel() * p.element_size() for p in self._model.parameters())

    def load_weights(self, model: object) -> None:
        """Advances the policy version after an update; the weights are shared with the policy."""
        assert model is self._model, "the native sampler shares the policy's model"
        self._version += 1

    def sample(
        self,
        questions: Sequence[Question],
        *,
        n: int,
        params: SamplingParams,
        seed: int,
        first: int = 0,
    ) -> list[Group]:
        """Draws completions first .. first + n - 1 of each question.

        Raises:
            DataError: a prompt that leaves no room for max_tokens in the model's context.
            ModelError: an architecture whose cache cannot be split into rows, or the tokenizer of another
                model.
            NumericsError: logits that are not finite.
        """
        if not questions:
            return []
        start = time.perf_counter()
        prompts = self.encode(questions, max_tokens=params.max_tokens)
        groups: dict[int, Group] = {}
        with _inference(self._model):
            decoding = Decoding(
                self._model,
                self._tokenizer,
                prompts,
                [[derive_seed(seed, q.id, first + j) for j in range(n)] for q in questions],
                params,
                stop_ids=stop_token_ids(self._model, self._tokenizer),
                max_rows=self._max_rows,
                dtype=self._dtype,
            )
            for drawing in decoding.run():
                i = drawing.question
                groups[i] = self._group(questions[i], prompts[i], drawing)
        self.computed_tokens += decoding.computed
        self.seconds += time.perf_counter() - start
        return [groups[i] for i in range(len(questions))]

    def encode(
        self, questions: Sequence[Question], *, max_tokens: int, name: str = ""
    ) -> list[tuple[int, ...]]:
        """Returns the token ids of each prompt, after checking that the model can read and continue them.

        Args:
            max_tokens: the longest completion that must fit into the context after the prompt.
            name: the name of the question set, for messages.

        Raises:
            DataError: questions that do not fit the model's context, by name.
            ModelError: a tokenizer of another model.
        """
        prompts = [self._prompter.encode(question) for question in questions]
        text = self._model.config.get_text_config()
        highest = max(max(ids, default=0) for ids in prompts)
        if highest >= text.vocab_size:
            raise ModelError(
                f"its tokenizer makes token {highest}, but the model knows only "
                f"{text.vocab_size}. The tokenizer belongs to another model."
            )
        context = getattr(text, "max_position_embeddings", None)
        if context is None:
            return prompts
        lengths = {question.id: len(ids) for question, ids in zip(questions, prompts, strict=True)}
        long = {id: n for id, n in lengths.items() if n + max_tokens > context}
        if long:
            worst = max(long, key=lambda id: long[id])
            left = context - long[worst]
            lower = f"Lower max_tokens to at most {left}, or l" if left > 0 else "L"
            raise DataError(
                f"{name} questions: ".lstrip()
                + f"{len(long)} of {len(lengths)} do not fit the model's context of {context} tokens; the "
                f"longest, {worst}, has a prompt of {long[worst]} tokens and max_tokens={max_tokens} are to "
                f"follow. {lower}eave these out: {', '.join(sorted(long)[:5])}"
                f"{', ...' if len(long) > 5 else ''}."
            )
        return prompts

    def _group(self, question: Question, prompt: tuple[int, ...], drawing: Drawing) -> Group:
        texts: dict[tuple[int, ...], str] = {}
        completions = []
        for row, stopped in enumerate(drawing.stopped):
            ids = tuple(drawing.tokens[row])
            if ids not in texts:
                texts[ids] = str(self._tokenizer.decode(list(ids), skip_special_tokens=True))
            self.sampled_tokens += len(ids)
            completions.append(
                Completion(
                    question_id=question.id,
                    prompt_ids=prompt,
                    token_ids=ids,
                    logprobs=tuple(drawing.logprobs[row]),
                    entropy=tuple(drawing.entropy[row]),
                    finish_reason="stop" if stopped else "length",
                    policy_version=self._version,
                    text=texts[ids],
                )
            )
        return Group(question=question, completions=tuple(completions))


def stop_token_ids(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> set[int]:
    """Returns the ids of tokens that end a completion, from the tokenizer and the generation config."""
    found: set[int] = set()
    configured = getattr(model.generation_config, "eos_token_id", None)
    for value in (tokenizer.eos_token_id, configured):
        if isinstance(value, int):
            found.add(value)
        elif value is not None:
            found.update(value)
    return found


@contextmanager
def _inference(model: PreTrainedModel) -> Any:
    """Keeps the model in evaluation mode, without autograd, and puts its mode back."""
    training = model.training
    model.eval()  # type: ignore[no-untyped-call]
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(training)
