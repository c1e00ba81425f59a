"""Computes means, their uncertainty, and the fates of votes. The unit is the question, not the completion."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from ttrl.errors import ConfigError, DataError
from ttrl.interval import Interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CELLS_AT_A_TIME = 2_000_000
"""Resampled values that are drawn at once, which bounds the memory of a bootstrap."""


def mean(values: Sequence[float]) -> float:
    """Returns the mean; the result does not depend on the order of the values."""
    return math.fsum(values) / len(values)


def bootstrap_interval(
    per_question: Sequence[float], *, seed: int, confidence: float = 0.95, resamples: int = 2000
) -> tuple[float, float]:
    """Returns the percentile bootstrap interval of the mean over questions.

    Questions are drawn with replacement; quantiles interpolate linearly. The interval shows how much the
    mean would move with other questions of the same kind. With one question, or questions that all agree,
    its width is 0: read it together with the number of questions.

    Args:
        seed: equal seeds draw the same questions, so intervals of one evaluation are comparable.

    Raises:
        ConfigError: a confidence not between 0 and 1, or no resamples.
        DataError: no questions.
    """
    if not 0 < confidence < 1:
        raise ConfigError(f"confidence={confidence}: wanted a share between 0 and 1, such as 0.95.")
    if resamples < 1:
        raise ConfigError(f"resamples={resamples}: wanted at least 1, such as 2000.")
    means = resampled_means(per_question, seed=seed, resamples=resamples)
    return percentile_interval(means, confidence=confidence)


def mean_interval(per_question: Sequence[float], *, seed: int) -> Interval:
    """Returns the mean over questions with its 95 % bootstrap interval.

    Raises:
        DataError: no questions.
    """
    low, high = bootstrap_interval(per_question, seed=seed)
    return Interval(value=mean(per_question), low=low, high=high)


def resampled_means(
    per_question: Sequence[float] | NDArray[np.float64], *, seed: int, resamples: int = 2000
) -> NDArray[np.float64]:
    """Returns the means of resampled sets: as many questions as given, with replacement.   [resamples]

    Raises:
        DataError: no questions.
    """
    values = np.asarray(per_question, dtype=np.float64)
    if values.size == 0:
        raise DataError("bootstrap: got no questions, wanted at least 1. Evaluate some questions.")
    if np.all(values == values[0]):  # resampled means would differ in the last digit
        return np.full(resamples, values[0])
    rng = np.random.default_rng(seed)
    size = values.size
    rows = max(1, _CELLS_AT_A_TIME // size)
    return np.concatenate(
        [
            values[rng.integers(size, size=(min(rows, resamples - done), size))].mean(axis=1)
            for done in range(0, resamples, rows)
        ]
    )


def percentile_interval(
    means: NDArray[np.float64], *, confidence: float = 0.95
) -> tuple[float, float]:
    """Returns the bounds of the middle part of resampled values; quantiles interpolate linearly."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, (tail, 1 - tail))
    return float(low), float(high)


def difference_interval(
    before: Sequence[float],
    after: Sequence[float],
    *,
    seed: int,
    confidence: float = 0.95,
    resamples: int = 2000,
) -> tuple[float, float]:
    """Returns the percentile bootstrap interval of mean(after) - mean(before), paired by question.

    Both are values of the same questions in the same order. Pairing takes out how hard each
    question is, so this is narrower than what two separate intervals suggest.

    Raises:
        DataError: not the same number of questions.
    """
    if len(before) != len(after):
        raise DataError(
            f"paired difference: got {len(before)} questions before and {len(after)} after, "
            "wanted the same questions. Evaluate both on one set."
        )
    differences = [late - early for early, late in zip(before, after, strict=True)]
    return bootstrap_interval(differences, seed=seed, confidence=confidence, resamples=resamples)


Fate = Literal["gained", "kept", "lost", "never"]
"""A vote was wrong then right (gained), right twice (kept), right then wrong (lost) or wrong twice."""


def fate(before: bool, after: bool) -> Fate:
    """Returns the fate of a question, from whether its vote was right before and after."""
    if after:
        return "kept" if before else "gained"
    return "lost" if before else "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contingency:
    """The number of questions with each fate."""

    gained: int
    kept: int
    lost: int
    never: int

    @classmethod
    def of(cls, before: Sequence[bool], after: Sequence[bool]) -> Contingency:
        """Counts the fates of questions from two lists of votes, in the same order.

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
    """Tests "a question that changed was as likely gained as lost"; the exact two-sided p, 1 if none changed.

    This is the binomial test of gained out of gained + lost at 1/2. It holds for one pair of evaluations
    of distinct questions: for several seeds see `clustered_mcnemar_p`.
    Source: McNemar 1947 (Psychometrika 12, 153-157), in its exact form.
    """
    if gained + lost == 0:
        return 1.0
    from scipy.stats import binomtest

    return float(binomtest(gained, gained + lost).pvalue)


def clustered_mcnemar_p(differences: Sequence[Sequence[float]]) -> float:
    """Tests "no change on average" where each question was voted on under several seeds; two-sided p.

    It compares (sum_q d_q)^2 / sum_q d_q^2 with chi-square with 1 degree of freedom; d_q is the sum over
    seeds of after - before, and p is 1 if all d_q are 0. Answers to one question under several seeds are
    not independent, so pooling their counts in `mcnemar_p` would count one question several times. With
    one seed it is McNemar's test without continuity correction. The questions are a sample here and the
    seeds are not, so it does not say what other seeds would do. The chi-square distribution is a good
    approximation if about 20 questions or more change.
    Source: Obuchowski 1998 (Statistics in Medicine 17, 1495-1507).

    Args:
        differences: after - before of the votes, each of which is 1 or 0; rows are seeds.   [S, Q]

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
