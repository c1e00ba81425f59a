"""Estimators and their uncertainty. The unit of resampling is the question, not the completion."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ttrl.errors import ConfigError, DataError
from ttrl.seeding import derive_seed

_CELLS_AT_A_TIME = 2_000_000
"""Bounds the memory of a bootstrap over very many questions."""


def mean(values: Sequence[float]) -> float:
    """Sum / count, with a sum that does not depend on the order."""
    return math.fsum(values) / len(values)


def pass_at_k(n: int, correct: int, k: int) -> float:
    """Probability that at least one of k completions is correct, without bias, from n >= k of them.

    1 - C(n - c, k) / C(n, k), in exact integers. The plug-in estimate 1 - (1 - c/n)^k is too low.
    Source: Chen et al. 2021 (arXiv:2107.03374), section 2.1.

    Raises:
        ConfigError: not 1 <= k <= n, or not 0 <= correct <= n.
    """
    if not 1 <= k <= n:
        raise ConfigError(f"pass@{k}: got {n} completions, wanted 1 <= k <= {n}. Change k.")
    if not 0 <= correct <= n:
        raise ConfigError(f"pass@{k}: got {correct} correct of {n}, wanted a count in 0..{n}.")
    ways = math.comb(n, k)
    return (ways - math.comb(n - correct, k)) / ways


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
    tails = _tails(confidence)
    means = _resampled_means(per_question, seed=seed, resamples=resamples)
    low, high = np.quantile(means, tails)
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


def independent_difference_interval(
    first: Sequence[float],
    second: Sequence[float],
    *,
    seed: int,
    confidence: float = 0.95,
    resamples: int = 2000,
) -> tuple[float, float]:
    """Percentile bootstrap interval of mean(first) - mean(second), of different questions.

    Each list is resampled on its own, so the lists may have different lengths.

    Raises:
        ConfigError: a confidence not between 0 and 1, or no resamples.
        DataError: no questions in one of them.
    """
    means = [
        _resampled_means(values, seed=derive_seed(seed, name), resamples=resamples)
        for name, values in (("first", first), ("second", second))
    ]
    low, high = np.quantile(means[0] - means[1], _tails(confidence))
    return float(low), float(high)


def _resampled_means(
    per_question: Sequence[float], *, seed: int, resamples: int
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Means of questions drawn with replacement, one per resample.   [resamples]"""
    if resamples < 1:
        raise ConfigError(f"resamples={resamples}: wanted at least 1, such as 2000.")
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


def _tails(confidence: float) -> tuple[float, float]:
    if not 0 < confidence < 1:
        raise ConfigError(f"confidence={confidence}: wanted a share between 0 and 1, such as 0.95.")
    return (1 - confidence) / 2, (1 + confidence) / 2
