"""Equal completions of a question are one sample, with their number as its weight."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from ttrl.types import ScoredGroup, TrainingSample


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldedGroup:
    """The trained completions of one question, folded, beside the vote that they come from.

    S = distinct samples, which stand for K completions.
    """

    scored: ScoredGroup
    """The whole group: its consensus, all M rewards, and which K completions are trained on."""
    samples: tuple[TrainingSample, ...]
    """[S]"""

    @property
    def rewards(self) -> tuple[float, ...]:
        """Returns the reward of each sample, less the sum of its KL penalties.   [S]"""
        return tuple(sample.reward - math.fsum(sample.penalties) for sample in self.samples)

    @property
    def weights(self) -> tuple[float, ...]:
        """Returns the number of completions that each sample stands for; they sum to K.   [S]"""
        return tuple(sample.weight for sample in self.samples)

    @property
    def classes(self) -> tuple[int | None, ...]:
        """Returns the class of each sample's answer in the consensus; None abstains.   [S]"""
        completions, class_of = self.scored.group.completions, self.scored.consensus.class_of
        found = {completions[i].token_ids: class_of[i] for i in self.scored.kept}
        return tuple(found[sample.completion.token_ids] for sample in self.samples)


def fold(scored: ScoredGroup) -> list[TrainingSample]:
    """Returns the distinct (completion, reward) pairs that are trained on, in the order of first appearance.

    Equal completions share their log-probabilities, so one of them, weighted by their number, has exactly
    their summed gradient whatever the probability ratio. Rewards may differ (the random control).
    """
    first = {completion.token_ids: completion for completion, _ in reversed(scored.trained)}
    counts = Counter((completion.token_ids, reward) for completion, reward in scored.trained)
    return [
        TrainingSample(completion=first[ids], reward=reward, weight=float(count))
        for (ids, reward), count in counts.items()
    ]
