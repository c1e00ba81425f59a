"""Selective reward: a label only where the vote is clear, and a punishment for rare, unsure answers."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ttrl.consensus.rewards import vote_shares
from ttrl.types import Consensus, Group


def selective_rewards(
    group: Group,
    consensus: Consensus,
    *,
    share: float,
    margin: float,
    negative: float,
    entropy_weight: float,
) -> tuple[float, ...]:
    """Rewards by SCRL: selective positive and entropy-gated negative pseudo-labels.   [M]

    r_i by the answer a of completion i, with p(a) the share of all votes, H_a the mean entropy (nats per
    token) of the completions that answer a, H that of all that answer, and lambda = `entropy_weight`:

        p(a) - lambda (H_a - H)                  a elected, p(a) >= `share`, its lead > `margin`
        p(a) - `negative` - lambda (H_a - H)     else if p(a) < `negative` and H_a >= H
        -lambda (H_a - H)                        any other answer
        -1                                       no answer

    Source: SCRL (arXiv:2603.19880), continuous rewards; the config's defaults of `share`, `margin` and
    `negative` are the paper's, that of `entropy_weight` the published configuration's. Deviations: no answer
    is no class, so it cannot be the second; completions without recorded entropies (of a file) count as
    equally sure, so lambda has no effect and rare answers are punished by their share alone.
    """
    excess = _excess_entropy(consensus, [completion.entropy for completion in group.completions])
    clear = _is_clear(consensus, share=share, margin=margin)
    rewards = []
    for index, own in zip(consensus.class_of, vote_shares(consensus), strict=True):
        if index is None:
            rewards.append(-1.0)
            continue
        base = 0.0
        if clear and index == consensus.winner:
            base = own
        elif own < negative and excess[index] >= 0:
            base = own - negative
        rewards.append(base - entropy_weight * excess[index])
    return tuple(rewards)


def _is_clear(consensus: Consensus, *, share: float, margin: float) -> bool:
    if not consensus.counts:
        return False
    first, *others = consensus.shares
    second = max(others, default=0.0)
    return first >= share and first - second > margin


def _excess_entropy(
    consensus: Consensus, entropies: Sequence[Sequence[float]]
) -> tuple[float, ...]:
    """H_a - H per class; 0 without a completion in it, or everywhere if an entropy is missing.   [classes]"""
    members: list[list[float]] = [[] for _ in consensus.counts]
    for index, tokens in zip(consensus.class_of, entropies, strict=True):
        if index is not None:
            if not tokens:
                return (0.0,) * len(consensus.counts)
            members[index].append(math.fsum(tokens) / len(tokens))
    everyone = [value for values in members for value in values]
    if not everyone:
        return ()
    overall = math.fsum(everyone) / len(everyone)
    return tuple(math.fsum(values) / len(values) - overall if values else 0.0 for values in members)
