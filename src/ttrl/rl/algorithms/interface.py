"""What a reinforcement-learning algorithm supplies, and what it may ask of the models."""

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
    """What the models say about the tokens of a batch.   [N, C]"""

    logprobs: Tensor
    """Of the policy, with gradient."""
    entropy: Tensor | None = None
    """Of the policy's distribution over the vocabulary, nats, with gradient; if asked for."""
    reference: Tensor | None = None
    """Log-probabilities under the base model; where an algorithm asks for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A micro-batch's part of the loss and the sums behind its metrics."""

    value: Tensor
    """Scalar; parts of one update add up to its loss."""
    sums: Mapping[str, Tensor] = field(default_factory=dict)
    """Metric -> sum over the tokens of all completions, each with its multiplicity."""


class Models(Protocol):
    """What can be asked about completions before an update. Nothing here has a gradient."""

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
    """From rewards to a loss. The consensus above does not change with it."""

    row: ClassVar[AlgorithmRow]
    """What sets it apart, the model that it needs beside the policy among it."""

    @property
    def needs_reference(self) -> bool:
        """Whether the base model is asked, here or in the loss."""
        ...

    @property
    def loss_aggregation(self) -> Aggregation:
        """How the losses of tokens become the loss of an update."""
        ...

    @property
    def wants_entropy(self) -> bool:
        """Whether the loss holds the policy's entropy."""
        ...

    @property
    def wants_reference(self) -> bool:
        """Whether the loss holds the reference's log-probabilities."""
        ...

    def nothing_to_learn(self, scored: Sequence[ScoredGroup]) -> str | None:
        """Returns why these groups can teach it nothing; None where they can."""
        ...

    def training_samples(
        self, scored: Sequence[ScoredGroup], models: Models
    ) -> tuple[list[TrainingSample], Metrics]:
        """Returns the distinct completions of the groups, in their order, with what the loss needs."""
        ...

    def prepare(
        self, mini_batch: list[TrainingSample], models: Models
    ) -> tuple[list[TrainingSample], Metrics]:
        """Is called before each update with its samples, for what depends on the weights of that moment."""
        ...

    def loss(self, batch: Batch, predictions: Predictions) -> Loss:
        """Returns the batch's part of the loss."""
        ...
