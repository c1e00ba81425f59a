"""One step of test-time reinforcement learning. This file is the algorithm; the rest makes it run.

Source: TTRL (arXiv:2504.16084), section 2.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby

from ttrl.config import RunConfig
from ttrl.consensus.summary import step_metrics
from ttrl.engine.learner import Learner
from ttrl.rl.algorithms.interface import Algorithm
from ttrl.rl.subset import trained_subset
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

COUNTS = ("train/tokens", "train/samples", "train/distinct_samples")


def ttrl_step(
    questions: Sequence[Question],
    *,
    sampler: Sampler,
    learner: Learner,
    task: Task,
    rule: RewardRule,
    algorithm: Algorithm,
    config: RunConfig,
    step: int,
    spare: Sequence[Question] = (),
    rate_share: float = 1.0,
    before_update: Callable[[], object] = lambda: None,
) -> StepResult:
    """Votes, rewards, updates.

    Args:
        spare: questions that may take the place of ones that teach nothing (`refill_rounds`).
        rate_share: the learning rates' share of their peaks.
        before_update: called when the weights are about to change; until then a step can be dropped.

    Raises:
        NumericsError: a loss or gradient that is not finite.
    """
    begin, drawing = time.perf_counter(), 0.0
    draw = partial(
        draw_votes,
        sampler=sampler,
        task=task,
        config=config,
        seed=derive_seed(config.seed, "sample", step),
    )

    def vote_on(asked: Sequence[Question]) -> list[ScoredGroup]:
        nonlocal drawing
        started = time.perf_counter()
        groups = draw(asked)  # y_1..y_M ~ pi_theta(.|x), M or fewer
        drawing += time.perf_counter() - started
        return [rule(task, group) for group in groups]  # y* = consensus; r_i = agreement

    scored = vote_on(questions)
    kept = [keep(s, config, step) for s in scored]  # vote on M, train on K <= M
    for _ in range(config.refill_rounds or 0):
        missing = len(questions) - sum(s.differs for s in kept)
        further, spare = spare[:missing], spare[missing:]
        if further:
            scored += (more := vote_on(further))
            kept += [keep(s, config, step) for s in more]
    voted = time.perf_counter()
    metrics = {
        **step_metrics(scored),
        **vote_metrics([s.group for s in scored], config),
        "sample/seconds": drawing,
        "consensus/seconds": voted - begin - drawing,
    }
    if reason := algorithm.nothing_to_learn(kept):
        if all(s.skipped for s in kept):
            reason = str(kept[0].skipped)
        return StepResult(step=step, scored=tuple(scored), metrics=metrics, skipped=reason)
    before_update()
    learner.begin_step(rate_share)
    samples, learned = algorithm.training_samples(kept, learner)  # advantages over the K kept
    if config.mask_truncated:
        samples = [s for s in samples if s.completion.finish_reason != "length"]
    updates: list[Metrics] = []
    for _ in range(config.passes_per_step):
        for mini_batch in mini_batches(samples, config.updates_per_step):
            if update := learner.update(mini_batch, algorithm):  # none without an advantage
                updates.append(update)
    if not updates:
        reason = "no completion with an advantage is left"
        return StepResult(step=step, scored=tuple(scored), metrics=metrics, skipped=reason)
    sampler.load_weights(learner.model)
    metrics |= {
        **learned,
        **means(updates),
        "train/updates": float(len(updates)),
        "train/seconds": time.perf_counter() - voted,
    }
    return StepResult(step=step, scored=tuple(scored), metrics=metrics)


def means(updates: Sequence[Metrics]) -> Metrics:
    """Over the updates of a step; counts are added, and the gap to the sampler is that of the first update.

    Before the first update sampler and trainer hold the same weights, so any gap between their
    log-probabilities is the mismatch of two ways to compute.
    """
    found = {key: math.fsum(u[key] for u in updates) / len(updates) for key in updates[0]}
    found |= {key: math.fsum(u[key] for u in updates) for key in COUNTS}
    return found | {key: updates[0][key] for key in found if key.startswith("train/sampler_gap")}


def keep(scored: ScoredGroup, config: RunConfig, step: int) -> ScoredGroup:
    """The completions that are trained on; the consensus stays that of all votes."""
    question = scored.group.question
    chosen = trained_subset(scored.rewards, config, step=step, question_id=question.id)
    completions = tuple(scored.group.completions[i] for i in chosen)
    group = replace(scored.group, completions=completions)
    return replace(scored, group=group, rewards=tuple(scored.rewards[i] for i in chosen))


def mini_batches(samples: Sequence[TrainingSample], updates: int) -> Iterator[list[TrainingSample]]:
    """At most `updates` parts of whole questions, as even as questions allow, in their order."""
    by_question = [list(g) for _, g in groupby(samples, key=lambda s: s.completion.question_id)]
    parts = min(updates, len(by_question))
    for part in range(parts):
        low, high = (len(by_question) * (part + i) // parts for i in (0, 1))
        yield [sample for group in by_question[low:high] for sample in group]
