"""Trains the model: gradients over micro-batches, one optimizer update, metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch
from transformers import PreTrainedModel

from ttrl.engine.optimizer import MasterAdamW
from ttrl.engine.token_model import TokenModel
from ttrl.rl.algorithms.interface import Algorithm, Predictions
from ttrl.rl.batch import Batch
from ttrl.rl.losses import token_shares
from ttrl.types import Completion, Metrics, TrainingSample


class Policy:
    """The model in training, which shares its weights with the sampler and owns the optimizer.

    Args:
        tokens: the model's forward pass.
        reference: that of the base model, where the algorithm needs one.
        longest: `max_tokens`, the constant denominator of losses that have one.
    """

    def __init__(
        self,
        tokens: TokenModel,
        *,
        optimizer: MasterAdamW,
        reference: TokenModel | None,
        longest: int,
    ) -> None:
        self.optimizer = optimizer
        self._tokens = tokens
        self._reference = reference
        self._longest = longest

    @property
    def model(self) -> PreTrainedModel:
        """Returns the model whose weights are trained."""
        return self._tokens.model

    def logprobs(self, completions: Sequence[Completion]) -> list[tuple[float, ...]]:
        """Returns the log-probability of each token under the current weights, without gradient."""
        return self._tokens.of_each(completions, self._tokens.logprobs)

    def update(
        self, samples: Sequence[TrainingSample], algorithm: Algorithm, *, learning_rate: float
    ) -> Metrics:
        """Makes one update on all samples and returns metrics; does nothing if no sample has a gradient.

        Raises:
            NumericsError: a loss or gradient that is not finite; the weights are as before.
        """
        shares = token_shares(samples, algorithm.loss_aggregation, longest=self._longest)
        # A KL term or an entropy bonus teaches from every token; a surrogate without advantage nothing.
        every = algorithm.wants_reference or algorithm.wants_entropy
        live = [i for i, s in enumerate(samples) if every or any(s.advantages)]
        if not live:
            return {}
        loss, gap, gap_max, tokens = 0.0, 0.0, 0.0, 0
        sums: Counter[str] = Counter()
        count = sum(samples[i].weight * len(samples[i].completion.token_ids) for i in live)
        for batch in self._tokens.batches([samples[i] for i in live], [shares[i] for i in live]):
            predictions = self._predictions(batch, algorithm)
            part = algorithm.loss(batch, predictions)
            part.value.backward()  # type: ignore[no-untyped-call]
            loss += part.value.item()
            sums.update({key: value.item() / count for key, value in part.sums.items()})
            apart = (predictions.logprobs.detach() - batch.sampler_logprobs).abs() * batch.mask
            gap += (apart * batch.counted).sum().item() / count
            gap_max = max(gap_max, apart.max().item())
            tokens += batch.input_ids.numel()
        norm = self.optimizer.update(loss, learning_rate)
        return {
            "train/loss": loss,
            "train/grad_norm": norm,
            "train/tokens": float(tokens),
            "train/samples": sum(samples[i].weight for i in live),
            "train/distinct_samples": float(len(live)),
            "train/sampler_gap": gap,
            "train/sampler_gap_max": gap_max,
            **sums,
        }

    def _predictions(self, batch: Batch, algorithm: Algorithm) -> Predictions:
        logprobs, entropy = (
            self._tokens.logprobs_and_entropy(batch)
            if algorithm.wants_entropy
            else (self._tokens.logprobs(batch), None)
        )
        reference = None
        if algorithm.wants_reference:
            assert self._reference is not None
            with torch.no_grad():
                reference = self._reference.logprobs(batch)
        return Predictions(logprobs=logprobs, entropy=entropy, reference=reference)
