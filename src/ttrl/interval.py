"""An estimate with its interval: the one type for every value that has one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Direction = Literal["rose", "fell", "unclear"]

FEWEST_QUESTIONS = 10
"""Below it, questions that agree by chance make a bootstrap interval far too narrow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A value and its 95 % confidence interval, in the unit of the value.

    Shares are fractions in [0, 1], their changes and differences lie in [-1, 1]. `low` and `high` are both
    None where no interval is known; such a value supports no claim.
    """

    value: float
    low: float | None = None
    high: float | None = None
    seeds: int = 1
    """Number of runs behind the value. With one, the interval is over questions: it is about these weights
    only and says nothing about another seed."""
    questions: int | None = None
    """Number of distinct questions behind the value, if known."""

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Returns (low, high), or None if no interval is known."""
        return None if self.low is None or self.high is None else (self.low, self.high)

    @property
    def over(self) -> Literal["questions", "questions and seeds"]:
        """Returns what the interval generalises over: questions, or questions and seeds."""
        return "questions" if self.seeds == 1 else "questions and seeds"

    @property
    def direction(self) -> Direction:
        """Returns the direction of a change: 'rose' or 'fell' if the interval excludes 0, else 'unclear'."""
        if self.low is None or self.high is None or self.low <= 0 <= self.high:
            return "unclear"
        return "rose" if self.low > 0 else "fell"

    @property
    def supported(self) -> Interval:
        """Returns the same without bounds if it is known that too few questions support a claim."""
        few = self.questions is not None and self.questions < FEWEST_QUESTIONS
        return replace(self, low=None, high=None) if few else self
