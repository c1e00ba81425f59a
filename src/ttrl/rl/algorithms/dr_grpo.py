"""Dr. GRPO: GRPO without its two biases."""

from __future__ import annotations

from typing import ClassVar

from ttrl.algorithm_settings import ALGORITHM_ROWS, AlgorithmRow
from ttrl.rl.algorithms.policy_gradient import GroupRelative


class DrGrpo(GroupRelative):
    """A_i = r_i - mean, and a loss divided by a constant.

    Without the standard deviation, questions on which nearly all agree weigh no more than others; with
    the constant denominator (completions times `max_tokens`), length has no influence.
    Source: arXiv:2503.20783, section 3.
    """

    __slots__ = ()
    row: ClassVar[AlgorithmRow] = ALGORITHM_ROWS["dr-grpo"]
