"""One step of test-time reinforcement learning. This file is the algorithm; the rest makes it run.

Source: TTRL (arXiv:2504.16084), section 2.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from ttrl.config import RunConfig
from ttrl.consensus.rules import score
from ttrl.consensus.summary import step_metrics
from ttrl.consensus.vote import vote_on_group
from ttrl.engine.learner import Learner
from ttrl.rl.algorithms.interface import Algorithm
from ttrl.training.further import Drawn, VoteSource, draw
from ttrl.training.votes import vote_metrics
from ttrl.types import (
    FurtherVotes,
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
NO_ADVANTAGE = "no completion with an advantage is left"


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
    sources: Sequence[VoteSource] = (),
    rate_share: float = 1.0,
    before_update: Callable[[], object] = lambda: None,
) -> StepResult:
    """Samples votes, elects a pseudo-label for each question, rewards agreement with it, and updates.

    Args:
        spare: questions that may take the place of ones that teach nothing (`refill_rounds`).
        sources: give further votes, which elect and are not trained on.
        rate_share: the learning rates' share of their peaks.
        before_update: called when the weights are about to change; until then a step can be dropped.

    Raises:
        NumericsError: a loss or gradient that is not finite.
    """
    clock = Clock()
    scored: list[ScoredGroup] = []
    tokens: list[Metrics] = []
    for asked in asked_in_rounds(questions, spare, scored, config.refill_rounds or 0):
        # y_1..y_M ~ pi_theta(.|x), M or fewer, and further votes on x
        drawn = draw(asked, sampler=sampler, task=task, config=config, step=step, sources=sources)
        clock.lap("sample/seconds")
        # y* = what most of them answer; r_i = agreement with y*; K <= M are trained on
        scored += elect_and_score(drawn, task=task, rule=rule, config=config, step=step)
        tokens.append(drawn.tokens)
        clock.lap("consensus/seconds")
    metrics = {
        **step_metrics(scored),
        **vote_metrics([s.group for s in scored], config),
        **{key: math.fsum(each[key] for each in tokens) for key in tokens[0]},
        **(rule.measure() if rule.measure else {}),
        **clock.seconds,
    }
    if reason := nothing_to_learn(scored, algorithm):
        return StepResult(step=step, scored=tuple(scored), metrics=metrics, skipped=reason)
    before_update()
    learner.begin_step(rate_share)
    # A_i over the K of each question
    samples, learned = samples_of(scored, algorithm=algorithm, learner=learner, config=config)
    batches = list(mini_batches(samples, config.updates_per_step)) * config.passes_per_step
    # theta <- theta - rate * gradient of the loss; nothing where no advantage is left
    updates = [done for batch in batches if (done := learner.update(batch, algorithm))]
    if not updates:
        return StepResult(step=step, scored=tuple(scored), metrics=metrics, skipped=NO_ADVANTAGE)
    sampler.load_weights(learner.model)
    for source in sources:
        source.after_update(step=step)
    clock.lap("train/seconds")
    trained = {**learned, **means(updates), "train/updates": float(len(updates))}
    metrics |= trained | clock.seconds
    return StepResult(step=step, scored=tuple(scored), metrics=metrics)


def elect_and_score(
    drawn: Drawn, *, task: Task, rule: RewardRule, config: RunConfig, step: int
) -> list[ScoredGroup]:
    """Elects the label of each question by all its votes, and rewards the completions of its group."""
    found = []
    for group, drawn_further in zip(drawn.groups, drawn.further, strict=True):
        further = tuple(_weighed(votes, group.question, rule) for votes in drawn_further)
        consensus = vote_on_group(
            task,
            group,
            tie_seed=config.seed,
            weigh=rule.weigh,
            further=further,
            label_rule=config.label_rule,
        )
        one = score(group, consensus, rule=rule, config=config, step=step)
        found.append(replace(one, further=further))
    return found


def _weighed(votes: FurtherVotes, question: Question, rule: RewardRule) -> FurtherVotes:
    """Further votes whose weights are multiplied by those that the rule has for their answers."""
    if rule.weigh_answers is None:
        return votes
    weights = zip(votes.weights, rule.weigh_answers(question, votes.answers), strict=True)
    return replace(votes, weights=tuple(a * b for a, b in weights))


class Clock:
    """Adds up the seconds between one lap and the next, under the name of the lap that ends."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        """Ends a lap."""
        now = time.perf_counter()
        self.seconds[name] = self.seconds.get(name, 0.0) + now - self._last
        self._last = now


def asked_in_rounds(
    questions: Sequence[Question],
    spare: Sequence[Question],
    scored: Sequence[ScoredGroup],
    refills: int,
) -> Iterator[Sequence[Question]]:
    """Yields the questions of a step, then up to `refills` times others for those that teach nothing.

    Args:
        scored: the groups of the step so far, looked at before each refill.
    """
    yield questions
    for _ in range(refills):
        missing = len(questions) - sum(group.differs for group in scored)
        further, spare = spare[:missing], spare[missing:]
        if further:
            yield further


def nothing_to_learn(scored: Sequence[ScoredGroup], algorithm: Algorithm) -> str | None:
    """Says why a step can teach the algorithm nothing; None where it can."""
    reason = algorithm.nothing_to_learn(scored)
    if reason and all(group.skipped for group in scored):
        return str(scored[0].skipped)
    return reason


def samples_of(
    scored: Sequence[ScoredGroup], *, algorithm: Algorithm, learner: Learner, config: RunConfig
) -> tuple[list[TrainingSample], Metrics]:
    """Returns the completions to train on, with their advantages, and what the algorithm measured.

    Completions that were cut take part in the advantages of the others, and drop out with `mask_truncated`.
    """
    samples, learned = algorithm.training_samples(scored, learner)
    if config.mask_truncated:
        samples = [s for s in samples if s.completion.finish_reason != "length"]
    return samples, learned


def mini_batches(samples: Sequence[TrainingSample], updates: int) -> Iterator[list[TrainingSample]]:
    """Returns at most `updates` parts of whole questions, as even as possible, in their order."""
    by_question = [list(g) for _, g in groupby(samples, key=lambda s: s.completion.question_id)]
    parts = min(updates, len(by_question))
    for part in range(parts):
        low, high = (len(by_question) * (part + i) // parts for i in (0, 1))
        yield [sample for group in by_question[low:high] for sample in group]


def means(updates: Sequence[Metrics]) -> Metrics:
    """Metrics over the updates of a step: means, but sums of counts, and the first gap to the sampler.

    Before the first update sampler and trainer hold the same weights, so any gap between their
    log-probabilities is the mismatch of two ways to compute.
    """
    found = {key: math.fsum(u[key] for u in updates) / len(updates) for key in updates[0]}
    found |= {key: math.fsum(u[key] for u in updates) for key in COUNTS}
    return found | {key: updates[0][key] for key in found if key.startswith("train/sampler_gap")}
