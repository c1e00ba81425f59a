"""RLOO: a completion against the mean of the others."""

from __future__ import annotations

from typing import ClassVar

from ttrl.algorithm_settings import ALGORITHM_ROWS, AlgorithmRow
from ttrl.rl.algorithms.policy_gradient import GroupRelative


class Rloo(GroupRelative):
    """REINFORCE with a leave-one-out baseline.

    A_i = r_i - mean of the others; the completion is one action, so the ratio is that of its whole
    probability. Published without a ratio; clipped here, as TRL does, for several updates per step. In the
    first update the ratio is 1 and the gradient that of REINFORCE.
    Source: arXiv:2402.14740, section 3.2.
    """

    __slots__ = ()
    row: ClassVar[AlgorithmRow] = ALGORITHM_ROWS["rloo"]
