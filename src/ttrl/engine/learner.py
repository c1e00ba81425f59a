"""Combines the policy with the other models that an algorithm needs."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

from torch import Tensor
from transformers import PreTrainedModel

from ttrl.config import RunConfig
from ttrl.engine.companions import Critic, ImplicitReward, twin
from ttrl.engine.models import ModelSource, load_model
from ttrl.engine.optimizer import MasterAdamW
from ttrl.engine.policy import Policy
from ttrl.engine.token_model import TokenModel
from ttrl.rl.algorithms.interface import Algorithm, PerToken
from ttrl.types import Completion, Metrics, TrainingSample


class Learner:
    """The models as `ttrl.rl.algorithms` uses them. `make_learner` makes it."""

    def __init__(
        self,
        policy: Policy,
        *,
        learning_rate: float,
        reference: TokenModel | None = None,
        critic: Critic | None = None,
        implicit_reward: ImplicitReward | None = None,
    ) -> None:
        self.policy = policy
        self._learning_rate = learning_rate
        self._reference = reference
        self._critic = critic
        self._implicit_reward = implicit_reward
        self._rate_share = 1.0

    @property
    def model(self) -> PreTrainedModel:
        """Returns the model whose weights are the policy's."""
        return self.policy.model

    def begin_step(self, rate_share: float) -> None:
        """Sets the share of the peak learning rates, in [0, 1], for all updates until the next call."""
        self._rate_share = rate_share

    def update(self, samples: Sequence[TrainingSample], algorithm: Algorithm) -> Metrics:
        """Updates the policy and the critic, if any, once; returns metrics, empty if nothing moved.

        Raises:
            NumericsError: a loss or gradient that is not finite.
        """
        prepared, metrics = algorithm.prepare(list(samples), self)
        learning_rate = self._learning_rate * self._rate_share
        updated = self.policy.update(prepared, algorithm, learning_rate=learning_rate)
        if not updated:
            return {}
        if self._critic is not None:
            metrics = {**metrics, **self._critic.update(prepared, rate_share=self._rate_share)}
        return {"train/learning_rate": learning_rate, **metrics, **updated}

    def logprobs(self, completions: Sequence[Completion]) -> PerToken:
        """Returns the log-probability of each token under the policy as it is now."""
        return self.policy.logprobs(completions)

    def reference_logprobs(self, completions: Sequence[Completion]) -> PerToken:
        """Returns the log-probability of each token under the base model."""
        assert self._reference is not None
        return self._reference.of_each(completions, self._reference.logprobs)

    @property
    def base_logprobs(self) -> Callable[[Sequence[Completion]], PerToken] | None:
        """Returns what computes log-probabilities under the base model; None where there is none at hand."""
        return None if self._reference is None else self.reference_logprobs

    def values(self, completions: Sequence[Completion]) -> PerToken:
        """Returns the critic's value before each token."""
        assert self._critic is not None
        return self._critic.values(completions)

    def implicit_rewards(self, samples: Sequence[TrainingSample]) -> tuple[PerToken, Metrics]:
        """Updates the implicit reward model on the samples, then returns each token's implicit reward."""
        assert self._implicit_reward is not None
        return self._implicit_reward.learn(samples, rate_share=self._rate_share)

    def state(self) -> dict[str, dict[str, Tensor]]:
        """Returns all state but the policy's weights, by file name in a checkpoint."""
        state = {"optimizer": self.policy.optimizer.state()}
        for part in self._parts():
            state |= part.state()
        return state

    def load_state(self, tensors: dict[str, dict[str, Tensor]]) -> None:
        """Puts back what `state` gave.

        Raises:
            KeyError: state of another model or algorithm.
        """
        self.policy.optimizer.load_state(tensors["optimizer"])
        for part in self._parts():
            part.load_state(tensors)

    def _parts(self) -> list[Critic | ImplicitReward]:
        return [part for part in (self._critic, self._implicit_reward) if part is not None]


LARGEST_COPY = 50_000_000
"""Parameters of the largest model that is copied for the guard alone."""


def base_kept(
    model: PreTrainedModel, algorithm: Algorithm
) -> Literal["adapter", "reference", "copy"] | None:
    """Says where the guard finds the base: under the adapter, as the reference, or as a small copy.

    None for a large model whose every weight is trained by an algorithm without a reference.
    """
    if hasattr(model, "peft_config"):
        return "adapter"
    if algorithm.needs_reference:
        return "reference"
    small = sum(p.numel() for p in model.parameters()) <= LARGEST_COPY
    return "copy" if small else None


def make_learner(
    model: PreTrainedModel,
    algorithm: Algorithm,
    config: RunConfig,
    *,
    load_base: Callable[[], PreTrainedModel] | None = None,
    guarded: bool = False,
) -> Learner:
    """Makes the policy from `model`, and the other models that the algorithm needs.

    Args:
        load_base: the base model once more, for a reference; `model` as it is now, if left out. Not called
            where an adapter can be looked through or no reference is needed.
        guarded: whether the guard wants the base's log-probabilities too, where they are to be had.
    """

    def tokens(of: PreTrainedModel, *, without_adapter: bool = False) -> TokenModel:
        return TokenModel(
            of,
            temperature=config.temperature,
            token_budget=config.micro_batch_tokens,
            recompute=config.gradient_checkpointing,
            without_adapter=without_adapter,
        )

    adamw = partial(
        MasterAdamW,
        beta2=config.adam_beta2,
        weight_decay=config.weight_decay,
        clip_norm=config.clip_norm,
    )
    reference = critic = implicit_reward = None
    if algorithm.needs_reference or (guarded and base_kept(model, algorithm) is not None):
        adapted = hasattr(model, "peft_config")
        base = model if adapted else (load_base or partial(copy.deepcopy, model))()
        reference = tokens(base, without_adapter=adapted)
        if not adapted:
            base.requires_grad_(False)
    if companion := algorithm.row.companion:
        beside = tokens(twin(model))
        keys: dict[str, Any] = {a: getattr(algorithm, key) for a, key in companion.settings.items()}
        if companion.kind == "critic":
            critic = Critic(beside, adamw=adamw, **keys)
        else:
            assert reference is not None, "its row says that it needs one"
            implicit_reward = ImplicitReward(beside, reference, adamw=adamw, **keys)
    policy = Policy(
        tokens(model),
        optimizer=adamw(model.named_parameters()),
        reference=reference,
        longest=config.max_tokens,
    )
    return Learner(
        policy,
        learning_rate=config.learning_rate,
        reference=reference,
        critic=critic,
        implicit_reward=implicit_reward,
    )


def learner_from(
    source: ModelSource,
    model: PreTrainedModel,
    algorithm: Algorithm,
    config: RunConfig,
    *,
    guarded: bool = False,
) -> Learner:
    """Makes the learner of a run; its weights may already be trained.

    Args:
        source: where the base model is, which is loaded once more if a reference needs a copy of it.
        model: the policy.
        guarded: as for `make_learner`.

    Raises:
        ModelError: the base model cannot be loaded.
    """

    def load_base() -> PreTrainedModel:
        return load_model(source, dtype=config.dtype, device=model.device).model

    return make_learner(model, algorithm, config, load_base=load_base, guarded=guarded)
