"""Advantages of the completions of one question against each other."""

from __future__ import annotations

import math
from collections.abc import Sequence


def group_advantages(
    rewards: Sequence[float], *, divide_by_std: bool, eps: float = 1e-6
) -> tuple[float, ...]:
    """A_i = (r_i - mean r) / (std r + eps).   [G]

    The standard deviation is the unbiased one (n - 1), as in verl. A group whose rewards are all equal
    has advantages of exactly 0. divide_by_std=False is Dr. GRPO (arXiv:2503.20783).
    Source: DeepSeekMath (arXiv:2402.03300), section 4.1.2.
    """
    count = len(rewards)
    if count < 2 or min(rewards) == max(rewards):
        return (0.0,) * count
    mean = math.fsum(rewards) / count
    centred = [reward - mean for reward in rewards]
    if not divide_by_std:
        return tuple(centred)
    std = math.sqrt(math.fsum(c * c for c in centred) / (count - 1))
    return tuple(c / (std + eps) for c in centred)
