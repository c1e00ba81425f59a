"""GSPO: the ratio of whole completions instead of tokens."""

from __future__ import annotations

from typing import ClassVar

from ttrl.algorithm_settings import ALGORITHM_ROWS, AlgorithmRow
from ttrl.rl.algorithms.grpo import Grpo


class Gspo(Grpo):
    """Group sequence policy optimization.

    s_i = (pi(y_i) / pi_old(y_i))^(1 / |y_i|) is clipped as one number, so its range is much narrower than a
    token's. Advantages are GRPO's; the loss is a mean over completions.
    Source: arXiv:2507.18071, section 4.1; clip range of its section 5.1.
    """

    __slots__ = ()
    row: ClassVar[AlgorithmRow] = ALGORITHM_ROWS["gspo"]
