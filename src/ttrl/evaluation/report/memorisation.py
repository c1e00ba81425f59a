"""Says in a sentence whether a gain on the trained questions is also a gain on others.

It only words what is already computed, so it serves both one run (intervals over questions) and several
(intervals over questions and seeds).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ttrl.evaluation.report.text import points, signed
from ttrl.interval import Direction, Interval

Kind = Literal["memorised", "partly", "shared", "unclear"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Memorisation:
    """The verdict: in a word, and in sentences with and without both gains."""

    kind: Kind
    """'shared' means that the others gained too."""
    short_sentence: str
    sentence: str

    @property
    def tone(self) -> Direction:
        """Returns 'fell' if the gain looks memorised, 'rose' if there is no sign of it."""
        return (
            "fell" if self.kind == "memorised" else "rose" if self.kind == "shared" else "unclear"
        )


def memorisation(
    trained: Interval, other: Interval, difference: Interval, *, metric: str, others: str
) -> Memorisation:
    """Returns the gain on the trained questions against that on others, which training never saw.

    Without a clear gain on the trained questions there is nothing to explain, so a difference that comes
    from a loss on the others counts as unclear.

    Args:
        difference: gain on the trained questions minus that on the others.
        metric: what gained: 'avg@16'.
        others: what the others are called, in the plural: 'held-out questions'.
    """
    gained, shared, apart = (each.direction == "rose" for each in (trained, other, difference))
    kind: Kind = "shared" if shared and not apart else "unclear"
    if gained and apart:
        kind = "partly" if shared else "memorised"
    part, whole = (signed(100 * each.value).removeprefix("+") for each in (difference, trained))
    doubt = "no gain is clear"
    if gained:
        doubt = "the two gains may be equal, and that of the others may be 0"
    elif apart:
        doubt = "they fell behind, but no gain on the trained questions is clear"
    claim = {
        "memorised": f"Against the {others}, the gain is specific to the trained questions: it looks "
        "memorised",
        "partly": f"Against the {others}, part of the gain is specific to the trained questions ({part} of "
        f"{whole} points)",
        "shared": f"Against the {others}, there is no sign of memorisation: they gained too, and the "
        "difference of the two gains is not clearly above 0",
        "unclear": f"Whether the gain is memorised cannot be told against the {others} with this many "
        f"{difference.over}: {doubt}",
    }[kind]
    numbers = (
        f"Gains in {metric}: trained {points(trained)}, {others} {points(other)}, difference "
        f"{points(difference)}; intervals over {difference.over}."
    )
    return Memorisation(
        kind=kind,
        short_sentence=f"{claim} (difference of the gains {points(difference)}).",
        sentence=f"{claim}. {numbers}",
    )
