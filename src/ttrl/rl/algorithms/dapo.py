"""DAPO: GRPO with a higher upper clip, a loss over tokens and only questions that teach."""

from __future__ import annotations

from dataclasses import dataclass

from ttrl.rl.algorithms.grpo import Grpo
from ttrl.rl.algorithms.policy_gradient import Groups


@dataclass(frozen=True, slots=True, kw_only=True)
class Dapo(Grpo):
    """Decoupled clip and dynamic sampling policy optimization.

    Questions whose rewards are all equal leave the loss, its denominator too, and are replaced by
    others for up to `refill_rounds` rounds (`ttrl.train.step`). The published method samples until the
    batch is full; where everybody agrees that would never end, hence the bound. Its soft punishment of
    overlong answers is not here: a cut answer abstains, which earns 0 already.
    Source: arXiv:2503.14476, sections 3.1 to 3.3.
    """

    refill_rounds: int

    def chosen(self, groups: Groups) -> Groups:
        """Those with two different rewards."""
        return [group for group in groups if len({sample.reward for sample in group}) > 1]
