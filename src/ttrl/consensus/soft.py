"""Soft vote: every answer earns the share of votes that it got."""

from __future__ import annotations

from dataclasses import dataclass

from ttrl.consensus.vote import vote_on_group
from ttrl.types import Consensus, Group, ScoredGroup, Task


def vote_shares(consensus: Consensus) -> tuple[float, ...]:
    """p_i = votes of completion i's class / all votes; 0 for an abstention.   [G]"""
    votes = len(consensus.class_of)
    return tuple(
        0.0 if index is None else consensus.counts[index] / votes for index in consensus.class_of
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftReward:
    """r_i = p(class of i), the empirical share of its answer: no answer is singled out as the label.

    Source: EMPO (arXiv:2504.05812), the reward by semantic cluster; the first term of TTRV
    (arXiv:2510.06783). Deviations: classes are canonical keys (EMPO clusters free text by a model), all
    questions are kept (EMPO drops those of very low or very high entropy), and the share is of all votes,
    abstentions included.
    """

    tie_seed: int

    def __call__(self, task: Task, group: Group) -> ScoredGroup:
        consensus = vote_on_group(task, group, tie_seed=self.tie_seed)
        return ScoredGroup(group=group, consensus=consensus, rewards=vote_shares(consensus))
