"""DAPO: GRPO with a higher upper clip, a loss over tokens and only questions that teach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ttrl.algorithm_settings import ALGORITHM_ROWS, AlgorithmRow
from ttrl.rl.algorithms.grpo import Grpo
from ttrl.types import ScoredGroup


@dataclass(frozen=True, slots=True, kw_only=True)
class Dapo(Grpo):
    """Decoupled clip and dynamic sampling policy optimization.

    Questions whose rewards are all equal leave the loss, its denominator too. With `refill_rounds` others
    take their places, for so many rounds (`ttrl.training.step`); 0 unless asked for. The published method
    samples until the batch is full; where everybody agrees that would never end. Its soft punishment of
    overlong answers is not here: a cut answer abstains, which earns 0 already.
    Source: arXiv:2503.14476, sections 3.1 to 3.3.
    """

    refill_rounds: int

    row: ClassVar[AlgorithmRow] = ALGORITHM_ROWS["dapo"]

    def counts(self, scored: ScoredGroup) -> bool:
        """Returns whether a group has two different rewards; no other group counts."""
        return scored.differs
