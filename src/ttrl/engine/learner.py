"""The policy and the models that an algorithm needs beside it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import partial

from torch import Tensor
from transformers import PreTrainedModel

from ttrl.config import RunConfig
from ttrl.engine.critic import Critic
from ttrl.engine.implicit_reward import ImplicitReward
from ttrl.engine.optimizer import MasterAdamW
from ttrl.engine.policy import Policy
from ttrl.engine.token_model import TokenModel
from ttrl.engine.twin import twin
from ttrl.rl.algorithms.interface import Algorithm, PerToken
from ttrl.rl.algorithms.ppo import Ppo
from ttrl.rl.algorithms.prime import Prime
from ttrl.types import Completion, Metrics, TrainingSample


class Learner:
    """What `ttrl.rl.algorithms` calls the models; made by `make_learner`."""

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
        """The policy's weights."""
        return self.policy.model

    def begin_step(self, rate_share: float) -> None:
        """All updates until the next call are made at this share of their peak learning rates."""
        self._rate_share = rate_share

    def update(self, samples: Sequence[TrainingSample], algorithm: Algorithm) -> Metrics:
        """One update of the policy, and of the critic where there is one; no metrics if none was made.

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
        """Of the policy now."""
        return self.policy.logprobs(completions)

    def reference_logprobs(self, completions: Sequence[Completion]) -> PerToken:
        """Of the base model."""
        assert self._reference is not None
        return self._reference.of_each(completions, self._reference.logprobs)

    def values(self, completions: Sequence[Completion]) -> PerToken:
        """Of the critic."""
        assert self._critic is not None
        return self._critic.values(completions)

    def implicit_rewards(self, samples: Sequence[TrainingSample]) -> tuple[PerToken, Metrics]:
        """Of the implicit reward model, after an update on the samples."""
        assert self._implicit_reward is not None
        return self._implicit_reward.learn(samples, rate_share=self._rate_share)

    def state(self) -> dict[str, dict[str, Tensor]]:
        """All but the policy's weights, by the names of their files in a checkpoint."""
        state = {"optimizer": self.policy.optimizer.state()}
        for part in self._parts():
            state |= part.state()
        return state

    def load_state(self, tensors: dict[str, dict[str, Tensor]]) -> None:
        """The inverse of `state`.

        Raises:
            KeyError: state of another model or algorithm.
        """
        self.policy.optimizer.load_state(tensors["optimizer"])
        for part in self._parts():
            part.load_state(tensors)

    def _parts(self) -> list[Critic | ImplicitReward]:
        return [part for part in (self._critic, self._implicit_reward) if part is not None]


def make_learner(
    model: PreTrainedModel,
    algorithm: Algorithm,
    config: RunConfig,
    *,
    load_base: Callable[[], PreTrainedModel] | None = None,
) -> Learner:
    """The policy on `model`, and whatever the algorithm needs.

    Args:
        load_base: the base model once more, for a reference; `model` as it is now, if left out. Not called
            where an adapter can be looked through or no reference is needed.
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
    if algorithm.needs_reference:
        adapted = hasattr(model, "peft_config")
        base = model if adapted else (load_base or partial(copy.deepcopy, model))()
        reference = tokens(base, without_adapter=adapted)
        if not adapted:
            base.requires_grad_(False)
    if isinstance(algorithm, Ppo):
        critic = Critic(
            tokens(twin(model)),
            adamw=adamw,
            learning_rate=algorithm.critic_learning_rate,
            value_clip=algorithm.value_clip,
        )
    if isinstance(algorithm, Prime):
        assert reference is not None
        implicit_reward = ImplicitReward(
            tokens(twin(model)),
            reference,
            adamw=adamw,
            beta=algorithm.prime_beta,
            learning_rate=algorithm.prime_learning_rate,
        )
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
