"""Completions, groups and models made of numbers, so that losses can be worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor

from ttrl.config import RunConfig
from ttrl.consensus.vote import vote_on_group
from ttrl.rl.algorithms.interface import Algorithm, Predictions
from ttrl.rl.algorithms.registry import make_algorithm
from ttrl.rl.batch import micro_batches
from ttrl.rl.losses import token_shares
from ttrl.types import Completion, Group, Metrics, Question, ScoredGroup, TrainingSample


@dataclass
class FakeModels:
    """Answers by a completion's tokens, and remembers what it was asked to learn."""

    own: dict[tuple[int, ...], Sequence[float]] = field(default_factory=dict)
    reference: dict[tuple[int, ...], Sequence[float]] = field(default_factory=dict)
    critic: dict[tuple[int, ...], Sequence[float]] = field(default_factory=dict)
    implicit: dict[tuple[int, ...], Sequence[float]] = field(default_factory=dict)
    learned: list[TrainingSample] = field(default_factory=list)

    def logprobs(self, completions: Sequence[Completion]) -> list[tuple[float, ...]]:
        return [tuple(self.own[c.token_ids]) for c in completions]

    def reference_logprobs(self, completions: Sequence[Completion]) -> list[tuple[float, ...]]:
        return [tuple(self.reference[c.token_ids]) for c in completions]

    def values(self, completions: Sequence[Completion]) -> list[tuple[float, ...]]:
        return [tuple(self.critic[c.token_ids]) for c in completions]

    def implicit_rewards(
        self, samples: Sequence[TrainingSample]
    ) -> tuple[list[tuple[float, ...]], Metrics]:
        self.learned += samples
        told = [tuple(self.implicit[s.completion.token_ids]) for s in samples]
        return told, {"train/prime_loss": 0.5}


@dataclass
class Outcome:
    """A loss, its gradient by each log-probability of each sample, and its metrics."""

    loss: float
    gradient: list[list[float]]
    sums: dict[str, float]


@pytest.fixture
def fake_models() -> type[FakeModels]:
    return FakeModels


@pytest.fixture
def make() -> Callable[..., Algorithm]:
    """An algorithm by name, with its defaults but for what is given."""
    return lambda name, **settings: make_algorithm(RunConfig(algorithm=name, **settings))


@pytest.fixture
def completion() -> Callable[..., Completion]:
    def made(
        tokens: Sequence[int], *, logprobs: Sequence[float] | None = None, id: str = "q"
    ) -> Completion:
        return Completion(
            question_id=id,
            prompt_ids=(1, 2, *id.encode()),
            token_ids=tuple(tokens),
            logprobs=tuple(logprobs or [-1.0] * len(tokens)),
            entropy=(0.0,) * len(tokens),
            finish_reason="stop",
            policy_version=0,
            text=" ".join(map(str, tokens)),
        )

    return made


@pytest.fixture
def group() -> Callable[..., ScoredGroup]:
    """Completions of one question with given rewards; what they voted does not matter here."""
    from ttrl.answers.tasks import get_task

    def made(
        completions: Sequence[Completion], rewards: Sequence[float], skipped: str | None = None
    ) -> ScoredGroup:
        id = completions[0].question_id
        whole = Group(question=Question(id=id, prompt="?"), completions=tuple(completions))
        return ScoredGroup(
            group=whole,
            consensus=vote_on_group(get_task("math"), whole, tie_seed=0),
            rewards=tuple(rewards),
            kept=tuple(range(len(rewards))),
            skipped=skipped,
        )

    return made


@pytest.fixture
def two(completion: Any, group: Any) -> Callable[..., ScoredGroup]:
    """Tokens 5 6 7 and 8 9, each drawn with probability 1/e; the first agrees unless said otherwise."""
    return lambda rewards=(1.0, 0.0): group([completion([5, 6, 7]), completion([8, 9])], rewards)


def _padded(rows: Sequence[Sequence[float]], order: Sequence[int], width: int) -> Tensor:
    padded = [[*rows[i], *[0.0] * (width - len(rows[i]))] for i in order]
    return torch.tensor(padded, dtype=torch.float32)


@pytest.fixture
def evaluate() -> Callable[..., Outcome]:
    """The loss of samples whose probability ratios to -1, the sampler's log-probability, are given.

    Args: `logprobs` instead of `ratios`, and `reference` and `entropy` where wanted: rows per sample.
    """

    def run(
        algorithm: Algorithm,
        samples: Sequence[TrainingSample],
        ratios: Sequence[Sequence[float]] | None = None,
        *,
        logprobs: Sequence[Sequence[float]] | None = None,
        reference: Sequence[Sequence[float]] | None = None,
        entropy: Sequence[Sequence[float]] | None = None,
        longest: int = 10,
        token_budget: int = 1000,
    ) -> Outcome:
        if logprobs is None:
            assert ratios is not None
            logprobs = [[math.log(r) - 1 for r in row] for row in ratios]
        shares = token_shares(samples, algorithm.loss_aggregation, longest=longest)
        total, sums = 0.0, dict[str, float]()
        gradient: list[list[float]] = [[] for _ in samples]
        for batch in micro_batches(
            samples, shares, token_budget=token_budget, layout="rows", device=torch.device("cpu")
        ):
            width = batch.mask.shape[1]
            own = _padded(logprobs, batch.order, width).requires_grad_()
            wanted = {
                "reference": reference if algorithm.wants_reference else None,
                "entropy": entropy if algorithm.wants_entropy else None,
            }
            given = {
                name: None if rows is None else _padded(rows, batch.order, width)
                for name, rows in wanted.items()
            }
            loss = algorithm.loss(batch, Predictions(logprobs=own, **given))
            loss.value.backward()
            total += loss.value.item()
            for key, value in loss.sums.items():
                sums[key] = sums.get(key, 0.0) + value.item()
            for i, row in zip(batch.order, own.grad.tolist(), strict=True):
                gradient[i] = row[: len(samples[i].completion.token_ids)]
        return Outcome(loss=total, gradient=gradient, sums=sums)

    return run
