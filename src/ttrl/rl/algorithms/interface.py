"""Defines what a reinforcement-learning algorithm supplies, and what it may ask of the models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from torch import Tensor

from ttrl.algorithm_settings import AlgorithmRow
from ttrl.rl.batch import Batch
from ttrl.rl.losses import Aggregation
from ttrl.types import Completion, Metrics, ScoredGroup, TrainingSample

PerToken = list[tuple[float, ...]]
"""One number per token of each completion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """The models' predictions for the tokens of a batch.   [N, C]"""

    logprobs: Tensor
    """Log-probabilities under the policy, with gradient."""
    entropy: Tensor | None = None
    """Entropy of the policy's distribution over the vocabulary, in nats, with gradient; if requested."""
    reference: Tensor | None = None
    """Log-probabilities under the base model; if requested."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A micro-batch's part of the loss and the sums behind its metrics."""

    value: Tensor
    """Scalar; parts of one update add up to its loss."""
    sums: Mapping[str, Tensor] = field(default_factory=dict)
    """Sums by metric, over the tokens of all completions, each with its multiplicity."""


class Models(Protocol):
    """Questions that an algorithm may ask the models before an update; no answer has a gradient."""

    def logprobs(self, completions: Sequence[Completion]) -> PerToken:
        """Returns log-probabilities under the policy as it is now, computed as updates compute them."""
        ...

    def reference_logprobs(self, completions: Sequence[Completion]) -> PerToken:
        """Returns log-probabilities under the base model."""
        ...

    def values(self, completions: Sequence[Completion]) -> PerToken:
        """Returns the critic's estimate of the reward to come, before each token."""
        ...

    def implicit_rewards(self, samples: Sequence[TrainingSample]) -> tuple[PerToken, Metrics]:
        """Returns each token's implicit reward, after one update of its model on the samples' rewards."""
        ...


class Algorithm(Protocol):
    """Turns rewards into a loss. The consensus does not depend on it."""

    row: ClassVar[AlgorithmRow]
    """The facts about the algorithm, including the model that it needs beside the policy."""

    @property
    def needs_reference(self) -> bool:
        """Returns whether the base model is needed, here or in the loss."""
        ...

    @property
    def loss_aggregation(self) -> Aggregation:
        """Returns how the losses of tokens are aggregated into the loss of an update."""
        ...

    @property
    def wants_entropy(self) -> bool:
        """Returns whether the loss contains the policy's entropy."""
        ...

    @property
    def wants_reference(self) -> bool:
        """Returns whether the loss contains the reference's log-probabilities."""
        ...

    def nothing_to_learn(self, scored: Sequence[ScoredGroup]) -> str | None:
        """Returns why nothing can be learned from these groups, or None."""
        ...

    def training_samples(
        self, scored: Sequence[ScoredGroup], models: Models
    ) -> tuple[list[TrainingSample], Metrics]:
        """Returns the distinct completions of the groups, in their order, with what the loss needs."""
        ...

    def prepare(
        self, mini_batch: list[TrainingSample], models: Models
    ) -> tuple[list[TrainingSample], Metrics]:
        """Prepares the samples before each update, for what depends on the current weights."""
        ...

    def loss(self, batch: Batch, predictions: Predictions) -> Loss:
        """Returns the batch's part of the loss."""
        ...
