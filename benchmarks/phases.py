"""Parts of a step by themselves: completions of a workload, training samples made of them, one update."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.models import Workload
from ttrl.config import RunConfig
from ttrl.engine.learner import make_learner
from ttrl.engine.policy import Policy
from ttrl.engine.sampler import NativeSampler
from ttrl.rl.algorithms.registry import make_algorithm
from ttrl.types import Group, SamplingParams, TrainingSample


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """The completions of a workload."""

    groups: Sequence[Group]
    seconds: float
    tokens: int
    """Of all completions."""
    computed: int
    """Row positions that went through the model while decoding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Updated:
    """One optimizer update."""

    seconds: float
    optimizer: float
    """Of these, seconds for clipping and AdamW."""
    computed: int
    """Positions that went through the model, padding included."""


def draw(
    work: Workload, *, votes: int | None = None, tokens: int | None = None, seed: int = 0
) -> Drawn:
    """Samples as a run does; `votes` and `tokens` override the workload's."""
    sampler = NativeSampler(
        work.model, work.tokenizer, work.prompter, max_rows=RunConfig().sampler_rows
    )
    params = SamplingParams(temperature=1.0, max_tokens=tokens or work.tokens)
    begin = time.perf_counter()
    groups = sampler.sample(work.questions, n=votes or work.votes, params=params, seed=seed)
    return Drawn(
        groups=groups,
        seconds=time.perf_counter() - begin,
        tokens=sampler.sampled_tokens,
        computed=sampler.computed_tokens,
    )


def samples_of(groups: Sequence[Group], *, kept: int | None = None) -> list[TrainingSample]:
    """The first `kept` completions of each group, equal ones folded, half of them to be made likelier."""
    samples = []
    for group in groups:
        counts = Counter(c.token_ids for c in group.completions[:kept])
        first = {c.token_ids: c for c in reversed(group.completions[:kept])}
        samples += [
            TrainingSample(
                completion=first[ids],
                reward=1.0 - n % 2,
                weight=float(count),
                advantages=(1.0 - 2 * (n % 2),) * len(ids),
            )
            for n, (ids, count) in enumerate(counts.items())
        ]
    return samples


def make_policy(model: Any, *, gradient_checkpointing: bool = False) -> Policy:
    """A policy with the settings of a run."""
    config = RunConfig(gradient_checkpointing=gradient_checkpointing)
    return make_learner(model, make_algorithm(config), config).policy


def update(policy: Policy, samples: Sequence[TrainingSample]) -> Updated:
    """One update with a learning rate so small that the model stays what it is."""
    clock = _OptimizerClock(policy.optimizer)
    policy.optimizer = clock  # type: ignore[assignment]
    begin = time.perf_counter()
    metrics = policy.update(samples, make_algorithm(RunConfig()), learning_rate=1e-9)
    seconds = time.perf_counter() - begin
    policy.optimizer = clock.inner
    return Updated(seconds=seconds, optimizer=clock.seconds, computed=int(metrics["train/tokens"]))


class _OptimizerClock:
    """An optimizer that knows how long its methods took."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.seconds = inner, 0.0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        if not callable(found):
            return found

        def timed(*arguments: Any, **named: Any) -> Any:
            begin = time.perf_counter()
            outcome = found(*arguments, **named)
            self.seconds += time.perf_counter() - begin
            return outcome

        return timed
