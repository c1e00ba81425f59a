"""Two real updates at the peak learning rate, on weights that are thrown away.

The distance that the policy moves by them on its own completions is what a trust region bounds. Settings
that destroy a model move it far in the first updates, long before accuracy or entropy show it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from ttrl.config import RunConfig
from ttrl.consensus.summary import mean
from ttrl.engine.learner import Learner
from ttrl.errors import NumericsError
from ttrl.probing.draw import Draws, Voted, first_votes, trained_votes, voted, votes_on_views
from ttrl.probing.signals import within
from ttrl.rl.algorithms.interface import Algorithm
from ttrl.seeding import derive_seed
from ttrl.training.further import Drawn
from ttrl.training.step import NO_ADVANTAGE, elect_and_score, samples_of
from ttrl.training.votes import vote_params
from ttrl.types import RewardRule, Sampler, Task

UPDATES = 2
"""The first update of LoRA moves half of the adapter only, since the other half starts at zero."""
MEASURED = 2
"""Completions of each question on which the movement is measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """The effect of two updates on the votes; the numbers are None if no update was made."""

    learning_rate: float
    skipped: str | None = None
    """Why there was nothing to learn, or why an update failed."""
    broke: bool = False
    """Whether an update had a loss or gradient that is not finite."""
    moved: float | None = None
    """KL(before || after) in nats per token of completions drawn before: the mean of r - 1 - log r, with
    r = p_after / p_before and log r cut to at most 20."""
    agreement: tuple[float, float] | None = None
    """`within` before and after, of as many votes on the questions, drawn with the same random numbers."""
    labels_kept: float | None = None
    """The result of the function `labels_kept`; votes on views elect before and after."""
    no_answer_after: float | None = None
    completions: int = 0
    """Number of completions trained on in each update."""
    sampled: int = 0
    """Number of completions drawn to look at the votes again."""
    update_seconds: float = 0.0
    """Wall-clock seconds of one update."""


def run_trial(
    draws: Draws,
    *,
    sampler: Sampler,
    learner: Learner,
    task: Task,
    rule: RewardRule,
    algorithm: Algorithm,
    config: RunConfig,
) -> Trial:
    """Rewards half of the votes by the labels that the run would have, updates, and votes again."""
    rate = config.learning_rate
    count = len(draws.votes[0].group.completions)
    half = trained_votes(count)
    kept_half = config.model_copy(
        update={"trained_per_question": min(half, config.trained_per_question)}
    )
    groups = [v.group for v in draws.votes]
    drawn = Drawn(
        groups=[v.group for v in draws.labels],
        further=[v.further for v in draws.labels],
        tokens={},
    )
    scored = elect_and_score(drawn, task=task, rule=rule, config=kept_half, step=0)
    if reason := algorithm.nothing_to_learn(scored):
        return Trial(learning_rate=rate, skipped=reason)
    measured = [c for group in groups for c in group.completions[:MEASURED]]
    before = learner.logprobs(measured)
    learner.begin_step(1.0)
    begin = time.perf_counter()
    try:
        samples, _ = samples_of(scored, algorithm=algorithm, learner=learner, config=config)
        updates = [learner.update(samples, algorithm) for _ in range(UPDATES)]
    except NumericsError as error:
        return Trial(learning_rate=rate, skipped=str(error), broke=True)
    seconds = time.perf_counter() - begin
    if not any(updates):
        return Trial(learning_rate=rate, skipped=NO_ADVANTAGE)
    after = learner.logprobs(measured)
    sampler.load_weights(learner.model)
    try:
        questions = [group.question for group in groups]
        again = sampler.sample(
            questions,
            n=half,
            params=vote_params(config),
            seed=derive_seed(config.seed, "probe", "votes"),
        )
        on_views = votes_on_views(questions, count, sampler=sampler, task=task, config=config)
    except NumericsError as error:
        return Trial(learning_rate=rate, skipped=str(error), broke=True)
    firsts = [first_votes(group, half) for group in groups]
    then, now = voted(firsts, task=task, config=config), voted(again, task=task, config=config)
    before_on_views = [v.further[0] if v.further else None for v in draws.labels]
    kept = labels_kept(
        voted(firsts, before_on_views, task=task, config=config),
        voted(again, on_views, task=task, config=config),
    )
    return Trial(
        learning_rate=rate,
        moved=divergence(before, after),
        agreement=(within(then), within(now)),
        labels_kept=kept,
        no_answer_after=mean([v.consensus.abstained / len(v.consensus.class_of) for v in now]),
        completions=sum(len(group.kept) for group in scored),
        sampled=half * len(groups) + sum(len(more.answers) for more in on_views if more),
        update_seconds=seconds / UPDATES,
    )


def labels_kept(before: Sequence[Voted], after: Sequence[Voted]) -> float | None:
    """Returns the share of questions that elect the same answer before and after.

    Questions that elect none both times say nothing and do not count; None if there are no others.
    """
    pairs = [(a.elected, b.elected) for a, b in zip(before, after, strict=True)]
    same = [float(a == b) for a, b in pairs if a is not None or b is not None]
    return mean(same) if same else None


def divergence(before: Sequence[Sequence[float]], after: Sequence[Sequence[float]]) -> float:
    """Returns KL(before || after) in nats per token: at least 0, infinite if no number is left.   [N, T]"""
    parts = []
    for old, new in zip(before, after, strict=True):
        for a, b in zip(old, new, strict=True):
            log_ratio = min(b - a, 20.0)
            parts.append(math.exp(log_ratio) - 1 - log_ratio)
    found = math.fsum(parts) / max(1, len(parts))
    return found if math.isfinite(found) else math.inf
