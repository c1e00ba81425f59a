"""GRPO: a completion against the mean and spread of its group."""

from __future__ import annotations

from typing import ClassVar

from ttrl.algorithm_settings import ALGORITHM_ROWS, AlgorithmRow
from ttrl.rl.algorithms.policy_gradient import GroupRelative


class Grpo(GroupRelative):
    """Group relative policy optimization, the paper's default.

    A_i = (r_i - mean) / std, PPO's clipped surrogate without a critic.
    Source: DeepSeekMath (arXiv:2402.03300), section 4.1.1, with the conventions of TTRL's script: the loss is
    averaged over tokens, not over completions first; the KL term is in the loss.
    """

    __slots__ = ()
    row: ClassVar[AlgorithmRow] = ALGORITHM_ROWS["grpo"]
