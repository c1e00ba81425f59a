"""Before and after, question by question: what was gained, what was lost, and whether chance explains it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ttrl.errors import DataError

Fate = Literal["gained", "kept", "lost", "never"]
"""Wrong then right, right twice, right then wrong, wrong twice."""


def fate(before: bool, after: bool) -> Fate:
    """What became of a question whose vote was right or wrong before and after."""
    if after:
        return "kept" if before else "gained"
    return "lost" if before else "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contingency:
    """How many questions had each fate."""

    gained: int
    kept: int
    lost: int
    never: int

    @classmethod
    def of(cls, before: Sequence[bool], after: Sequence[bool]) -> Contingency:
        """Counts the fates of the same questions in the same order.

        Raises:
            DataError: not the same number of questions.
        """
        if len(before) != len(after):
            raise DataError(
                f"contingency: got {len(before)} questions before and {len(after)} after, wanted the "
                "same questions. Evaluate both on one set."
            )
        fates = [fate(early, late) for early, late in zip(before, after, strict=True)]
        return cls(
            gained=fates.count("gained"),
            kept=fates.count("kept"),
            lost=fates.count("lost"),
            never=fates.count("never"),
        )


def mcnemar_p(gained: int, lost: int) -> float:
    """Two-sided p of "a question that changed was as likely gained as lost", exact; 1 if none changed.

    The binomial test of gained out of gained + lost at 1/2. It speaks of one pair of evaluations of
    distinct questions: for several seeds see `clustered_mcnemar_p`.
    Source: McNemar 1947 (Psychometrika 12, 153-157), in its exact form.
    """
    if gained + lost == 0:
        return 1.0
    from scipy.stats import binomtest

    return float(binomtest(gained, gained + lost).pvalue)


def clustered_mcnemar_p(differences: Sequence[Sequence[float]]) -> float:
    """Two-sided p of "no change on average" where each question was voted on under several seeds.

    (sum_q d_q)^2 / sum_q d_q^2 against chi-square with 1 degree of freedom; d_q is the sum over seeds
    of after - before. Answers of one question under several seeds are not independent, so to pool
    their counts in `mcnemar_p` would take the same question for several. With one seed it is
    McNemar's test without continuity correction. The questions are a sample here and the seeds are
    not: it does not say what other seeds would do. About 20 questions have to change for the
    chi-square to hold. 1 if the d_q are all 0.
    Source: Obuchowski 1998 (Statistics in Medicine 17, 1495-1507).

    Args:
        differences: after - before of the votes, each 1 or 0; rows are seeds.   [S, Q]

    Raises:
        DataError: not one row per seed, equally long, with at least one question.
    """
    try:
        values = np.asarray(differences, dtype=np.float64)
    except ValueError:
        values = np.empty(0)
    if values.ndim != 2 or values.size == 0:
        raise DataError(
            "clustered McNemar: wanted one row of differences per seed over the same questions, at "
            f"least one of each, got {len(differences)} rows. Evaluate every seed on one set."
        )
    per_question = values.sum(axis=0)
    squares = float((per_question**2).sum())
    if squares == 0:
        return 1.0
    from scipy.special import chdtrc

    return float(chdtrc(1, float(per_question.sum()) ** 2 / squares))
