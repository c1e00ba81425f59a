"""Majority reward: 1 for agreeing with the consensus, else 0."""

from __future__ import annotations

from dataclasses import dataclass

from ttrl.consensus.vote import vote_on_group
from ttrl.types import Consensus, Group, ScoredGroup, Task


def agreement_rewards(consensus: Consensus) -> tuple[float, ...]:
    """r_i = 1 if completion i is in the winning class, else 0; all 0 without a winner.   [G]"""
    if consensus.winner is None:
        return (0.0,) * len(consensus.class_of)
    return tuple(float(index == consensus.winner) for index in consensus.class_of)


@dataclass(frozen=True, slots=True, kw_only=True)
class MajorityReward:
    """TTRL's rule: 1 for agreeing with the majority, 0 for anything else.

    Source: arXiv:2504.16084, section 2 ("majority voting reward").
    """

    tie_seed: int

    def __call__(self, task: Task, group: Group) -> ScoredGroup:
        consensus = vote_on_group(task, group, tie_seed=self.tie_seed)
        return ScoredGroup(group=group, consensus=consensus, rewards=agreement_rewards(consensus))
