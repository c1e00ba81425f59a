"""What k completions would score, without bias, from the n >= k of a question that were drawn.

Both estimators are U-statistics: the exact mean over all C(n, k) ways to draw k of the n without
replacement. At k = n nothing is left to chance, and at k = 1 both are the share of correct ones.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from ttrl.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Polynomial = NDArray[np.float64]
    """Coefficient i stands for i completions drawn."""

_NEGLIGIBLE = 1e-17
"""Probability of a vote count that no sum in float64 would show."""


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


def maj_at_k(
    counts: Sequence[int], right: Collection[int], abstained: int, ks: Sequence[int]
) -> list[float]:
    """Probability that the vote of k completions elects a right class, without bias, for each k.

    Class c wins a draw with v votes if every class before it in `counts` has at most v - 1 and every
    class after it at most v. Given v, the other k - v completions are drawn from the rest, so the
    chance of that is a coefficient of a product of truncated polynomials, one per class, over the
    same coefficient of the whole product. Up to rounding (about 1e-12) it is the exact mean over
    all draws; at k = n it is exactly the vote itself.

    Args:
        counts: completions of each class, the classes in the order in which they win ties.
        right: indices of the right ones; more than one where answers differ in a unit left out.
        abstained: completions without an answer. They never win: a draw of them alone is wrong.

    Raises:
        ConfigError: a k that is not in 1..n, or a negative count.
    """
    n = sum(counts) + abstained
    if min([abstained, *counts]) < 0:
        raise ConfigError(f"maj@k: got the counts {list(counts)} and {abstained}, wanted none < 0.")
    for k in ks:
        if not 1 <= k <= n:
            raise ConfigError(f"maj@{k}: got {n} completions, wanted 1 <= k <= {n}. Change k.")
    found = []
    for k in ks:
        if k == n:
            standing = [c for c, count in enumerate(counts) if count]
            elected = min(standing, key=lambda c: (-counts[c], c), default=None)
            found.append(float(elected in right))
        else:
            chances = [_wins(counts, c, abstained, k, n) for c in sorted(right) if counts[c]]
            found.append(min(1.0, math.fsum(chances)))
    return found


def _wins(counts: Sequence[int], c: int, abstained: int, k: int, n: int) -> float:
    """Probability that class c wins a vote of k < n.

    Coefficients are those of binomial distributions at rate k / n: conditional on their sum, they
    give the same draws as C(n_j, i) do, and neither overflow nor vanish.
    """
    size, others = counts[c], n - counts[c]
    votes = np.arange(max(1, k - others), min(size, k) + 1)
    logs = _log_factorials(n)
    chance = np.exp(
        _log_ways(logs, size, votes) + _log_ways(logs, others, k - votes)
        - _log_ways(logs, n, np.array(k))
    )  # fmt: skip
    sure = 2 * votes > k  # the others have fewer altogether
    total = float(chance[sure].sum())
    rate = k / n
    whole = _binomial(others, rate)
    before, after = Counter(counts[:c]), Counter(counts[c + 1 :])
    at_most = np.cumsum(chance)
    for place in range(int((~sure).sum()) - 1, -1, -1):  # from the largest v that can still lose
        v = int(votes[place])
        if chance[place] < _NEGLIGIBLE:
            continue
        left = k - v
        factors, loose = [], abstained
        for sizes, cap in ((before, v - 1), (after, v)):
            for count, times in sizes.items():
                if count <= cap:
                    loose += count * times
                else:
                    factors.append(_power(_binomial(count, rate)[: cap + 1], times, left))
        factors.append(_binomial(loose, rate))
        wins = _coefficient(factors, left) / whole[left]
        total += float(chance[place]) * wins
        if wins * at_most[place] < _NEGLIGIBLE:  # with fewer votes it wins less often
            break
    return total


def _coefficient(factors: Sequence[Polynomial], degree: int) -> float:
    """Coefficient of a degree in a product; of the two largest factors only that one is made."""
    ranked = sorted(factors, key=len)
    last, product = ranked.pop(), np.ones(1)
    for factor in ranked:
        product = np.convolve(product, factor)[: degree + 1]
    low = max(0, degree - len(last) + 1)
    taken = product[low : degree + 1]
    return float(taken @ last[degree - low - np.arange(len(taken))])


def _power(polynomial: Polynomial, times: int, degree: int) -> Polynomial:
    """The power of a polynomial up to a degree, by squaring: a long tail holds many classes of one size."""
    if times == 1:
        return polynomial
    half = _power(polynomial, times // 2, degree)
    square = np.convolve(half, half)[: degree + 1]
    return np.convolve(square, polynomial)[: degree + 1] if times % 2 else square


@lru_cache(maxsize=4096)
def _binomial(n: int, rate: float) -> Polynomial:
    """Probabilities of 0..n under a binomial distribution with 0 < rate < 1."""
    places = np.arange(n + 1)
    logs = _log_ways(_log_factorials(n), n, places)
    shares: Polynomial = np.exp(logs + places * math.log(rate) + (n - places) * math.log1p(-rate))
    return shares


def _log_ways(logs: Polynomial, n: int, k: NDArray[np.int_]) -> Polynomial:
    ways: Polynomial = logs[n] - logs[k] - logs[n - k]
    return ways


@lru_cache(maxsize=4096)
def _log_factorials(n: int) -> Polynomial:
    """Natural logarithms of 0!, ..., n!"""
    return np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
