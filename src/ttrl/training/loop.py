"""Steps until the end: which questions, which learning rate, when to save, when to stop, what to remember."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from ttrl.config import RunConfig
from ttrl.consensus.summary import step_record
from ttrl.data.questions import epoch_order
from ttrl.engine.learner import Learner
from ttrl.engine.optimizer import rate_share
from ttrl.recording.results import GUARD_PREFIX
from ttrl.rl.algorithms.interface import Algorithm
from ttrl.seeding import derive_seed
from ttrl.training.further import VoteSource
from ttrl.training.guard import Decision, GuardState, decide
from ttrl.training.signals import BaseLogprobs, guard_signals
from ttrl.training.sources import Visit, VisitVotes, remember
from ttrl.training.step import ttrl_step
from ttrl.types import Question, RewardRule, Sampler, StepResult, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """All that a run has to remember besides weights and optimizer. No generator state: seeds are paths."""

    step: int = 0
    """Steps done."""
    silent_steps: int = 0
    """Steps in a row, up to now, without a gradient."""
    silence: str | None = None
    """Why the last step had none."""
    labels: dict[str, str | None] = field(default_factory=dict)
    """Last pseudo-label of each question."""
    visits: dict[str, list[Visit]] = field(default_factory=dict)
    """Votes of each question's last visits, the last one first; only kept where they are to vote again."""
    guard: dict[str, Any] = field(default_factory=dict)
    """What the guard remembers: `GuardState.to_json`, or nothing before the first step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReport:
    """The record of a step."""

    result: StepResult
    metrics: dict[str, float]
    votes: list[dict[str, Any]]
    progress: Progress
    decision: Decision | None = None
    """What the guard decided after the step, if anything."""


def report_of(
    result: StepResult, before: Progress, *, task: Task, with_visits: bool = False
) -> StepReport:
    """Puts together the metrics, the vote records and the progress after a step.

    Args:
        with_visits: whether its votes are to vote again.
    """
    record = step_record(
        result.scored, result.metrics, step=result.step, task=task, previous=before.labels
    )
    after = replace(
        before,
        step=result.step + 1,
        silent_steps=before.silent_steps + 1 if result.skipped else 0,
        silence=result.skipped,
        labels=before.labels | record.labels,
        visits=remember(before.visits, result.scored) if with_visits else before.visits,
    )
    return StepReport(
        result=result,
        metrics=record.metrics,
        votes=record.votes,
        progress=after,
    )


def end_of_silence(silent_steps: int, reason: str | None, config: RunConfig) -> str | None:
    """Says why a run ends after so many steps in a row without a gradient; None while it goes on.

    Args:
        reason: why the last of them had none.
    """
    if silent_steps < config.stop_after_silent_steps:
        return None
    return f"{silent_steps} steps in a row without a gradient, at last because {reason}"


def questions_of_step(
    questions: Sequence[Question], *, step: int, config: RunConfig
) -> list[Question]:
    """Takes a slice of the epoch's order, a function of (seed, epoch). Every question comes once an epoch.

    The last step of an epoch is smaller where the number of questions asks for it; none is dropped.
    """
    order, low, high = _slice(questions, step, config)
    return order[low:high]


def spare_questions(
    questions: Sequence[Question], *, step: int, config: RunConfig
) -> list[Question]:
    """Sorts all other questions by (seed, step), so that those of the next step do not come first."""
    order, low, high = _slice(questions, step, config)
    rest = order[:low] + order[high:]
    return sorted(rest, key=lambda q: derive_seed(config.seed, "spare", step, q.id))


def _slice(
    questions: Sequence[Question], step: int, config: RunConfig
) -> tuple[list[Question], int, int]:
    per_step = min(config.questions_per_step, len(questions))
    steps_per_epoch = -(-len(questions) // per_step)
    epoch, place = divmod(step, steps_per_epoch)
    order = epoch_order(questions, epoch=epoch, seed=config.seed)
    return order, place * per_step, (place + 1) * per_step


def train(
    questions: Sequence[Question],
    *,
    config: RunConfig,
    sampler: Sampler,
    learner: Learner,
    algorithm: Algorithm,
    task: Task,
    rule: RewardRule,
    progress: Progress,
    uninterrupted: AbstractContextManager[object],
    sources: Sequence[VoteSource] = (),
    base: BaseLogprobs | None = None,
) -> Generator[StepReport, None, None]:
    """Makes the steps from `progress` to the end, each when its report is asked for.

    Reports only come out: whoever compares a step with true labels does it where they go, and training
    has no way to them. Between two steps weights and progress agree: that is the place to save. From a
    step's first update until the next step is asked for, `uninterrupted` is entered.

    Args:
        sources: of further votes, beside the visits.
        base: the base's log-probabilities, for the guard; None where there are none at hand.
    """
    with_visits = "visits" in config.label_votes
    while reason_to_end(progress, config) is None:
        share = rate_share(
            progress.step,
            schedule=config.schedule,
            warmup_steps=config.warmup_steps,
            steps=config.steps,
        )
        with ExitStack() as until_recorded:
            result = ttrl_step(
                questions_of_step(questions, step=progress.step, config=config),
                spare=spare_questions(questions, step=progress.step, config=config)
                if config.refill_rounds
                else (),
                sampler=sampler,
                learner=learner,
                task=task,
                rule=rule,
                sources=(
                    [*sources, VisitVotes(progress.visits, decay=config.visit_decay)]
                    if with_visits
                    else sources
                ),
                algorithm=algorithm,
                config=config,
                step=progress.step,
                rate_share=share * GuardState.from_json(progress.guard).rate_share,
                before_update=partial(until_recorded.enter_context, uninterrupted),
            )
            if config.guard != "off":
                seen = guard_signals(
                    result.scored,
                    base=base,
                    sampler=sampler,
                    task=task,
                    config=config,
                    step=progress.step,
                )
                result = replace(result, metrics={**result.metrics, **seen})
            report = report_of(result, progress, task=task, with_visits=with_visits)
            report = guarded(report, config)
            progress = report.progress
            yield report


def guarded(report: StepReport, config: RunConfig) -> StepReport:
    """Lets the guard look at the metrics of a step; what it decides is part of the progress after it."""
    if config.guard == "off":
        return report
    before = GuardState.from_json(report.progress.guard)
    step = report.progress.step
    state, decision = decide(before, report.metrics, step=step, mode=config.guard)
    return replace(
        report,
        decision=decision,
        progress=replace(report.progress, guard=state.to_json()),
    )


def reason_to_end(progress: Progress, config: RunConfig) -> str | None:
    """Returns why a run ends here, or None while there is a step to make."""
    if (why := GuardState.from_json(progress.guard).stopped) is not None:
        return f"{GUARD_PREFIX}{why}"
    if progress.step >= config.steps:
        return "all steps done"
    return end_of_silence(progress.silent_steps, progress.silence, config)
