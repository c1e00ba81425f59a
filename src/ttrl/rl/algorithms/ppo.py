"""PPO: a critic says what was to be expected."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from ttrl.algorithm_settings import ALGORITHM_ROWS, AlgorithmRow
from ttrl.rl.advantages import generalized_advantages, whitened
from ttrl.rl.algorithms.interface import Models
from ttrl.rl.algorithms.policy_gradient import (
    Groups,
    PolicyGradient,
    completions_of,
    token_rewards,
)
from ttrl.types import Metrics, TrainingSample


@dataclass(frozen=True, slots=True, kw_only=True)
class Ppo(PolicyGradient):
    """Proximal policy optimization.

    The reward stands on the last token of each completion; advantages are GAE's with the critic's values,
    whitened over all tokens of the step. The critic learns the returns A + V from the same samples
    (`ttrl.engine.companions`).
    Source: PPO (arXiv:1707.06347), section 3; GAE (arXiv:1506.02438), section 3; discount 1.
    """

    gae_lambda: float
    value_clip: float
    critic_learning_rate: float

    row: ClassVar[AlgorithmRow] = ALGORITHM_ROWS["ppo"]

    def credit(self, groups: Groups, models: Models) -> tuple[list[TrainingSample], Metrics]:
        """Gives each token its whitened GAE, with the value it came from and the return to learn."""
        samples = [sample for group in groups for sample in group.samples]
        values = models.values(completions_of(samples))
        raw = [
            generalized_advantages(token_rewards(s), v, gae_lambda=self.gae_lambda)
            for s, v in zip(samples, values, strict=True)
        ]
        advantages = whitened(raw, [sample.weight for sample in samples])
        return [
            replace(
                sample,
                advantages=white,
                values=value,
                returns=tuple(a + v for a, v in zip(own, value, strict=True)),
            )
            for sample, white, own, value in zip(samples, advantages, raw, values, strict=True)
        ], {}
