"""Whether a gain on the trained questions is a gain on others too, as a sentence.

It only words what is already computed, so it serves one run (intervals over questions) and several
(intervals over questions and seeds) alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ttrl.evaluate.report.text import points, signed
from ttrl.interval import Direction, Interval

Kind = Literal["memorised", "partly", "shared", "unclear"]
TONES: dict[Kind, Direction] = {
    "memorised": "fell",
    "partly": "unclear",
    "shared": "rose",
    "unclear": "unclear",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Memorisation:
    """The gain on the trained questions against that on others, which training never saw."""

    trained: Interval
    other: Interval
    difference: Interval
    """Gain on the trained questions minus that on the others."""
    metric: str
    """What gained: 'avg@16'."""
    other_questions: str
    """What the others are called, in the plural: 'held-out questions'."""

    @property
    def kind(self) -> Kind:
        """The verdict in one word; 'shared' means that the others gained too.

        Without a clear gain on the trained questions there is nothing to explain, so a difference
        that comes from a loss on the others counts as unclear.
        """
        apart, gained = _is_clear(self.difference), _is_clear(self.trained)
        if apart and gained:
            return "partly" if _is_clear(self.other) else "memorised"
        return "shared" if _is_clear(self.other) and not apart else "unclear"

    @property
    def tone(self) -> Direction:
        """'fell' if the gain looks memorised, 'rose' if there is no sign of it."""
        return TONES[self.kind]

    @property
    def sentence(self) -> str:
        """The verdict with the numbers that it rests on."""
        return (
            f"{self._claim()} Gains in {self.metric}: trained {points(self.trained)}, "
            f"{self.other_questions} {points(self.other)}, difference {points(self.difference)}; "
            f"intervals over {self.difference.over}."
        )

    @property
    def short_sentence(self) -> str:
        """As `sentence`, where both gains are said elsewhere."""
        claim = self._claim().removesuffix(".")
        return f"{claim} (difference of the gains {points(self.difference)})."

    def _claim(self) -> str:
        if self.kind == "unclear":
            return (
                f"Whether the gain is memorised cannot be told against the {self.other_questions} with "
                f"this many {self.difference.over}: {self._doubt()}."
            )
        part, whole = (
            signed(100 * each.value).removeprefix("+") for each in (self.difference, self.trained)
        )
        claims = {
            "memorised": "the gain is specific to the trained questions: it looks memorised",
            "partly": "part of the gain is specific to the trained questions "
            f"({part} of {whole} points)",
            "shared": "there is no sign of memorisation: they gained too, and the difference of the two "
            "gains is not clearly above 0",
        }
        return f"Against the {self.other_questions}, {claims[self.kind]}."

    def _doubt(self) -> str:
        if _is_clear(self.trained):
            return "the two gains may be equal, and that of the others may be 0"
        if _is_clear(self.difference):
            return "they fell behind, but no gain on the trained questions is clear"
        return "no gain is clear"


def _is_clear(gain: Interval) -> bool:
    """It is above 0, and so is its whole interval."""
    return gain.direction == "rose"
