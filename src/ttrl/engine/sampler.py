"""The native sampler: many completions of many questions, one forward pass per token.

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
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ttrl.data.prompts import Prompter
from ttrl.engine.draw import draw
from ttrl.engine.fast.decoder import FastDecoder, can_decode
from ttrl.engine.general_decoder import GeneralDecoder
from ttrl.engine.uniforms import uniforms
from ttrl.errors import DataError, NumericsError
from ttrl.seeding import derive_seed
from ttrl.types import Completion, Group, Question, SamplingParams


class NativeSampler:
    """Samples from a Hugging Face causal language model that it shares with the policy.

    Deterministic: completion i of a question depends on the weights, the parameters and
    derive_seed(seed, question.id, i), and on the rest of the batch only as far as floating point forces.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        prompter: Prompter,
        *,
        max_rows: int,
    ) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._prompter = prompter
        self._max_rows = max_rows
        self._version = 0
        self.sampled_tokens = 0
        """Tokens of all completions so far."""
        self.computed_tokens = 0
        """Row positions that were really computed while decoding; sharing makes it the smaller one."""
        self.seconds = 0.0

    def load_weights(self, model: object) -> None:
        """Called after an update. The weights are the policy's own, so only the version moves on."""
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
            ModelError: an architecture whose cache cannot be split into rows.
            NumericsError: logits that are not finite.
        """
        start = time.perf_counter()
        prompts = [self._encode(question, params.max_tokens) for question in questions]
        # Like lengths together: less padding, and none at all for questions of one shape.
        order = sorted(range(len(questions)), key=lambda i: (len(prompts[i]), i))
        per_batch = max(1, self._max_rows // n)
        groups: dict[int, Group] = {}
        with _inference(self._model):
            for start_at in range(0, len(order), per_batch):
                chosen = order[start_at : start_at + per_batch]
                batch = _Decoding(
                    self._model,
                    self._tokenizer,
                    [prompts[i] for i in chosen],
                    [
                        [derive_seed(seed, questions[i].id, first + j) for j in range(n)]
                        for i in chosen
                    ],
                    params,
                )
                batch.run()
                self.computed_tokens += batch.computed
                for place, i in enumerate(chosen):
                    groups[i] = self._group(questions[i], prompts[i], batch, place, n)
        self.seconds += time.perf_counter() - start
        return [groups[i] for i in range(len(questions))]

    def _encode(self, question: Question, max_tokens: int) -> tuple[int, ...]:
        ids = self._prompter.encode(question)
        context = getattr(self._model.config, "max_position_embeddings", None)
        if context is not None and len(ids) + max_tokens > context:
            raise DataError(
                f"question {question.id}: its prompt has {len(ids)} tokens, which with "
                f"max_tokens={max_tokens} is more than the model's context of {context}. "
                "Lower max_tokens or leave the question out."
            )
        return ids

    def _group(
        self, question: Question, prompt: tuple[int, ...], batch: _Decoding, place: int, n: int
    ) -> Group:
        texts: dict[tuple[int, ...], str] = {}
        completions = []
        for j in range(place * n, (place + 1) * n):
            length = batch.lengths[j]
            ids = tuple(batch.tokens[j][:length])
            if ids not in texts:
                texts[ids] = str(self._tokenizer.decode(list(ids), skip_special_tokens=True))
            self.sampled_tokens += length
            completions.append(
                Completion(
                    question_id=question.id,
                    prompt_ids=prompt,
                    token_ids=ids,
                    logprobs=tuple(batch.logprobs[j][:length]),
                    entropy=tuple(batch.entropy[j][:length]),
                    finish_reason="stop" if batch.stopped[j] else "length",
                    policy_version=self._version,
                    text=texts[ids],
                )
            )
        return Group(question=question, completions=tuple(completions))


class _Decoding:
    """One batch from prefill to its last token. S samples on R rows; rows only shrink, split or leave."""

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        prompts: Sequence[tuple[int, ...]],
        seeds: Sequence[Sequence[int]],
        params: SamplingParams,
    ) -> None:
        self._model, self._tokenizer, self._params = model, tokenizer, params
        self._prompts = prompts
        kind = FastDecoder if can_decode(model) else GeneralDecoder
        self._decoder: FastDecoder | GeneralDecoder = kind(model, max_tokens=params.max_tokens)
        device = model.device
        n = len(seeds[0])
        total = len(prompts) * n
        self._stop_ids = torch.tensor(sorted(stop_token_ids(model, tokenizer)), device=device)
        self._streams = torch.tensor([s for group in seeds for s in group], device=device)
        self._sample = torch.arange(total, device=device)
        """Samples still running, ascending by row.   [S]"""
        self._row_of = torch.arange(len(prompts), device=device).repeat_interleave(n)
        """Row of each of them.   [S]"""
        shape = (total, params.max_tokens)
        self._tokens = torch.zeros(shape, dtype=torch.long, device=device)
        self._logprobs = torch.zeros(shape, device=device)
        self._entropy = torch.zeros(shape, device=device)
        self._lengths = torch.full((total,), params.max_tokens, device=device)
        self._stopped = torch.zeros(total, dtype=torch.bool, device=device)
        self.computed = 0

    def run(self) -> None:
        """Decodes until every sample has stopped or reached max_tokens."""
        logits = self._prefill()
        for t in range(self._params.max_tokens):
            drawn = draw(
                logits, uniforms(self._streams[self._sample], t), self._row_of, self._params
            )
            self._tokens[self._sample, t] = drawn.tokens
            self._logprobs[self._sample, t] = drawn.logprobs
            self._entropy[self._sample, t] = drawn.entropy
            done = torch.isin(drawn.tokens, self._stop_ids) | self._ends_with_stop_text(t)
            self._stopped[self._sample[done]] = True
            self._lengths[self._sample[done]] = t + 1
            if t + 1 == self._params.max_tokens or bool(done.all()):
                break
            parents, tokens = self._split(drawn.tokens, done)
            self.computed += len(parents)
            logits = self._decoder.step(tokens, parents)
        if not bool(torch.isfinite(self._logprobs).all()):
            raise NumericsError(
                f"the model's log-probabilities at temperature {self._params.temperature:g} are not finite: "
                "its weights hold NaN or infinity, or the temperature is too small."
            )
        self.tokens: list[list[int]] = self._tokens.tolist()
        self.logprobs: list[list[float]] = self._logprobs.tolist()
        self.entropy: list[list[float]] = self._entropy.tolist()
        self.lengths: list[int] = self._lengths.tolist()
        self.stopped: list[bool] = self._stopped.tolist()

    def _prefill(self) -> Tensor:
        """Each prompt once, padded on the left so that all end at the same column."""
        width = max(len(prompt) for prompt in self._prompts)
        ids = torch.zeros(len(self._prompts), width, dtype=torch.long)
        mask = torch.zeros(len(self._prompts), width, dtype=torch.long)
        for row, prompt in enumerate(self._prompts):
            ids[row, width - len(prompt) :] = torch.tensor(prompt)
            mask[row, width - len(prompt) :] = 1
        return self._decoder.prefill(ids.to(self._model.device), mask.to(self._model.device))

    def _split(self, tokens: Tensor, done: Tensor) -> tuple[Tensor, Tensor]:
        """Drops finished samples, gives each distinct (row, token) a row, and packs the rows.

        A row's first child stays where its parent is; further children fill rows that were left, then
        new ones; rows at the end move into rows still empty. So each step copies only what has to move.

        Returns:
            For each new row, its parent among the old rows and its token.   [R'], [R']
        """
        running = ~done
        self._sample, row_of, tokens = self._sample[running], self._row_of[running], tokens[running]
        vocabulary = int(self._model.config.get_text_config().vocab_size)
        pair, child_of = torch.unique(row_of * vocabulary + tokens, return_inverse=True)
        parents, child_tokens = pair // vocabulary, pair % vocabulary
        rows = len(pair)
        first = torch.ones_like(parents, dtype=torch.bool)
        first[1:] = parents[1:] != parents[:-1]
        stays = first & (parents < rows)
        slots = torch.full_like(parents, -1)
        slots[stays] = parents[stays]
        free = torch.ones(rows, dtype=torch.bool, device=tokens.device)
        free[slots[stays]] = False
        moved = ~stays
        slots[moved] = free.nonzero().squeeze(1)
        if bool(moved.any()):
            self._decoder.copy_rows(parents[moved], slots[moved], rows)
        order = slots.argsort()
        row_of = slots[child_of]
        by_row = row_of.argsort(stable=True)
        self._sample, self._row_of = self._sample[by_row], row_of[by_row]
        return parents[order], child_tokens[order]

    def _ends_with_stop_text(self, t: int) -> Tensor:
        hit = torch.zeros_like(self._sample, dtype=torch.bool)
        if self._params.stop:
            texts: dict[tuple[int, ...], bool] = {}
            for place, ids in enumerate(self._tokens[self._sample, : t + 1].tolist()):
                key = tuple(ids)
                if key not in texts:
                    text = self._tokenizer.decode(ids, skip_special_tokens=True)
                    texts[key] = any(stop in text for stop in self._params.stop)
                hit[place] = texts[key]
        return hit


def stop_token_ids(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> set[int]:
    """Tokens that end a completion: the tokenizer's and those of the model's generation config."""
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
    """Evaluation mode without autograd, and back."""
    training = model.training
    model.eval()  # type: ignore[no-untyped-call]
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(training)
