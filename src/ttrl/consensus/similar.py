"""Rewards in [0, 1] by similarity to the other answers, for texts and code that hardly ever are equal."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ttrl.consensus.vote import vote_on_group
from ttrl.types import Consensus, Group, ScoredGroup, Task

FLAT = 0.02
"""Standard deviation of a group's rewards under which their differences are taken for noise."""

Measure = Literal["similarity", "medoid", "threshold"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SimilarityReward:
    """Similarity to the consensus, where the consensus is the medoid: the most central answer.

        similarity   r_i = mean over all other votes j of s(i, j): no answer is privileged
        medoid       r_i = s(i, medoid): the medoid itself always gets 1
        threshold    r_i = 1 if s(i, medoid) >= `threshold`, else 0: closest to a majority vote

    s is ROUGE for text and AST similarity for code; for tasks with exact answers it is equality. An
    abstention is similar to nothing and gets 0. A group whose rewards are nearly the same (see FLAT) is
    skipped: divided by a tiny standard deviation, noise would become a gradient.

    Source: TTRL (arXiv:2504.16084), rewards by similarity for free-form answers; the leave-one-out mean is
    the utility of minimum Bayes risk decoding, see `ttrl.similarity.medoid`.
    """

    tie_seed: int
    measure: Measure = "similarity"
    threshold: float = 0.5

    def __call__(self, task: Task, group: Group) -> ScoredGroup:
        consensus = vote_on_group(task, group, tie_seed=self.tie_seed)
        rewards = self.rewards(consensus)
        skipped = None
        if (
            self.measure != "threshold"
            and len(rewards) > 1
            and 0 < statistics.stdev(rewards) < FLAT
        ):
            skipped = f"similarities differ by a standard deviation under {FLAT}"
        return ScoredGroup(group=group, consensus=consensus, rewards=rewards, skipped=skipped)

    def rewards(self, consensus: Consensus) -> tuple[float, ...]:
        """One of the three formulas.   [G]"""
        if self.measure == "similarity":
            return tuple(consensus.centrality or _equal_others(consensus))
        to_label = consensus.to_label or _equal_label(consensus)
        if self.measure == "medoid":
            return tuple(to_label)
        return tuple(float(s >= self.threshold) for s in to_label)


def _equal_others(consensus: Consensus) -> Sequence[float]:
    others = max(1, len(consensus.class_of) - 1)
    return [0.0 if k is None else (consensus.counts[k] - 1) / others for k in consensus.class_of]


def _equal_label(consensus: Consensus) -> Sequence[float]:
    return [float(k is not None and k == consensus.winner) for k in consensus.class_of]
