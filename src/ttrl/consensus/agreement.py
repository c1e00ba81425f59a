"""TTRL's reward for any task: agreement with the consensus."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ttrl.consensus.majority import agreement_rewards
from ttrl.consensus.similar import SimilarityReward
from ttrl.types import Group, ScoredGroup, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementReward:
    """1 or 0 by majority where answers are equal or different, mean similarity where they are similar.

    The default: `majority` for the tasks math, number, choice and label, `similarity` for text and code.
    Source: TTRL (arXiv:2504.16084), section 2.
    """

    tie_seed: int

    def __call__(self, task: Task, group: Group) -> ScoredGroup:
        scored = SimilarityReward(tie_seed=self.tie_seed)(task, group)
        if scored.consensus.centrality is not None:
            return scored
        return replace(scored, rewards=agreement_rewards(scored.consensus), skipped=None)
