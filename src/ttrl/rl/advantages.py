"""Advantages: how much better a completion, or a token, was than expected.

Rewards come with weights, the number of equal completions that each stands for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def group_advantages(
    rewards: Sequence[float],
    *,
    divide_by_std: bool,
    weights: Sequence[float] | None = None,
    eps: float = 1e-6,
) -> tuple[float, ...]:
    """A_i = (r_i - mean r) / (std r + eps).   [G]

    The standard deviation is the unbiased one (n - 1), as in verl. Rewards that are all equal have
    advantages of exactly 0. divide_by_std=False is Dr. GRPO (arXiv:2503.20783).
    Source: DeepSeekMath (arXiv:2402.03300), section 4.1.2.
    """
    weights = weights or [1.0] * len(rewards)
    count = math.fsum(weights)
    if count < 2 or min(rewards) == max(rewards):
        return (0.0,) * len(rewards)
    mean = math.fsum(w * r for w, r in zip(weights, rewards, strict=True)) / count
    centred = [reward - mean for reward in rewards]
    if not divide_by_std:
        return tuple(centred)
    squares = math.fsum(w * c * c for w, c in zip(weights, centred, strict=True))
    std = math.sqrt(squares / (count - 1))
    return tuple(c / (std + eps) for c in centred)


def leave_one_out(
    rewards: Sequence[float], weights: Sequence[float] | None = None
) -> tuple[float, ...]:
    """A_i = r_i - mean of the other rewards of the group.   [G]

    Source: RLOO (arXiv:2402.14740), section 3.2; equal to n / (n - 1) (r_i - mean r).
    """
    count = math.fsum(weights or [1.0] * len(rewards))
    centred = group_advantages(rewards, divide_by_std=False, weights=weights)
    return tuple(c * count / (count - 1) if c else 0.0 for c in centred)


def rewards_to_go(rewards: Sequence[float]) -> tuple[float, ...]:
    """Sums the rewards of each token and all after it: returns without discount.   [T]"""
    total, found = 0.0, []
    for reward in reversed(rewards):
        total += reward
        found.append(total)
    return tuple(reversed(found))


def generalized_advantages(
    rewards: Sequence[float], values: Sequence[float], *, gae_lambda: float
) -> tuple[float, ...]:
    """A_t = sum over l >= 0 of lambda^l delta_(t+l), delta_t = r_t + V_(t+1) - V_t, no discount.   [T]

    The value after the last token is 0. lambda 1 gives rewards to go minus V_t.
    Source: GAE (arXiv:1506.02438), equation of section 3, with discount 1 as language models use it.
    """
    after, advantage, found = 0.0, 0.0, []
    for reward, value in zip(reversed(rewards), reversed(values), strict=True):
        advantage = reward + after - value + gae_lambda * advantage
        found.append(advantage)
        after = value
    return tuple(reversed(found))


def whitened(
    advantages: Sequence[Sequence[float]], weights: Sequence[float], *, eps: float = 1e-8
) -> list[tuple[float, ...]]:
    """Scales to mean 0 and variance 1 over all tokens of all completions, each with its weight.   [N][T]

    Advantages that are all equal become exactly 0.
    """
    pairs = list(zip(advantages, weights, strict=True))
    if min((min(a) for a in advantages), default=0) == max((max(a) for a in advantages), default=0):
        return [(0.0,) * len(a) for a in advantages]
    count = math.fsum(w * len(a) for a, w in pairs)
    mean = math.fsum(w * x for a, w in pairs for x in a) / count
    squares = math.fsum(w * (x - mean) ** 2 for a, w in pairs for x in a)
    scale = math.sqrt(squares / (count - 1)) + eps
    return [tuple((x - mean) / scale for x in a) for a in advantages]
