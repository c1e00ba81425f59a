"""An estimate with its interval: the one type for every value that has one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Direction = Literal["rose", "fell", "unclear"]


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
    """Runs behind the value. With one, the interval is over questions: it is about these weights only and
    says nothing of what another seed would give."""
    questions: int | None = None
    """Distinct questions behind the value, where that is known."""

    @property
    def bounds(self) -> tuple[float, float] | None:
        """(low, high), or None where no interval is known."""
        return None if self.low is None or self.high is None else (self.low, self.high)

    @property
    def over(self) -> Literal["questions", "questions and seeds"]:
        """What the interval generalises to."""
        return "questions" if self.seeds == 1 else "questions and seeds"

    @property
    def direction(self) -> Direction:
        """Of a change or a difference: 'rose' or 'fell' only where the interval leaves out 0."""
        if self.low is None or self.high is None or self.low <= 0 <= self.high:
            return "unclear"
        return "rose" if self.low > 0 else "fell"
