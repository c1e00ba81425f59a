"""Trains the models beside the policy, which start from its weights: a critic, an implicit reward model."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from transformers import PreTrainedModel

from ttrl.engine.fast.weights import base_of
from ttrl.engine.optimizer import MakeOptimizer
from ttrl.engine.token_model import TokenModel
from ttrl.rl.batch import Batch
from ttrl.rl.losses import token_shares, value_loss
from ttrl.types import Completion, Metrics, TrainingSample


class Critic:
    """PPO's critic: a one-number head on the last hidden states predicts the reward before each token.

    The head starts at 0, and so do all values.

    Args:
        tokens: the forward pass of a `twin` of the policy.
        adamw: makes the optimizer of named weights.
        value_clip: how far values may move in one step; 0 leaves them free.
    """

    def __init__(
        self,
        tokens: TokenModel,
        *,
        adamw: MakeOptimizer,
        learning_rate: float,
        value_clip: float,
    ) -> None:
        self._tokens = tokens
        self._learning_rate = learning_rate
        self._value_clip = value_clip
        model: PreTrainedModel = tokens.model
        width = base_of(model).get_output_embeddings().weight.shape[1]  # of the last hidden states
        self._head = nn.Linear(width, 1, device=model.device, dtype=torch.float32)
        nn.init.zeros_(self._head.weight)
        nn.init.zeros_(self._head.bias)
        self._learned = nn.ModuleDict({"model": model, "value_head": self._head})
        self._optimizer = adamw(self._learned.named_parameters())

    def values(self, completions: Sequence[Completion]) -> list[tuple[float, ...]]:
        """Returns the expected reward before each token of each completion."""
        return self._tokens.of_each(completions, self._values)

    def update(self, samples: Sequence[TrainingSample], *, rate_share: float) -> Metrics:
        """Makes one update towards the samples' returns; the loss is a mean over tokens.

        Raises:
            NumericsError: a loss or gradient that is not finite; the weights are as before.
        """
        total = explained = spread = 0.0
        shares = token_shares(samples, "token-mean", longest=0)
        mean = sum(w * r for s, w in zip(samples, shares, strict=True) for r in s.returns)
        for batch in self._tokens.batches(samples, shares):
            values = self._values(batch)
            loss = (
                value_loss(values, batch.values, batch.returns, clip=self._value_clip)
                * batch.token_shares
            ).sum()
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.item()
            missed = (batch.returns - batch.values).square() * batch.token_shares
            explained += missed.sum().item()
            spread += ((batch.returns - mean).square() * batch.token_shares).sum().item()
        norm = self._optimizer.update(total, self._learning_rate * rate_share)
        return {
            "train/critic_loss": total,
            "train/critic_grad_norm": norm,
            "train/critic_explained": 1 - explained / spread if spread else 0.0,
        }

    def state(self) -> dict[str, dict[str, Tensor]]:
        """Returns the weights and the optimizer, by the names of their files in a checkpoint."""
        weights = trained_weights(self._learned)
        return {"critic": weights, "critic-optimizer": self._optimizer.state()}

    def load_state(self, tensors: dict[str, dict[str, Tensor]]) -> None:
        """Puts back what `state` gave.

        Raises:
            KeyError: state of another model.
        """
        load_weights(self._learned, tensors["critic"])
        self._optimizer.load_state(tensors["critic-optimizer"])

    def _values(self, batch: Batch) -> Tensor:
        """Returns the value before each token.   [N, C]"""
        edges = self._head(self._tokens.hidden(batch).float()).squeeze(-1)
        found: Tensor = edges[batch.paths] * batch.mask
        return found


class ImplicitReward:
    """PRIME's model phi, whose log(pi_phi / pi_ref) is trained to tell agreement from disagreement.

    It starts as the base model, so that all rewards start at 0.

    Args:
        tokens: the forward pass of phi, a `twin` of the policy.
        reference: that of the base model.
        adamw: makes the optimizer of named weights.
    """

    def __init__(
        self,
        tokens: TokenModel,
        reference: TokenModel,
        *,
        adamw: MakeOptimizer,
        beta: float,
        learning_rate: float,
    ) -> None:
        self._tokens = tokens
        self._reference = reference
        self._beta = beta
        self._learning_rate = learning_rate
        self._optimizer = adamw(tokens.model.named_parameters())

    def learn(
        self, samples: Sequence[TrainingSample], *, rate_share: float
    ) -> tuple[list[tuple[float, ...]], Metrics]:
        """Makes one update, then returns beta log(pi_phi / pi_ref) of each token.

        The loss is the cross-entropy between sigmoid(sum of a completion's rewards) and its reward by the
        consensus; rewards outside [0, 1] (of rules that punish) count as the nearer end.
        Source: PRIME (arXiv:2502.01456), equation of section 3.2.

        Raises:
            NumericsError: a loss or gradient that is not finite; the weights are as before.
        """
        completions = [sample.completion for sample in samples]
        base = self._reference.of_each(completions, self._reference.logprobs)
        metrics = self._update(
            [replace(s, old_logprobs=b) for s, b in zip(samples, base, strict=True)],
            learning_rate=self._learning_rate * rate_share,
        )
        own = self._tokens.of_each(completions, self._tokens.logprobs)
        rewards = [
            tuple(self._beta * (a - b) for a, b in zip(mine, other, strict=True))
            for mine, other in zip(own, base, strict=True)
        ]
        return rewards, metrics

    def _update(self, samples: Sequence[TrainingSample], *, learning_rate: float) -> Metrics:
        count = sum(s.weight for s in samples)
        total = right = 0.0
        for batch in self._tokens.batches(samples, [s.weight for s in samples]):
            scores = self._beta * (self._tokens.logprobs(batch) - batch.old_logprobs)
            logits = (scores * batch.mask).sum(dim=-1)
            weights = batch.counted[:, 0] / count
            targets = batch.rewards.clamp(0, 1)
            loss = binary_cross_entropy_with_logits(logits, targets, weights, reduction="sum")
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.item()
            right += (((logits > 0) == (targets > 0.5)) * weights).sum().item()
        norm = self._optimizer.update(total, learning_rate)
        return {
            "train/prime_loss": total,
            "train/prime_grad_norm": norm,
            "train/prime_accuracy": right,
        }

    def state(self) -> dict[str, dict[str, Tensor]]:
        """Returns the weights and the optimizer, by the names of their files in a checkpoint."""
        return {
            "implicit-reward": trained_weights(self._tokens.model),
            "implicit-reward-optimizer": self._optimizer.state(),
        }

    def load_state(self, tensors: dict[str, dict[str, Tensor]]) -> None:
        """Puts back what `state` gave.

        Raises:
            KeyError: state of another model.
        """
        load_weights(self._tokens.model, tensors["implicit-reward"])
        self._optimizer.load_state(tensors["implicit-reward-optimizer"])


def twin(model: PreTrainedModel) -> PreTrainedModel:
    """Copies a model. Trainable weights are its own; frozen ones (the base under an adapter) are shared."""
    shared = {id(p): p for p in model.parameters() if not p.requires_grad}
    made: PreTrainedModel = copy.deepcopy(model, shared)
    return made


def trained_weights(model: nn.Module) -> dict[str, Tensor]:
    """Returns the trainable weights by name: what a checkpoint has to hold of a twin."""
    return {
        name: p.detach().clone().contiguous()
        for name, p in model.named_parameters()
        if p.requires_grad
    }


def load_weights(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Puts back what `trained_weights` gave.

    Raises:
        KeyError: a tensor is missing.
    """
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            parameter.data.copy_(tensors[name])
