"""Computes rewards, one function per rule; `ttrl.consensus.rules` gives the rules their names.

Rules with a file of their own: `confidence`, `selective`, and functions of the user's (`custom`).
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from ttrl.seeding import derive_seed
from ttrl.types import Consensus, Group

FLAT = 0.02
"""Standard deviation of a group's rewards under which their differences are taken for noise."""


def agreement_rewards(consensus: Consensus) -> tuple[float, ...]:
    """r_i = 1 if completion i is in the winning class, else 0; all 0 without a winner.   [M]

    Source: TTRL (arXiv:2504.16084), section 2 ("majority voting reward").
    """
    if consensus.winner is None:
        return (0.0,) * len(consensus.class_of)
    return tuple(float(index == consensus.winner) for index in consensus.class_of)


def vote_shares(consensus: Consensus) -> tuple[float, ...]:
    """r_i = votes of completion i's class / all votes, so no answer is singled out as the label.   [M]

    Votes count by their weights, further votes included. An abstention has no class and gets 0.

    Source: EMPO (arXiv:2504.05812), the reward by semantic cluster; the first term of TTRV
    (arXiv:2510.06783). Deviations: classes are canonical keys (EMPO clusters free text by a model), all
    questions are kept (EMPO drops those of very low or very high entropy), and the share is of all votes,
    abstentions included.
    """
    shares = consensus.shares
    return tuple(0.0 if index is None else shares[index] for index in consensus.class_of)


# Similarity: ROUGE for texts, AST similarity for code, equality where answers are equal or different. The
# consensus of texts and code is the medoid, the most central answer. An abstention is similar to nothing.
# Source: TTRL (arXiv:2504.16084), rewards by similarity for free-form answers.


def mean_similarity(consensus: Consensus) -> tuple[float, ...]:
    """r_i = mean over all other votes j of s(i, j), so no answer is privileged.   [M]

    Source: the utility of minimum Bayes risk decoding, see `ttrl.answers.similar.medoid`.
    """
    if consensus.centrality is not None:
        return consensus.centrality
    others = max(1.0, consensus.voters - 1)
    return tuple(
        0.0 if index is None else max(0.0, consensus.support[index] - 1) / others
        for index in consensus.class_of
    )


def similarity_to_label(consensus: Consensus) -> tuple[float, ...]:
    """r_i = s(i, medoid); the medoid itself always gets 1.   [M]"""
    return agreement_rewards(consensus) if consensus.to_label is None else consensus.to_label


def similar_enough(consensus: Consensus, *, threshold: float) -> tuple[float, ...]:
    """r_i = 1 if s(i, medoid) >= `threshold`, else 0: of the three the closest to a majority vote.   [M]"""
    return tuple(float(s >= threshold) for s in similarity_to_label(consensus))


def agreement(consensus: Consensus) -> tuple[float, ...]:
    """TTRL's reward for any task: r_i is 0 or 1 by majority, or a mean similarity of texts and code.   [M]"""
    if consensus.centrality is not None:
        return mean_similarity(consensus)
    return agreement_rewards(consensus)


def nearly_flat(consensus: Consensus, rewards: Sequence[float]) -> str | None:
    """Says why a group is left out if its rewards are nearly the same (see FLAT); None for any other.

    Divided by a tiny standard deviation, noise would become a gradient.
    """
    if len(rewards) > 1 and 0 < statistics.stdev(rewards) < FLAT:
        return f"similarities differ by a standard deviation under {FLAT}"
    return None


def nearly_flat_texts(consensus: Consensus, rewards: Sequence[float]) -> str | None:
    """Does the same, but only where rewards are similarities and not 0 or 1."""
    return None if consensus.centrality is None else nearly_flat(consensus, rewards)


# Controls, which know nothing of agreement. An honest study shows what these reach: on some models random
# rewards and rewards for the format alone raise accuracy nearly as much as true ones.
# Source: Spurious Rewards (arXiv:2506.10947).


def fair_coins(group: Group, consensus: Consensus, *, seed: int) -> tuple[float, ...]:
    """Tosses a fair coin for each completion: r_i is 0 or 1.   [M]

    It depends on the seed, the question, the place and all texts of the group, so it is tossed anew whenever
    a group is sampled anew, and falls the same way when a run is repeated.
    """
    seed = derive_seed(seed, "coin", group.question.id, *(c.text for c in group.completions))
    return tuple(float(derive_seed(seed, place) % 2) for place in range(len(group.completions)))


def answered(consensus: Consensus) -> tuple[float, ...]:
    """r_i = 1 for an answer that can be read, whatever it says, and 0 for abstaining.   [M]"""
    return tuple(float(index is not None) for index in consensus.class_of)
