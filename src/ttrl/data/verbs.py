"""English verbs of gain and loss, in the third person and in the past.

Left out is what may be either (takes, trades, returns, shares) or changes nothing (puts, hides, counts).
"""

from __future__ import annotations

from typing import Literal, NamedTuple


class Verb(NamedTuple):
    """What a verb does to an amount that somebody has."""

    sign: Literal[1, -1]
    tense: Literal["present", "past"]


_GAINS = (
    "acquires acquired, bakes baked, borrows borrowed, builds built, buys bought, catches caught, "
    "collects collected, discovers discovered, earns earned, finds found, gains gained, gathers gathered, "
    "gets got, harvests harvested, makes made, obtains obtained, picks picked, produces produced, "
    "purchases purchased, receives received, wins won"
)
_LOSSES = (
    "breaks broke, burns burned, consumes consumed, discards discarded, donates donated, drinks drank, "
    "drops dropped, eats ate, gives gave, lends lent, loses lost, mails mailed, misplaces misplaced, "
    "pays paid, removes removed, sells sold, spends spent, throws threw, tosses tossed, uses used, "
    "wastes wasted"
)


def _verbs() -> dict[str, Verb]:
    found = {}
    for sign, pairs in ((1, _GAINS), (-1, _LOSSES)):
        for pair in pairs.split(", "):
            present, past = pair.split()
            found[present] = Verb(sign, "present")  # type: ignore[arg-type]
            found[past] = Verb(sign, "past")  # type: ignore[arg-type]
    return found


VERBS = _verbs()
"""Every verb form in lower case."""
PARTICLES = frozenset({"away", "up", "out"})
"""Words that may follow a verb and leave its direction: gives away, picks up, throws out."""
