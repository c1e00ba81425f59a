"""Tests whether more votes could still change the winner, to end the drawing for one question.

Nothing is assumed about the model. All M votes of a question are exchangeable, so the n drawn ones are a
random subset of them, and the probability of a false lead is a matter of counting.

Source: curtailed sampling; the winner is tested against the runner-up alone, as for multinomial counts in
Hung and Fithian (arXiv:1610.03944). Deviations: what is asked is who wins among the M votes, not which
answer is the most probable, so the tail is hypergeometric and sharper; one-sided, since only one answer
wins. Adaptive-Consistency (arXiv:2305.11860) asks a Beta posterior after every vote and does not correct
for looking often.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import comb


def rounds(first: int, votes: int) -> tuple[int, ...]:
    """Votes drawn at the end of each round: `first`, then doubled, up to all of them.

    >>> rounds(16, 64)
    (16, 32, 64)
    """
    sizes = [min(first, votes)]
    while sizes[-1] < votes:
        sizes.append(min(2 * sizes[-1], votes))
    return tuple(sizes)


def is_decided(counts: Sequence[int], *, remaining: int, level: float) -> bool:
    """Returns whether the lead over every rival, unseen ones included, has probability at most `level`.

    Another answer then wins among all votes with a probability of at most `level` per look: exact for two
    answers, whatever their shares. For more than two it is not proved; no way in which up to 18 votes can
    fall on up to six answers and abstentions was found to be worse than two equal answers (level below
    1/2). Several looks add up, so give each of them its part. A level of 0 waits until nothing is open.

    Args:
        counts: votes of each answer among those drawn, in any order; abstentions are not in it.
        remaining: votes to come.
    """
    first, second = sorted([*counts, 0, 0], reverse=True)[:2]
    return lead_by_chance(first, second, remaining=remaining) <= level


@lru_cache(maxsize=65_536)
def lead_by_chance(leader: int, rival: int, *, remaining: int) -> float:
    """Returns the largest probability of such a lead if the rival has no fewer votes in the end.

    Of the votes on either of the two, 2t among all M, the leader has t at most, and the m = leader + rival
    that are drawn are a random part of them. The lead is likeliest with t each and t as large as it can be:

        p = sum over x >= leader of C(t, x) C(t, m - x) / C(2t, m),    t = floor((m + remaining) / 2)

    for leader >= rival. It is 0 if the lead is larger than `remaining`. It grows with the rival's votes, so
    the runner-up decides, and an unseen answer is a rival without votes. Abstentions and other answers use
    up votes and nothing else.
    """
    drawn = leader + rival
    each = (drawn + remaining) // 2
    if leader > each:
        return 0.0
    ways = sum(comb(each, x) * comb(each, drawn - x) for x in range(leader, min(drawn, each) + 1))
    return ways / comb(2 * each, drawn)
