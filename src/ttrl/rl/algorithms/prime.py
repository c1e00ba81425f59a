"""PRIME: a second model, trained on the consensus, says which tokens earned the reward."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from ttrl.algorithm_settings import ALGORITHM_ROWS, AlgorithmRow
from ttrl.rl.advantages import leave_one_out, rewards_to_go
from ttrl.rl.algorithms.interface import Models
from ttrl.rl.algorithms.policy_gradient import Groups, PolicyGradient
from ttrl.types import Metrics, TrainingSample


@dataclass(frozen=True, slots=True, kw_only=True)
class Prime(PolicyGradient):
    """Process reinforcement through implicit rewards.

    A model phi learns to tell agreeing from disagreeing completions by r_t = beta log(pi_phi / pi_ref), whose
    sum is the logit of agreement (`ttrl.engine.companions`). The advantage of a token is the sum of
    two leave-one-out estimates: of the implicit rewards from this token on, each against the mean implicit
    reward per token of the other completions, and of the completion's own reward.
    phi is updated before its rewards are used.
    Source: PRIME (arXiv:2502.01456), sections 3.2 and 3.3, algorithm 1; discount 1.
    """

    prime_beta: float
    prime_learning_rate: float

    row: ClassVar[AlgorithmRow] = ALGORITHM_ROWS["prime"]

    def credit(self, groups: Groups, models: Models) -> tuple[list[TrainingSample], Metrics]:
        """Gives each token the sum of its process and its outcome advantage."""
        everyone, metrics = models.implicit_rewards([s for group in groups for s in group.samples])
        remaining, found = iter(everyone), []
        for group in groups:
            implicit = [next(remaining) for _ in group.samples]
            outcomes = leave_one_out(group.rewards, group.weights)
            process = process_advantages(implicit, group.weights)
            for sample, tokens, outcome in zip(group.samples, process, outcomes, strict=True):
                found.append(replace(sample, advantages=tuple(a + outcome for a in tokens)))
        return found, metrics


def process_advantages(
    implicit: Sequence[Sequence[float]], weights: Sequence[float]
) -> list[tuple[float, ...]]:
    """Sums r_s less the mean of the other completions' mean r, over all s >= t.   [G][T]

    A completion alone in its group has nothing to be compared with and gets 0.
    """
    means = [math.fsum(rewards) / len(rewards) for rewards in implicit]
    count = math.fsum(weights)
    total = math.fsum(w * m for w, m in zip(weights, means, strict=True))
    if count < 2:
        return [(0.0,) * len(rewards) for rewards in implicit]
    return [
        rewards_to_go([r - (total - mean) / (count - 1) for r in rewards])
        for rewards, mean in zip(implicit, means, strict=True)
    ]
