"""Implements what all algorithms but DPO share: a clipped surrogate over tokens, a KL term, an entropy bonus.

An algorithm is then its advantages and its row of `ttrl.algorithm_settings`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch

from ttrl.algorithm_settings import AlgorithmRow
from ttrl.rl.advantage_rules.interface import NOTHING_DIFFERS, AdvantageRule, differs
from ttrl.rl.algorithms.interface import Loss, Models, Predictions
from ttrl.rl.batch import Batch
from ttrl.rl.folding import FoldedGroup, fold
from ttrl.rl.losses import Aggregation, Estimator, clipped_surrogate, kl, log_ratios
from ttrl.types import Completion, Metrics, ScoredGroup, TrainingSample

Groups = list[FoldedGroup]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyGradient(ABC):
    """The shared part. The old policy of the ratio is the sampler, unless `importance_cap` is set."""

    clip_low: float
    clip_high: float
    dual_clip: float
    """0 leaves it out."""
    loss_aggregation: Aggregation
    kl_coefficient: float
    kl_estimator: Estimator
    kl_in: Literal["loss", "reward"]
    entropy_coefficient: float
    advantage_clip: float
    """Largest |A|; 0 leaves it out. At low consensus the few agreeing completions have a large one
    (arXiv:2508.11356)."""
    importance_cap: float
    """0 leaves it out. Else the old policy is the trainer's, and each token's loss is weighted with
    min(pi_old / pi_sampler, cap), of the token, or of its completion where that has the ratio: truncated
    importance sampling against a sampler that computes otherwise than the trainer."""

    row: ClassVar[AlgorithmRow]

    @property
    def needs_reference(self) -> bool:
        """Returns whether the base model is needed, by a KL term or by the algorithm itself."""
        return self.row.needs_reference or self.kl_coefficient > 0

    @property
    def wants_entropy(self) -> bool:
        """Returns whether there is an entropy bonus."""
        return self.entropy_coefficient > 0

    @property
    def wants_reference(self) -> bool:
        """Returns whether there is a KL term in the loss; one in the reward is computed before."""
        return self.kl_coefficient > 0 and self.kl_in == "loss"

    def nothing_to_learn(self, scored: Sequence[ScoredGroup]) -> str | None:
        """Returns a reason unless two of the completions that are compared have different rewards."""
        if self.row.compares == "question":
            return no_group_differs(scored)
        if (
            len({reward for group in scored if not group.skipped for _, reward in group.trained})
            > 1
        ):
            return None
        return "all rewards of the step are equal"

    @abstractmethod
    def credit(self, groups: Groups, models: Models) -> tuple[list[TrainingSample], Metrics]:
        """Returns the samples with the advantages of their tokens, in the order of the groups."""

    def counts(self, scored: ScoredGroup) -> bool:
        """Returns whether a group counts in the loss: all do except those the reward rule leaves out."""
        return not scored.skipped

    def training_samples(
        self, scored: Sequence[ScoredGroup], models: Models
    ) -> tuple[list[TrainingSample], Metrics]:
        """Makes samples of the groups: folds them, takes KL penalties off, gives credit and caps it."""
        groups = [
            FoldedGroup(scored=group, samples=tuple(fold(group)))
            for group in scored
            if self.counts(group)
        ]
        told: Metrics = {}
        if self.kl_coefficient and self.kl_in == "reward":
            groups, told = self._penalized(groups, models)
        samples, metrics = self.credit(groups, models)
        if self.advantage_clip:
            samples = [self._clipped(sample) for sample in samples]
        if self.importance_cap:
            samples = self._corrected(samples, models)
        return samples, {**metrics, **told}

    def prepare(
        self, mini_batch: list[TrainingSample], models: Models
    ) -> tuple[list[TrainingSample], Metrics]:
        """Returns the samples as they are: nothing in them depends on the weights between updates."""
        return mini_batch, {}

    def loss(self, batch: Batch, predictions: Predictions) -> Loss:
        """Returns the batch's part of the loss, with the sums for clip_fraction, kl and entropy."""
        log_ratio = log_ratios(
            predictions.logprobs, batch.old_logprobs, batch.mask, level=self.row.ratio
        )
        losses, clipped = clipped_surrogate(
            log_ratio, batch.advantages, low=self.clip_low, high=self.clip_high, dual=self.dual_clip
        )
        losses = losses * batch.importance
        sums = {"train/clip_fraction": (clipped * batch.counted).sum()}
        if predictions.reference is not None:
            divergence = kl(predictions.logprobs, predictions.reference, self.kl_estimator)
            losses = losses + self.kl_coefficient * divergence
            sums["train/kl"] = (divergence * batch.counted).sum().detach()
        if predictions.entropy is not None:
            losses = losses - self.entropy_coefficient * predictions.entropy
            sums["train/entropy"] = (predictions.entropy * batch.counted).sum().detach()
        return Loss(value=(losses * batch.token_shares).sum(), sums=sums)

    def _clipped(self, sample: TrainingSample) -> TrainingSample:
        most = self.advantage_clip
        return replace(
            sample, advantages=tuple(min(max(a, -most), most) for a in sample.advantages)
        )

    def _penalized(self, groups: Groups, models: Models) -> tuple[Groups, Metrics]:
        everyone = [sample for group in groups for sample in group.samples]
        references = iter(models.reference_logprobs(completions_of(everyone)))
        groups = [
            replace(g, samples=tuple(self._penalty(s, next(references)) for s in g.samples))
            for g in groups
        ]
        found = [sample for group in groups for sample in group.samples]
        tokens = math.fsum(s.weight * len(s.penalties) for s in found)
        total = math.fsum(s.weight * math.fsum(s.penalties) for s in found)
        return groups, {"train/kl": total / tokens / self.kl_coefficient if found else 0.0}

    def _penalty(self, sample: TrainingSample, reference: tuple[float, ...]) -> TrainingSample:
        own = torch.tensor(sample.completion.logprobs)
        divergence = kl(own, torch.tensor(reference), self.kl_estimator)
        return replace(sample, penalties=tuple((self.kl_coefficient * divergence).tolist()))

    def _corrected(self, samples: list[TrainingSample], models: Models) -> list[TrainingSample]:
        found = []
        for sample, old in zip(samples, models.logprobs(completions_of(samples)), strict=True):
            apart = [a - b for a, b in zip(old, sample.completion.logprobs, strict=True)]
            if self.row.whole_completion:  # the completion is one draw of the sampler: one weight
                apart = [math.fsum(apart)] * len(apart)
            weights = tuple(min(math.exp(min(d, 50.0)), self.importance_cap) for d in apart)
            found.append(replace(sample, old_logprobs=old, importance=weights))
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRelative(PolicyGradient):
    """Completions of a question are compared with each other: one advantage for all tokens of each."""

    advantage: AdvantageRule
    """How they are compared; the config names it."""

    def nothing_to_learn(self, scored: Sequence[ScoredGroup]) -> str | None:
        """Returns a reason unless the comparison of some group gives an advantage."""
        if any(self.counts(group) and self.advantage.teaches(group) for group in scored):
            return None
        return self.advantage.lacking

    def credit(self, groups: Groups, models: Models) -> tuple[list[TrainingSample], Metrics]:
        """Compares the completions of each group as the rule of the advantages says."""
        return [
            with_advantage(sample, advantage)
            for group, compared in zip(groups, self.advantage.compare(groups), strict=True)
            for sample, advantage in zip(group.samples, compared, strict=True)
        ], {}


def no_group_differs(scored: Sequence[ScoredGroup]) -> str | None:
    """Returns a reason unless some group has two different rewards."""
    return None if any(differs(group) for group in scored) else NOTHING_DIFFERS


def with_advantage(sample: TrainingSample, advantage: float) -> TrainingSample:
    """Returns the sample with one advantage for all its tokens."""
    return replace(sample, advantages=(advantage,) * len(sample.completion.token_ids))


def token_rewards(sample: TrainingSample) -> tuple[float, ...]:
    """Returns the reward of each token: the completion's on the last one, less each KL penalty.   [T]"""
    penalties = sample.penalties or (0.0,) * len(sample.completion.token_ids)
    rewards = [-penalty for penalty in penalties]
    rewards[-1] += sample.reward
    return tuple(rewards)


def completions_of(samples: Sequence[TrainingSample]) -> list[Completion]:
    """Returns the completion of each sample."""
    return [sample.completion for sample in samples]
