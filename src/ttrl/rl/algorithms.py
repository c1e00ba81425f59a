"""Algorithms by name: advantages and loss. The consensus above them does not change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from ttrl.rl.advantages import group_advantages
from ttrl.rl.batch import Batch
from ttrl.rl.losses import clipped_surrogate, kl_k3
from ttrl.types import ScoredGroup, TrainingSample


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A micro-batch's part of the loss and the sums behind its metrics."""

    value: Tensor
    """Scalar; parts of one update add up to its loss."""
    clipped: Tensor
    """Weight of the tokens whose ratio was clipped."""
    kl: Tensor
    """KL to the reference, nats per token, this micro-batch's part; 0 without a reference."""


class Algorithm(Protocol):
    """What a reinforcement-learning algorithm supplies."""

    @property
    def needs_reference(self) -> bool: ...

    def training_samples(self, scored: Sequence[ScoredGroup]) -> list[TrainingSample]:
        """Samples with a gradient, in the order of the groups."""
        ...

    def loss(self, batch: Batch, logprobs: Tensor, reference: Tensor | None) -> Loss:
        """The batch's part of the loss. logprobs, reference: [N, C]."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Grpo:
    """Group relative policy optimization.

    Source: DeepSeekMath (arXiv:2402.03300), equation in section 4.1.1, with the conventions of TTRL's
    script: loss averaged over tokens of the whole update (not per completion first), KL in the loss,
    unbiased standard deviation. The old policy is the sampler, whose log-probabilities are the ones
    recorded while sampling.
    """

    clip_ratio: float
    kl_coefficient: float
    divide_by_std: bool

    @property
    def needs_reference(self) -> bool:
        return self.kl_coefficient > 0

    def training_samples(self, scored: Sequence[ScoredGroup]) -> list[TrainingSample]:
        """Groups without variance or left out by the rule give nothing; identical completions are one.

        Identical completions share reward and log-probabilities, so one of them with their number as
        its weight has exactly their summed gradient, whatever the ratio.
        """
        samples = []
        for group in scored:
            advantages = group_advantages(group.rewards, divide_by_std=self.divide_by_std)
            if group.skipped or not any(advantages):
                continue
            completions = group.group.completions
            folded = Counter(zip((c.token_ids for c in completions), advantages, strict=True))
            first = {c.token_ids: c for c in reversed(completions)}
            samples += [
                TrainingSample(completion=first[ids], advantage=advantage, weight=float(count))
                for (ids, advantage), count in folded.items()
            ]
        return samples

    def loss(self, batch: Batch, logprobs: Tensor, reference: Tensor | None) -> Loss:
        surrogate, clipped = clipped_surrogate(
            logprobs, batch.old_logprobs, batch.advantages, clip_ratio=self.clip_ratio
        )
        value = (surrogate * batch.token_weights).sum()
        kl = value.new_zeros(())
        if reference is not None:
            kl = (kl_k3(logprobs, reference) * batch.token_weights).sum()
            value = value + self.kl_coefficient * kl
        return Loss(
            value=value, clipped=(clipped * batch.token_weights).sum().detach(), kl=kl.detach()
        )
