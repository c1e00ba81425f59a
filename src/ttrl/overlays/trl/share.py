"""Spreads the completions of a step over processes and updates in whole groups.

A vote over a part of a group would be silently wrong.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ttrl.config import RunConfig
from ttrl.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """The part of one step's completions that each process has."""

    questions: int
    """Questions of a step, on all processes together."""
    rows: int
    """Completions of a step that are trained on: whole groups."""
    rows_of_update: int


def share_of(config: RunConfig, *, questions: int, processes: int) -> Share:
    """Divides the completions of a step among the processes.

    Args:
        questions: how many there are to train on.

    Raises:
        ConfigError: the questions of a step, or the updates, do not divide evenly; the numbers that do are
            named.
    """
    per_step = min(config.questions_per_step, questions)
    k, updates = config.trained_per_question, config.updates_per_step
    if per_step % processes:
        fitting = _around(per_step, processes, largest=questions)
        if not fitting:
            raise ConfigError(
                f"{questions} questions for {processes} processes: each needs one at least, for the "
                f"completions of a question vote together. Start {_spelled(per_step)}."
            )
        raise ConfigError(
            f"questions_per_step={per_step} on {processes} processes: the completions of a question would be "
            "split over processes, and each part would vote on its own. Set questions_per_step to "
            f"{' or '.join(map(str, fitting))}, or start {_spelled(_divisor(per_step, processes))}."
        )
    rows = per_step // processes * k
    if rows % updates:
        raise ConfigError(
            f"updates_per_step={updates}: each process trains on {rows} completions in a step "
            f"({per_step // processes} questions x {k} completions), which that does not divide. "
            f"Set updates_per_step to {_divisor(rows, updates)}, or change trained_per_question."
        )
    return Share(questions=per_step, rows=rows, rows_of_update=rows // updates)


def check_whole_groups(*, per_device: int, steps_per_generation: int, num_generations: int) -> None:
    """Checks that a process's share of a generation batch is a multiple of the completions of a question.

    TRL itself asks this of the batch of all processes together, which may leave a group on two of them.

    Args:
        per_device: per_device_train_batch_size.
        num_generations: completions per question, K.

    Raises:
        ConfigError: groups would be split; the numbers that fit are named.
    """
    rows = per_device * steps_per_generation
    if rows % num_generations == 0:
        return
    steps = num_generations // math.gcd(per_device, num_generations)
    below, above = rows // num_generations, rows // num_generations + 1
    fitting = " or ".join(str(n * num_generations) for n in (below, above) if n)
    more = -(-steps_per_generation // steps) * steps
    divisors = [n for n in range(2, num_generations) if rows % n == 0]
    kept = f", or num_generations={divisors[-1]}" if divisors else ""
    raise ConfigError(
        f"per_device_train_batch_size={per_device} x steps_per_generation={steps_per_generation} = {rows} "
        f"completions on each process, and num_generations={num_generations} does not divide that: the "
        "completions of a question would be split over processes, and each part would vote on its own. Make "
        f"the product {fitting}: per_device_train_batch_size={per_device} with "
        f"steps_per_generation={more} fits (or gradient_accumulation_steps={more} where "
        f"steps_per_generation is not set){kept}."
    )


def check_whole_evaluations(*, per_device: int, num_generations: int) -> None:
    """Checks the same of a batch of TRL's own evaluation.

    Args:
        per_device: per_device_eval_batch_size.
        num_generations: num_generations_eval, or num_generations where that is not set.

    Raises:
        ConfigError: groups would be split; the numbers that fit are named.
    """
    if per_device % num_generations:
        fitting = -(-per_device // num_generations) * num_generations
        raise ConfigError(
            f"per_device_eval_batch_size={per_device} and {num_generations} completions of a question "
            "(num_generations_eval, else num_generations): those of a question would be split over processes "
            f"or batches, and each part would vote on its own. Set per_device_eval_batch_size={fitting}."
        )


def updates_of_step(config: RunConfig) -> int:
    """Returns the number of optimizer updates in a step, which TRL counts as its global steps."""
    return config.updates_per_step * config.passes_per_step


def _around(value: int, step: int, *, largest: int) -> list[int]:
    """The multiples of `step` next to a value, of those from `step` to `largest`."""
    low = value // step * step
    return [n for n in (low, low + step) if step <= n <= largest]


def _divisor(value: int, largest: int) -> int:
    """The largest divisor of a value that is not above `largest`."""
    return max(n for n in range(1, largest + 1) if value % n == 0)


def _spelled(processes: int) -> str:
    return f"{processes} process{'' if processes == 1 else 'es'}"
