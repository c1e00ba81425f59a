"""How the votes on the same questions came out before and after: gained, kept, lost, never right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Contingency:
    """Counts of questions by whether the vote was right before and after."""

    gained: int
    """Wrong before, right after."""
    kept: int
    lost: int
    """Right before, wrong after."""
    never: int

    @classmethod
    def of(cls, before: Sequence[bool], after: Sequence[bool]) -> Contingency:
        """Counts pairs of the same questions in the same order."""
        pairs = list(zip(before, after, strict=True))
        return cls(
            gained=pairs.count((False, True)),
            kept=pairs.count((True, True)),
            lost=pairs.count((True, False)),
            never=pairs.count((False, False)),
        )


def mcnemar_p(gained: int, lost: int) -> float:
    """Two-sided exact McNemar test: were as many gained as lost but for chance? 1 if none changed.

    Source: McNemar 1947; exact binomial form, as scipy.stats.binomtest with p = 1/2.
    """
    if gained + lost == 0:
        return 1.0
    from scipy.stats import binomtest  # slow to import

    return float(binomtest(gained, gained + lost, 0.5).pvalue)
