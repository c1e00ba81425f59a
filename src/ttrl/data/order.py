"""Orders the questions of an epoch as a function of (seed, epoch), so there is no state to save."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ttrl.seeding import derive_seed
from ttrl.types import Question


def epoch_order(questions: Sequence[Question], *, epoch: int, seed: int) -> list[Question]:
    """Returns the questions of an epoch in random order, by seed and id alone; each comes once."""
    return sorted(questions, key=lambda q: derive_seed(seed, "order", epoch, q.id))


def equal_steps(
    questions: Sequence[Question], *, per_step: int, seed: int
) -> Iterator[list[Question]]:
    """Yields endless steps of `per_step` different questions each, for engines with equal batches.

    Leftover questions open the next step. The next epoch fills that step, skipping questions already in it
    and visiting them later. Where epochs divide evenly, these are the native engine's steps.
    """
    waiting: list[Question] = []
    epoch = 0
    while True:
        step, waiting = waiting[:per_step], waiting[per_step:]
        if len(step) < per_step:
            held = {question.id for question in step}
            order = epoch_order(questions, epoch=epoch, seed=seed)
            epoch += 1
            taken = [question for question in order if question.id not in held]
            taken = taken[: per_step - len(step)]
            step += taken
            ids = {question.id for question in taken}
            waiting = [question for question in order if question.id not in ids]
        yield step
