"""What a vote would teach on average if its voters were drawn again, and how little one draw can be trusted.

The reward of a plain vote rests on one draw. The completions that are trained on could have voted beside
other ones of the pool, and then another answer might have been elected.

Source: GMAE (arXiv:2609.36750). Its expectations are exact sums here, with neither sampled contexts nor an
enumeration of outcomes. Deviations: ties are split evenly (left open there); the pool is every vote that is
there, further votes (`FurtherVotes`) included, each counted once whatever it weighs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from ttrl.types import Consensus

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_NOISE = 1e-12
"""Chances nearer to 0 or 1 than this are 0 or 1: less than the rounding of the sums could decide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marginal:
    """The trained completions of a group over redrawn votes."""

    chances: tuple[float, ...]
    """p_i: probability that the answer of completion i is elected in a vote of K with it.   [K]"""
    advantages: tuple[float, ...]
    """A_i: its expected z-score, where each reward is 1 with its p; in [-sqrt(K - 1), sqrt(K - 1)].   [K]"""

    @property
    def unreliability(self) -> float:
        """Returns U = 1 - mean A_i^2, in [0, 1].

        It is the probability that all rewards of a draw are equal, plus half the expected squared distance
        between the z-scores of two draws. 1 where a vote teaches nothing, by unanimity too; 0 where every
        draw teaches the same.
        """
        squares = sum(advantage * advantage for advantage in self.advantages)
        return min(1.0, max(0.0, 1 - squares / max(1, len(self.advantages))))


def marginal(consensus: Consensus, kept: Sequence[int]) -> Marginal:
    """Computes chances and advantages of the trained completions, from all votes of an exact vote.

    p_i is the probability that the class of i is elected in {i} and K - 1 of the other votes, drawn without
    replacement; an abstention is drawn too, and elects nothing. With v_j = 1 with probability p_j,
    independently, and m and s their mean and population standard deviation,

        A_i = E[(v_i - m) / s],    0 where s = 0.

    They sum to 0, and are all 0 where all p_i are equal, as in a unanimous group. No label enters: it does
    not matter which answer was elected.

    Args:
        kept: indices of the K trained completions.

    >>> from ttrl.consensus.vote import elect
    >>> from ttrl.types import KeyedAnswers
    >>> consensus = elect(list("AABCABBA"), KeyedAnswers(keys=tuple("AABCABBA")), tie_seed=0)
    >>> [round(a, 4) for a in marginal(consensus, range(4)).advantages]
    [0.5203, 0.5203, 0.0756, -1.1163]
    """
    classes = [consensus.class_of[i] for i in kept]
    sizes = [0 if index is None else consensus.counts[index] for index in classes]
    votes = (tuple(sorted(consensus.counts, reverse=True)), consensus.abstained)
    found = by_size(*votes, tuple(sorted(Counter(sizes).items())))
    return Marginal(
        chances=tuple(found[size][0] for size in sizes),
        advantages=tuple(found[size][1] for size in sizes),
    )


def unreliability(consensus: Consensus, kept: Sequence[int]) -> float | None:
    """Returns U of a vote, see `Marginal.unreliability`, whatever becomes of its rewards.

    None where answers are similar and not equal, or where fewer than two completions are trained on.
    """
    if consensus.centrality is not None or len(kept) < 2:
        return None
    return marginal(consensus, kept).unreliability


@lru_cache(maxsize=4096)
def by_size(
    counts: tuple[int, ...], abstained: int, trained: tuple[tuple[int, int], ...]
) -> Mapping[int, tuple[float, float]]:
    """Returns chance and advantage by the size of a completion's class, 0 if it abstains.

    Args:
        counts: votes of each class, descending.
        trained: sizes of the classes of the trained completions, each with its number of completions.
    """
    drawn = sum(number for _, number in trained)
    chances = {0: 0.0, **_election_chances(counts, abstained, drawn)}
    of_chance: Counter[float] = Counter()
    for size, number in trained:
        of_chance[chances[size]] += number
    advantages = _expected_scores(of_chance)
    return {size: (chances[size], advantages[chances[size]]) for size, _ in trained}


def _election_chances(counts: tuple[int, ...], abstained: int, drawn: int) -> Mapping[int, float]:
    """Probability of the election in `drawn` votes, one of which is given, by the size of its class."""
    voters = sum(counts) + abstained
    if len(counts) <= 1 or drawn == 1:
        return dict.fromkeys(counts, 1.0)
    if drawn == voters:
        return {n: 1 / counts.count(n) if n == counts[0] else 0.0 for n in counts}
    return _redrawn(counts, abstained, drawn)


def _redrawn(counts: tuple[int, ...], abstained: int, drawn: int) -> Mapping[int, float]:
    """Does so by generating functions.

    Votes per class of a subset of fixed size are independent binomials, given their sum. A class is elected
    with h votes if no other has more, and shares with each that has as many, and

        1 / (1 + ties) = integral of u^ties over u from 0 to 1,

    so the chance is a coefficient of the product over the other classes n of

        sum over j < h of b(n, j) z^j + u b(n, h) z^h,    b the binomial probabilities.

    Coefficients come from values at roots of unity and integrals from Gauss-Legendre nodes, both exact for
    polynomials of these degrees.
    """
    import numpy as np  # exact votes need no numpy

    voters = sum(counts) + abstained
    sizes, numbers = zip(*sorted(Counter(counts).items(), reverse=True), strict=True)
    binomial = _binomials(voters, drawn)
    heights, nodes, shares = _rows(counts, abstained, drawn)
    # Roots confuse degrees that are so far apart; wanted is drawn - h of 0 .. voters - h.
    count = max(drawn, voters - drawn + 1)
    powers = _roots(count, sizes[0] + 2)
    terms = binomial[list(sizes), : sizes[0] + 2, None] * powers
    below = np.cumsum(terms, axis=1)
    factors = below[:, heights - 1] + nodes[:, None] * terms[:, heights]
    fewer = [_power(factor, number - 1) for factor, number in zip(factors, numbers, strict=True)]
    silent = _power(binomial[1, 0] + binomial[1, 1] * powers[1], abstained)
    before: list[NDArray[np.complex128] | float] = [silent]
    for factor, rest in zip(factors[:-1], fewer[:-1], strict=True):
        before.append(before[-1] * rest * factor)
    after = _picking(powers[1], drawn - heights, count)
    chances: dict[int, float] = {}
    for place in reversed(range(len(sizes))):
        ways = (after * before[place] * fewer[place]).sum(axis=1).real
        own = binomial[sizes[place] - 1, heights - 1]
        chance = float((shares * own * ways).sum() / binomial[voters - 1, drawn - 1])
        chances[sizes[place]] = 0.0 if chance < _NOISE else 1.0 if chance > 1 - _NOISE else chance
        after = after * fewer[place] * factors[place]
    return chances


def _rows(
    counts: tuple[int, ...], abstained: int, drawn: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Heights h that can win, with the nodes u of each and their weights.   [R], [R], [R]"""
    import numpy as np

    reachable = np.arange(1, min(counts[0], drawn) + 1)
    room = np.minimum(reachable[:, None], counts).sum(axis=1) + abstained
    ties = np.minimum((reachable[:, None] <= counts).sum(axis=1), drawn // reachable) - 1
    heights, nodes, shares = [], [], []
    # Where there is no room for all votes, some class has more than h.
    for height, most in zip(
        reachable[room >= drawn].tolist(), ties[room >= drawn].tolist(), strict=True
    ):
        u, weights = _nodes(most // 2 + 1)
        heights += [height] * len(u)
        nodes += u
        shares += weights
    return np.array(heights), np.array(nodes), np.array(shares)


@lru_cache(maxsize=64)
def _nodes(count: int) -> tuple[list[float], list[float]]:
    """Gauss-Legendre nodes on [0, 1] and their weights: exact for polynomials up to degree 2 count - 1."""
    from numpy.polynomial.legendre import leggauss

    nodes, weights = leggauss(count)
    return ((nodes + 1) / 2).tolist(), (weights / 2).tolist()


@lru_cache(maxsize=4)
def _binomials(voters: int, drawn: int) -> NDArray[np.float64]:
    """Probability of j of n votes, each drawn with (drawn - 1) / (voters - 1).   [voters, voters + 2]

    By addition alone, so every entry has full relative precision.
    """
    import numpy as np

    q = (drawn - 1) / (voters - 1)
    table = np.zeros((voters, voters + 2))
    table[0, 0] = 1
    for n in range(1, voters):
        table[n] = (1 - q) * table[n - 1]
        table[n, 1:] += q * table[n - 1, :-1]
    return table


@lru_cache(maxsize=64)
def _roots(count: int, powers: int) -> NDArray[np.complex128]:
    """Powers of the roots of unity in the upper half plane; the rest are conjugates.   [powers, roots]"""
    import numpy as np

    turns = np.arange(powers)[:, None] * np.arange(count // 2 + 1) % count
    roots: NDArray[np.complex128] = np.exp(2j * np.pi / count * turns)
    return roots


def _power(base: NDArray[np.complex128], exponent: int) -> NDArray[np.complex128] | float:
    """By squaring: numpy takes the power of complex numbers by logarithms. 1 for the exponent 0."""
    if exponent < 2:
        return base if exponent else 1.0
    half = _power(base * base, exponent // 2)
    return half * base if exponent % 2 else half


def _picking(
    roots: NDArray[np.complex128], degrees: NDArray[np.int64], count: int
) -> NDArray[np.complex128]:
    """Weights of values at half the roots; the real part of the sum is the coefficient.   [R, roots]"""
    import numpy as np

    weights = np.full(len(roots), 2 / count)
    weights[0] /= 2
    if count % 2 == 0:
        weights[-1] /= 2
    return weights * roots.conj() ** degrees[:, None]


def _expected_scores(trained: Mapping[float, int]) -> Mapping[float, float]:
    """E[(v_i - m) / s] by chance, of independent rewards v_j that are 1 with their chance and else 0.

    With D_k the probability that k of the other rewards are 1, and m = k / K, s = sqrt(m (1 - m)):

        A_i = sum over k = 1 .. K - 1 of p_i D_(k-1) (1 - m) / s - (1 - p_i) D_k m / s

    Args:
        trained: chances with their number of completions; K in all.
    """
    if len(trained) == 1:
        return dict.fromkeys(trained, 0.0)
    import numpy as np

    count = sum(trained.values())
    chances = np.array(list(trained))
    numbers = np.array(list(trained.values()))
    roots = np.exp(-2j * np.pi / count * np.arange(count // 2 + 1))
    one = (1 - chances[:, None]) + chances[:, None] * roots
    without = np.eye(len(chances), dtype=np.int64)
    # [chance, chance, roots]: all completions but one of the first chance, by the second
    others = (one ** (numbers - without)[:, :, None]).prod(axis=1)
    spread = np.fft.irfft(others, n=count, axis=1)
    share = np.arange(1, count) / count
    up, down = np.sqrt((1 - share) / share), np.sqrt(share / (1 - share))
    scores = chances * (spread[:, :-1] @ up) - (1 - chances) * (spread[:, 1:] @ down)
    return dict(zip(trained, scores.tolist(), strict=True))
