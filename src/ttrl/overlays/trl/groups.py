"""Whether every process of a TRL run sees whole groups: a vote over a part of one would be silently wrong."""

from __future__ import annotations

import math

from ttrl.errors import ConfigError


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
