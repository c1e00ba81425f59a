"""Estimates without bias, from n completions, what k <= n of them would score.

Both estimators are U-statistics: the exact mean over all C(n, k) ways to draw k of the n without
replacement. At k = n nothing is left to chance, and at k = 1 both are the share of correct ones. As curves
over k they show what one more answer, or one more vote, is worth.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from ttrl.consensus.vote import tie_order
from ttrl.errors import ConfigError
from ttrl.evaluation.answer_key import Graded
from ttrl.evaluation.statistics import mean_interval
from ttrl.recording.evaluations import Curves

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Polynomial = NDArray[np.float64]
    """Coefficient i stands for i completions drawn."""

LARGEST_K = 16
"""The k of avg@k and pass@k, as published; with fewer completions it is their number."""
_NEGLIGIBLE = 1e-17
"""A probability too small to change a sum in float64."""


def pass_at_k(n: int, correct: int, k: int) -> float:
    """Estimates the probability that at least one of k completions is correct, from n >= k of them.

    It is 1 - C(n - c, k) / C(n, k), in exact integers, and has no bias; 1 - (1 - c/n)^k would be too low.
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
    """Estimates without bias, for each k, the probability that a vote of k completions elects a right class.

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


def curve_sizes(n: int) -> list[int]:
    """Returns 1, 2, 4, ... below n, and n."""
    return [1 << power for power in range((n - 1).bit_length())] + [n]


def curves(graded: Sequence[Graded], *, n: int, tie_seed: int, seed: int) -> Curves | None:
    """Returns pass@k and maj@k over k, estimated from n completions, with 95 % intervals over questions.

    Only labeled questions with exact answers count; None if there are none. At k = 1 both are avg@n, and
    at k = n maj@k is the one of the metrics.

    Args:
        n: the number of completions of each question.
        tie_seed: the seed that the vote breaks ties by.
        seed: the seed of the intervals.
    """
    exact = [(item, item.correct) for item in graded if item.correct is not None]
    if not exact:
        return None
    ks = curve_sizes(n)
    passes = [[pass_at_k(n, sum(correct), k) for k in ks] for _, correct in exact]
    votes = [_votes(item, ks, tie_seed=tie_seed) for item, _ in exact]
    series = [
        tuple(mean_interval(column, seed=seed) for column in zip(*rows, strict=True))
        for rows in (passes, votes)
    ]
    return Curves(ks=tuple(ks), passes=series[0], maj=series[1])


def _votes(item: Graded, ks: Sequence[int], *, tie_seed: int) -> list[float]:
    consensus = item.consensus
    if not item.right:
        return [0.0] * len(ks)
    order = tie_order(consensus.keys, question_id=item.group.question.id, tie_seed=tie_seed)
    counts = [consensus.counts[place] for place in order]
    right = [rank for rank, place in enumerate(order) if place in item.right]
    return maj_at_k(counts, right, consensus.abstained, ks)


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
    """Computes one coefficient of a product, and no other of its last and largest multiplication."""
    ranked = sorted(factors, key=len)
    last, product = ranked.pop(), np.ones(1)
    for factor in ranked:
        product = np.convolve(product, factor)[: degree + 1]
    low = max(0, degree - len(last) + 1)
    taken = product[low : degree + 1]
    return float(taken @ last[degree - low - np.arange(len(taken))])


def _power(polynomial: Polynomial, times: int, degree: int) -> Polynomial:
    """The power of a polynomial up to a degree, by squaring, since many classes may share one size."""
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
