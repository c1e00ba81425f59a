"""The models and questions of the benchmarks: the embedded one, a GGUF file, and random weights by shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from ttrl.answers.tasks import get_task
from ttrl.config import RunConfig
from ttrl.data.prompts import Prompter
from ttrl.engine.models import find_model, load_model
from ttrl.evaluation.labels import build_sets
from ttrl.types import Question


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A Llama by its sizes."""

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    mlp: int
    vocabulary: int
    tied: bool = False
    context: int = 2048

    def config(self) -> LlamaConfig:
        """For transformers."""
        heads: dict[str, Any] = {
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads,
        }
        return LlamaConfig(
            vocab_size=self.vocabulary, hidden_size=self.hidden, intermediate_size=self.mlp,
            num_hidden_layers=self.layers, tie_word_embeddings=self.tied,
            max_position_embeddings=self.context, **heads,
        )  # fmt: skip


LLAMA_700K = Shape(hidden=128, layers=3, heads=4, kv_heads=4, mlp=384, vocabulary=82)
LLAMA_3M = Shape(hidden=192, layers=6, heads=6, kv_heads=6, mlp=576, vocabulary=82)
LLAMA_10M = Shape(hidden=320, layers=8, heads=10, kv_heads=10, mlp=896, vocabulary=82)
LLAMA_30M = Shape(hidden=512, layers=9, heads=16, kv_heads=16, mlp=1440, vocabulary=82)
SMOLLM2_135M = Shape(
    hidden=576, layers=30, heads=9, kv_heads=3, mlp=1536, vocabulary=49_152, tied=True
)
WIDE_VOCABULARY = Shape(
    hidden=64, layers=2, heads=2, kv_heads=2, mlp=128, vocabulary=151_936, tied=True
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A model, its prompts, and how much is drawn."""

    model: Any
    tokenizer: Any
    prompter: Any
    questions: Sequence[Question]
    votes: int
    tokens: int
    sampling_dtype: torch.dtype | None = None
    """Of our decoding, where it is not the model's."""


class NoEnd:
    """A tokenizer of models with random weights: nothing ends before the last token."""

    eos_token_id = None

    def decode(self, ids: list[int], **_: object) -> str:
        return ""


class Numbers:
    """Prompts of random models: as many tokens as the question says, other ones for each."""

    def encode(self, question: Question) -> tuple[int, ...]:
        own = int(question.id)
        return tuple(10 + (own + 7 * place) % 64 for place in range(int(question.prompt)))


def random_llama(shape: Shape, dtype: torch.dtype = torch.float32) -> Any:
    """Random weights, the same for every process."""
    torch.manual_seed(0)
    model: Any = LlamaForCausalLM(shape.config())
    model.generation_config.eos_token_id = None
    return model.to(dtype).eval()


def random_workload(
    model: Any, *, prompt: int, questions: int, votes: int, tokens: int
) -> Workload:
    """Completions of exactly `tokens` tokens after prompts of `prompt` tokens."""
    model.generation_config.eos_token_id = None
    asked = [Question(id=str(number), prompt=str(prompt)) for number in range(questions)]
    return Workload(model=model, tokenizer=NoEnd(), prompter=Numbers(), questions=asked,
                    votes=votes, tokens=tokens)  # fmt: skip


def longer(work: Workload, *, prompt: int) -> Workload:
    """The same random workload with 16 questions of so many tokens."""
    asked = [Question(id=str(number), prompt=str(prompt)) for number in range(16)]
    return replace(work, questions=asked)


def embedded_workload(device: torch.device) -> Workload:
    """What the first step of the demo draws."""
    config = RunConfig()
    loaded = load_model(find_model(config.model), dtype="float32", device=device)
    prompter = Prompter(loaded.tokenizer, template=loaded.prompt_template, task=get_task("math"))
    questions = build_sets(config).training.questions[: config.questions_per_step]
    return Workload(model=loaded.model, tokenizer=loaded.tokenizer,
                    prompter=prompter, questions=questions, votes=config.votes_per_question,
                    tokens=config.max_tokens)  # fmt: skip


def smollm2(gguf: str | None, device: torch.device) -> Any:
    """135 M parameters in bfloat16: of a GGUF file, or random ones of that shape."""
    if gguf is None:
        return random_llama(SMOLLM2_135M, torch.bfloat16).to(device)
    return load_model(find_model(gguf), dtype="bfloat16", device=device).model


def save_random(shape: Shape, folder: Path) -> None:
    """A folder that ttrl and TRL load: random weights in float32 and a tokenizer of characters.

    The end token lies just beyond the model's vocabulary. So no completion can end early, and neither
    side pays for suppressing it.
    """
    characters = [chr(code) for code in range(33, 33 + shape.vocabulary - 1)]
    words = {"<pad>": 0} | {c: place for place, c in enumerate(characters, start=1)}
    plain = Tokenizer(models.WordLevel(words, unk_token="<pad>"))
    plain.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    plain.decoder = decoders.Fuse()
    kind: Any = PreTrainedTokenizerFast
    tokenizer = kind(tokenizer_object=plain, pad_token="<pad>", eos_token="<end>")
    model = random_llama(shape)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = 0
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
