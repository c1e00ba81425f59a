"""Advantages that are a mean over all answers, each taken for the label as far as it is trusted."""

from __future__ import annotations

import math

from ttrl.rl.advantage_rules.interface import Advantages
from ttrl.rl.advantages import group_advantages
from ttrl.rl.folding import FoldedGroup
from ttrl.types import ScoredGroup

LACKING = "no group has two different answers, or a largest share below restrain_least"


def restrained(
    group: FoldedGroup, *, center: float, width: float, least: float, penalty: float
) -> Advantages:
    """A_i = sum over the answers m of w_m z_m,i over the trained completions.   [S]

    z_m,i is the normalized advantage if m is taken for the label (reward 1 for m, else 0), and

        w_m = g(p_m) / sum of g,    g(p) = exp(-(p - `center`)^2 / (2 `width`^2)),

    with p_m the share of answer m in all votes. Below the share `least` of the most frequent answer all
    completions get -`penalty` instead. The rewards do not enter.
    Source: RESTRAIN (arXiv:2510.02172), whose values of the four settings could not be found. Deviation: no
    weight of the question by the base's majority share, which would need votes of the base.
    """
    consensus = group.scored.consensus
    shares = consensus.shares
    if max(shares, default=0.0) < least or not shares:
        return (-penalty if least > 0 else 0.0,) * len(group.samples)
    # Less the smallest exponent, so that not all of them round to 0.
    exponents = [((p - center) / width) ** 2 / 2 for p in shares]
    trust = [math.exp(min(exponents) - e) for e in exponents]
    total = [0.0] * len(group.samples)
    for answer, g in enumerate(trust):
        rewards = [float(own == answer) for own in group.classes]
        z = group_advantages(rewards, divide_by_std=True, weights=group.weights)
        total = [a + g / math.fsum(trust) * b for a, b in zip(total, z, strict=True)]
    return tuple(total)


def has_answers_to_compare(scored: ScoredGroup, *, least: float) -> bool:
    """Returns whether a trained completion can have an advantage: answers differ, or all are punished."""
    if scored.skipped or not scored.kept:
        return False
    is_rare = least > 0 and max(scored.consensus.shares, default=0.0) < least
    return is_rare or len({scored.consensus.class_of[i] for i in scored.kept}) > 1
