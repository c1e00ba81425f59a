"""PRIME's implicit reward model: log(pi_phi / pi_ref), trained to tell agreement from disagreement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from ttrl.engine.optimizer import MakeOptimizer
from ttrl.engine.token_model import TokenModel
from ttrl.engine.twin import load_weights, trained_weights
from ttrl.types import Metrics, TrainingSample


class ImplicitReward:
    """phi starts as the base model, so that all rewards start at 0.

    Args:
        tokens: the forward pass of phi (`ttrl.engine.twin`).
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
        """One update, then beta log(pi_phi / pi_ref) of each token.

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
