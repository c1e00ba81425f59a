"""Selective reward: a label only where the vote is clear, and a punishment for rare, unsure answers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ttrl.consensus.soft import vote_shares
from ttrl.consensus.vote import vote_on_group
from ttrl.types import Consensus, Group, ScoredGroup, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectiveReward:
    """SCRL: selective positive and entropy-gated negative pseudo-labels.

    r_i by the answer a of completion i, with p(a) the share of all votes, H_a the mean entropy (nats per
    token) of the completions that answer a, H that of all that answer, and lambda = `entropy_weight`:

        p(a) - lambda (H_a - H)                  a elected, p(a) >= `share`, its lead > `margin`
        p(a) - `negative` - lambda (H_a - H)     else if p(a) < `negative` and H_a >= H
        -lambda (H_a - H)                        any other answer
        -1                                       no answer

    Source: SCRL (arXiv:2603.19880), continuous rewards; defaults of `share`, `margin` and `negative` are
    the paper's, that of `entropy_weight` the published configuration's. Deviations: no answer is no class,
    so it cannot be the second; completions without recorded entropies (of a file) count as equally sure,
    so lambda has no effect and rare answers are punished by their share alone.
    """

    tie_seed: int
    share: float = 0.375
    margin: float = 0.125
    negative: float = 0.125
    entropy_weight: float = 0.1

    def __call__(self, task: Task, group: Group) -> ScoredGroup:
        consensus = vote_on_group(task, group, tie_seed=self.tie_seed)
        rewards = self.rewards(consensus, [c.entropy for c in group.completions])
        return ScoredGroup(group=group, consensus=consensus, rewards=rewards)

    def rewards(
        self, consensus: Consensus, entropies: Sequence[Sequence[float]]
    ) -> tuple[float, ...]:
        """The four cases above.   [G]

        Args:
            entropies: of each completion's tokens; empty where they were not recorded.   [G][T]
        """
        excess = _excess_entropy(consensus, entropies)
        positive = self._has_positive(consensus)
        rewards = []
        for index, share in zip(consensus.class_of, vote_shares(consensus), strict=True):
            if index is None:
                rewards.append(-1.0)
                continue
            base = 0.0
            if positive and index == consensus.winner:
                base = share
            elif share < self.negative and excess[index] >= 0:
                base = share - self.negative
            rewards.append(base - self.entropy_weight * excess[index])
        return tuple(rewards)

    def _has_positive(self, consensus: Consensus) -> bool:
        if not consensus.counts:
            return False
        votes = len(consensus.class_of)
        second = max(consensus.counts[1:], default=0) / votes
        first = consensus.counts[0] / votes
        return first >= self.share and first - second > self.margin


def _excess_entropy(
    consensus: Consensus, entropies: Sequence[Sequence[float]]
) -> tuple[float, ...]:
    """H_a - H per class; 0 everywhere if an entropy is missing.   [classes]"""
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
    return tuple(math.fsum(values) / len(values) - overall for values in members)
