"""GRPO: a completion against the mean and spread of its group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from ttrl.algorithm_settings import ALGORITHM_ROWS, AlgorithmRow
from ttrl.rl.advantages import group_advantages
from ttrl.rl.algorithms.policy_gradient import GroupRelative


class Grpo(GroupRelative):
    """Group relative policy optimization, the paper's default.

    A_i = (r_i - mean) / std, PPO's clipped surrogate without a critic.
    Source: DeepSeekMath (arXiv:2402.03300), section 4.1.1, with the conventions of TTRL's script: the loss is
    averaged over tokens, not over completions first; the KL term is in the loss.
    """

    __slots__ = ()
    row: ClassVar[AlgorithmRow] = ALGORITHM_ROWS["grpo"]

    def compare(self, rewards: Sequence[float], weights: Sequence[float]) -> tuple[float, ...]:
        """Centres the rewards and divides them by their unbiased standard deviation."""
        return group_advantages(rewards, divide_by_std=True, weights=weights)
