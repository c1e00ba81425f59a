"""Steps until the end: which questions, which learning rate, when to save, when to stop."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import partial

from ttrl.config import RunConfig
from ttrl.data.order import epoch_order
from ttrl.engine.learner import Learner
from ttrl.engine.optimizer import rate_share
from ttrl.rl.algorithms.interface import Algorithm
from ttrl.seeding import derive_seed
from ttrl.train.progress import Progress, StepReport, end_of_silence, report_of
from ttrl.train.step import ttrl_step
from ttrl.types import Question, RewardRule, Sampler, Task


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
) -> Generator[StepReport, None, None]:
    """Makes the steps from `progress` to the end, each when its report is asked for.

    Reports only come out: whoever compares a step with true labels does it where they go, and training
    has no way to them. Between two steps weights and progress agree: that is the place to save. From a
    step's first update until the next step is asked for, `uninterrupted` is entered.
    """
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
                algorithm=algorithm,
                config=config,
                step=progress.step,
                rate_share=share,
                before_update=partial(until_recorded.enter_context, uninterrupted),
            )
            report = report_of(result, progress, task=task)
            progress = report.progress
            yield report


def reason_to_end(progress: Progress, config: RunConfig) -> str | None:
    """Returns why a run ends here, or None while there is a step to make."""
    if progress.step >= config.steps:
        return "all steps done"
    return end_of_silence(progress.silent_steps, progress.silence, config)
