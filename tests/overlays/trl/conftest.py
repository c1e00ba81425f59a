"""A trainer as a rollout sees it, which answers from a script."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

END, PAD, SHIFT = 0, 1, 2
"""Two end tokens, and what is added to a character's number to make it a token."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One completion of a script."""

    text: str
    ended: bool = True

    @property
    def ids(self) -> list[int]:
        return spelled(self.text) + [END] * self.ended

    @property
    def logprobs(self) -> list[float]:
        return [logprob(token) for token in self.ids]

    @property
    def entropy(self) -> list[float]:
        return [entropy(token) for token in self.ids]


def spelled(text: str) -> list[int]:
    return [ord(character) + SHIFT for character in text]


def logprob(token: int) -> float:
    """A multiple of 1/8, which is the same in float32."""
    return -(token % 8) / 8


def entropy(token: int) -> float:
    """A multiple of 1/4."""
    return (token % 5) / 4


class Tokenizer:
    pad_token_id = PAD

    def batch_decode(
        self, rows: Sequence[Sequence[int]], *, skip_special_tokens: bool
    ) -> list[str]:
        assert skip_special_tokens
        return ["".join(chr(token - SHIFT) for token in row if token >= SHIFT) for row in rows]


@dataclass
class FakeTrainer:
    """GRPOTrainer, as far as a rollout needs it."""

    script: Mapping[str, Sequence[Line]]
    """What each prompt is answered with, in this order, by its JSON."""
    num_generations: int
    num_generations_eval: int = 2
    num_iterations: int = 1
    use_vllm: bool = False
    training: bool = True
    global_step: int = 0
    steps_per_generation: int = 1
    gradient_accumulation_steps: int = 1
    processes: int = 1
    rank: int = 0
    eos_token_ids: tuple[int, ...] = (END,)
    calls: list[tuple[int, int]] = field(default_factory=list)
    """Rows, and completions of a prompt, of each call of the generation."""
    measured: list[int] = field(default_factory=list)
    """Rows of each forward pass."""

    def __post_init__(self) -> None:
        self.model = SimpleNamespace(training=self.training)
        self.state = SimpleNamespace(global_step=self.global_step)
        self.accelerator = SimpleNamespace(
            num_processes=self.processes, process_index=self.rank, device="cpu"
        )
        self.args = SimpleNamespace(
            steps_per_generation=self.steps_per_generation,
            gradient_accumulation_steps=self.gradient_accumulation_steps,
            per_device_train_batch_size=3,
        )
        self._tokenizer = Tokenizer()
        self._left: dict[str, Iterator[Line]] = {
            "".join(map(chr, spelled(prompt))): iter(lines) for prompt, lines in self.script.items()
        }

    def _tokenize_prompts(self, prompts: list[Any]) -> tuple[list[list[int]], None, dict[str, Any]]:
        return [spelled(json.dumps(prompt)) for prompt in prompts], None, {}

    def _generate_single_turn(
        self, rows: list[list[int]], images: None, fields: dict[str, Any], per_prompt: int
    ) -> tuple[list[list[int]], list[list[float]] | None]:
        assert images is None and fields == {}
        self.calls.append((len(rows), per_prompt))
        lines = [next(self._left["".join(map(chr, row))]) for row in rows]
        sampled = [line.logprobs for line in lines] if self.use_vllm else None
        return [line.ids for line in lines], sampled

    def _get_per_token_logps_and_entropies(
        self, model: Any, ids: Any, mask: Any, kept: int, *, batch_size: int, compute_entropy: bool
    ) -> tuple[Any, Any, None]:
        """What is no token of a completion is not a number, so that nobody reads it unnoticed."""
        import torch

        assert model is self.model and compute_entropy
        assert batch_size == self.args.per_device_train_batch_size
        self.measured.append(len(ids))
        for row, seen in zip(ids.tolist(), mask.tolist(), strict=True):
            tokens = [token for token, there in zip(row, seen, strict=True) if there]
            text = "".join(chr(token - SHIFT) for token in tokens if token >= SHIFT)
            assert any(text.startswith(prompt) for prompt in self.script), text
        tokens, there = ids[:, -kept:], mask[:, -kept:].bool()
        nothing = torch.full(tokens.shape, float("nan"))
        logprobs = torch.where(there, -(tokens % 8) / 8, nothing)
        return logprobs, torch.where(there, (tokens % 5) / 4, nothing), None


@pytest.fixture(scope="session")
def line() -> type[Line]:
    """`line(text=..., ended=...)`: one completion of a script, with its tokens and their numbers."""
    return Line


@pytest.fixture(scope="session")
def make_trainer() -> Callable[..., FakeTrainer]:
    """`make_trainer({prompt: [line, ...]}, num_generations=K, ...)`; prompts of chats as pairs."""

    def make(script: Any, **options: Any) -> FakeTrainer:
        pairs = script.items() if isinstance(script, Mapping) else script
        return FakeTrainer({json.dumps(prompt): lines for prompt, lines in pairs}, **options)

    return make
