"""Means and their uncertainty. The unit of resampling is the question, not the completion."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ttrl.errors import ConfigError, DataError
from ttrl.interval import Interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CELLS_AT_A_TIME = 2_000_000
"""Bounds the memory of a bootstrap over very many questions."""


def mean(values: Sequence[float]) -> float:
    """Sum / count, with a sum that does not depend on the order."""
    return math.fsum(values) / len(values)


def bootstrap_interval(
    per_question: Sequence[float], *, seed: int, confidence: float = 0.95, resamples: int = 2000
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean over questions.

    Questions are drawn with replacement; quantiles interpolate linearly. It says how much the mean
    would move with other questions of the same kind. One question, or questions that all agree,
    give a width of 0 all the same: read it together with the number of questions.

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
    """The mean over questions with its 95 % bootstrap interval.

    Raises:
        DataError: no questions.
    """
    low, high = bootstrap_interval(per_question, seed=seed)
    return Interval(value=mean(per_question), low=low, high=high)


def resampled_means(
    per_question: Sequence[float] | NDArray[np.float64], *, seed: int, resamples: int = 2000
) -> NDArray[np.float64]:
    """Means over questions that are drawn with replacement, as many as there are.   [resamples]

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
    """The middle of resampled values; quantiles interpolate linearly."""
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
    """Percentile bootstrap interval of mean(after) - mean(before), paired by question.

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
