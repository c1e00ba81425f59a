"""PPO's critic: the expected reward before each token, by a model of its own with a head of one number."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from ttrl.engine.fast.weights import base_of
from ttrl.engine.optimizer import MakeOptimizer
from ttrl.engine.token_model import TokenModel
from ttrl.engine.twin import load_weights, trained_weights
from ttrl.rl.batch import Batch
from ttrl.rl.losses import token_shares, value_loss
from ttrl.types import Completion, Metrics, TrainingSample


class Critic:
    """Values from the last hidden states; the head starts at 0, and so do all values.

    Args:
        tokens: the forward pass of a model that is not the policy (`ttrl.engine.twin`).
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
        """One update towards the samples' returns; the loss is a mean over tokens.

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
        """[N, C]"""
        edges = self._head(self._tokens.hidden(batch).float()).squeeze(-1)
        found: Tensor = edges[batch.paths] * batch.mask
        return found
