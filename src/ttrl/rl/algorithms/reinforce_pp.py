"""REINFORCE++: rewards against the whole batch."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from ttrl.algorithm_settings import ALGORITHM_ROWS, AlgorithmRow
from ttrl.rl.advantages import rewards_to_go, whitened
from ttrl.rl.algorithms.interface import Models
from ttrl.rl.algorithms.policy_gradient import Groups, PolicyGradient, token_rewards
from ttrl.types import Metrics, TrainingSample


class ReinforcePlusPlus(PolicyGradient):
    """The return of each token, normalised over all tokens of the step, without a baseline per question.

    Questions with high consensus are pushed up as a whole, others down, which a group baseline would not do.
    Source: arXiv:2501.03262, section 3; discount 1.
    """

    __slots__ = ()
    row: ClassVar[AlgorithmRow] = ALGORITHM_ROWS["reinforce++"]

    def credit(self, groups: Groups, models: Models) -> tuple[list[TrainingSample], Metrics]:
        """Gives each token its reward to go, whitened."""
        samples = [sample for group in groups for sample in group.samples]
        returns = [rewards_to_go(token_rewards(sample)) for sample in samples]
        advantages = whitened(returns, [sample.weight for sample in samples])
        return [replace(s, advantages=a) for s, a in zip(samples, advantages, strict=True)], {}
