"""The choice of the votes that are trained on."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from ttrl.seeding import derive_seed

if TYPE_CHECKING:
    from ttrl.config import RunConfig

Choice = Literal["first", "random", "spread"]


def trained_subset(
    rewards: Sequence[float], config: RunConfig, *, step: int, question_id: str
) -> list[int]:
    """Returns the indices of the completions of a group that are trained on: K of the M votes, ascending."""
    return subset(
        rewards,
        config.trained_per_question,
        config.trained_choice,
        seed=derive_seed(config.seed, "keep", step, question_id),
    )


def subset(rewards: Sequence[float], count: int, choice: Choice, *, seed: int) -> list[int]:
    """Returns the indices of `count` completions, or of all if there are no more, ascending.

    first: of independent draws, as good as any. random: a function of the seed, for completions whose
    order means something. spread: the subset with the largest variance of rewards; of equal rewards
    the first come first.
    Source of `spread`: PODS (arXiv:2504.13818), section 3: it consists of the highest and lowest rewards.
    """
    everyone = range(len(rewards))
    if count >= len(rewards) or choice == "first":
        return list(everyone[:count])
    if choice == "random":
        return sorted(random.Random(seed).sample(everyone, count))
    low = sorted(everyone, key=lambda i: (rewards[i], i))
    high = sorted(everyone, key=lambda i: (-rewards[i], i))
    splits = []
    for top in range(count + 1):
        taken = set(high[:top])
        splits.append(high[:top] + [i for i in low if i not in taken][: count - top])
    return sorted(max(splits, key=lambda chosen: _variance([rewards[i] for i in chosen])))


def _variance(values: Sequence[float]) -> float:
    mean = math.fsum(values) / len(values)
    return math.fsum((value - mean) ** 2 for value in values)
