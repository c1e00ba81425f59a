"""One step of test-time reinforcement learning. This file is the algorithm; the rest makes it run.

Source: TTRL (arXiv:2504.16084), section 2.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from ttrl.config import RunConfig
from ttrl.consensus.summary import step_metrics
from ttrl.engine.policy import Policy
from ttrl.rl.algorithms import Algorithm
from ttrl.seeding import derive_seed
from ttrl.train.votes import draw_votes, vote_metrics
from ttrl.types import (
    Metrics,
    Question,
    RewardRule,
    Sampler,
    ScoredGroup,
    StepResult,
    Task,
    TrainingSample,
)


def ttrl_step(
    questions: Sequence[Question],
    *,
    sampler: Sampler,
    policy: Policy,
    task: Task,
    rule: RewardRule,
    algorithm: Algorithm,
    config: RunConfig,
    step: int,
    learning_rate: float,
    before_update: Callable[[], object] = lambda: None,
) -> StepResult:
    """Votes, rewards, updates.

    Args:
        before_update: called when the weights are about to change; until then a step can be dropped.

    Raises:
        NumericsError: a loss or gradient that is not finite.
    """
    begin = time.perf_counter()
    groups = draw_votes(                                  # y_1..y_M ~ pi_theta(.|x), M or fewer
        questions,
        sampler=sampler,
        task=task,
        config=config,
        seed=derive_seed(config.seed, "sample", step),
    )  # fmt: skip
    sampled = time.perf_counter()
    scored = [rule(task, group) for group in groups]  # y* = consensus; r_i = agreement  # fmt: skip
    kept = [keep(s, config.trained_per_question) for s in scored]  # vote on M, train on K <= M
    samples = algorithm.training_samples(kept)  # advantages over the K kept  # fmt: skip
    voted = time.perf_counter()
    metrics = {
        **step_metrics(scored),
        **vote_metrics(groups, config),
        "sample/seconds": sampled - begin,
        "consensus/seconds": voted - sampled,
    }
    if not samples:
        reason = next(
            (s.skipped for s in scored if s.skipped), "no group has two different rewards"
        )
        return StepResult(step=step, scored=tuple(scored), metrics=metrics, skipped=reason)
    updates: list[Metrics] = []
    before_update()
    for mini_batch in mini_batches(samples, config.updates_per_step):
        updates.append(policy.update(mini_batch, algorithm, learning_rate=learning_rate))
    sampler.load_weights(policy.model)
    metrics |= {key: sum(u[key] for u in updates) / len(updates) for key in updates[0]}
    metrics |= {
        "train/tokens": sum(u["train/tokens"] for u in updates),
        "train/updates": float(len(updates)),
        "train/learning_rate": learning_rate,
        "train/samples": sum(s.weight for s in samples),
        "train/distinct_samples": float(len(samples)),
        "train/seconds": time.perf_counter() - voted,
    }
    return StepResult(step=step, scored=tuple(scored), metrics=metrics)


def keep(scored: ScoredGroup, count: int) -> ScoredGroup:
    """The first `count` completions and their rewards; the consensus stays that of all votes.

    Completions are independent draws, so the first ones are a random choice.
    """
    group = replace(scored.group, completions=scored.group.completions[:count])
    return replace(scored, group=group, rewards=scored.rewards[:count])


def mini_batches(samples: Sequence[TrainingSample], updates: int) -> Iterator[list[TrainingSample]]:
    """At most `updates` parts of whole questions, as even as questions allow, in their order."""
    by_question = [list(g) for _, g in groupby(samples, key=lambda s: s.completion.question_id)]
    parts = min(updates, len(by_question))
    for part in range(parts):
        low, high = (len(by_question) * (part + i) // parts for i in (0, 1))
        yield [sample for group in by_question[low:high] for sample in group]
