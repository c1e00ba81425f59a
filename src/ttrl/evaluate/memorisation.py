"""Says in a sentence whether a gain on the trained questions is also a gain on others.

It only words what is already computed, so it serves both one run (intervals over questions) and several
(intervals over seeds).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["memorised", "partly", "shared", "unclear"]

_NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """A change of a share, after minus before, with the bounds of its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def is_clear(self) -> bool:
        """Whether it is above 0 with its whole interval."""
        return self.low > 0

    def __str__(self) -> str:
        """Returns percentage points: '+20.5 points (95 % interval 17.9 to 23.1)'."""
        return f"{self._signed} ({self._interval})"

    @property
    def bracketed(self) -> str:
        """The same text in a form for use within brackets: '+20.5 points, 95 % interval 17.9 to 23.1'."""
        return f"{self._signed}, {self._interval}"

    @property
    def _signed(self) -> str:
        value = _points(self.value)
        return f"{'+' if self.value > 0 and float(value) > 0 else ''}{value} points"

    @property
    def _interval(self) -> str:
        space = _NO_BREAK_SPACE
        return f"95{space}% interval {_points(self.low)}{space}to{space}{_points(self.high)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Memorisation:
    """Compares the gain on the trained questions with that on others, which training never saw."""

    trained: Gain
    other: Gain
    difference: Gain
    """Gain on the trained questions minus that on the others."""
    metric: str
    """The metric of the gains: 'avg@16'."""
    other_questions: str
    """What the others are called, in the plural: 'held-out questions'."""
    over: str
    """What the intervals are over, in the plural: 'questions' or 'seeds'."""

    @property
    def kind(self) -> Kind:
        """The verdict in one word; 'shared' means that the others gained too.

        Without a clear gain on the trained questions there is nothing to explain, so a difference
        that comes from a loss on the others counts as unclear.
        """
        if self.difference.is_clear and self.trained.is_clear:
            return "partly" if self.other.is_clear else "memorised"
        if self.other.is_clear and not self.difference.is_clear:
            return "shared"
        return "unclear"

    @property
    def sentence(self) -> str:
        """The verdict with the numbers it rests on."""
        return f"{self._claim()} {self._numbers()}"

    @property
    def short_sentence(self) -> str:
        """The verdict without both gains, for a text that states them elsewhere."""
        claim = self._claim().removesuffix(".")
        return f"{claim} (difference of the gains {self.difference.bracketed})."

    def _claim(self) -> str:
        others = self.other_questions
        match self.kind:
            case "memorised":
                return (
                    f"Against the {others}, the gain is specific to the trained questions: "
                    "it looks memorised."
                )
            case "partly":
                return (
                    f"Against the {others}, part of the gain is specific to the trained questions "
                    f"({_points(self.difference.value)} of {_points(self.trained.value)} points)."
                )
            case "shared":
                return (
                    f"Against the {others}, there is no sign of memorisation: they gained too, and "
                    "the difference of the two gains is not clearly above 0."
                )
            case "unclear":
                return (
                    f"Whether the gain is memorised cannot be told against the {others} with this "
                    f"many {self.over}: {self._doubt()}."
                )

    def _doubt(self) -> str:
        if self.trained.is_clear:
            return "the two gains may be equal, and that of the others may be 0"
        if self.difference.is_clear:
            return "they fell behind, but no gain on the trained questions is clear"
        return "no gain is clear"

    def _numbers(self) -> str:
        return (
            f"Gains in {self.metric}: trained {self.trained}, {self.other_questions} {self.other}, "
            f"difference {self.difference}; intervals over {self.over}."
        )


def _points(share: float) -> str:
    """0.205 -> '20.5', with a real minus sign, and none before what rounds to 0."""
    text = f"{abs(100 * share):.1f}"
    return text if share >= 0 or float(text) == 0 else "\N{MINUS SIGN}" + text
