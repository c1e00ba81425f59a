"""DPO, online: completions that agree are preferred to those of the same question that do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from ttrl.algorithm_settings import ALGORITHM_ROWS, AlgorithmRow
from ttrl.rl.algorithms.interface import Loss, Models, Predictions
from ttrl.rl.algorithms.policy_gradient import (
    completions_of,
    no_group_differs,
    with_advantage,
)
from ttrl.rl.batch import Batch
from ttrl.rl.folding import fold
from ttrl.rl.losses import Aggregation
from ttrl.types import Metrics, ScoredGroup, TrainingSample

DpoLoss = Literal["sigmoid", "sigmoid-norm", "ipo"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dpo:
    """Direct preference optimization on all pairs of one question whose rewards differ.

    The loss is the mean over the pairs of a question, then over questions. Its gradient with respect to a
    completion's log-probability is a number that the scores of its group determine; with those numbers
    as advantages, the gradient over tokens is exact in any micro-batches, and K completions make up to
    K^2 / 4 pairs at the cost of K. Scores are taken anew before each update; the reference is the base model.
    Source: DPO (arXiv:2305.18290), section 4; pairs sampled from the policy, as in arXiv:2402.04792.
    """

    dpo_beta: float
    dpo_loss: DpoLoss
    dpo_label_smoothing: float

    row: ClassVar[AlgorithmRow] = ALGORITHM_ROWS["dpo"]
    needs_reference: ClassVar[bool] = row.needs_reference
    loss_aggregation: ClassVar[Aggregation] = "sum"
    """The pairs have weighed the completions already."""
    wants_entropy: ClassVar[bool] = False
    wants_reference: ClassVar[bool] = False
    """The reference enters the scores of the pairs and not the loss over tokens."""

    def nothing_to_learn(self, scored: Sequence[ScoredGroup]) -> str | None:
        """Returns a reason unless two completions of one question have different rewards."""
        return no_group_differs(scored)

    def training_samples(
        self, scored: Sequence[ScoredGroup], models: Models
    ) -> tuple[list[TrainingSample], Metrics]:
        """Makes samples of the groups with two different rewards; the reference is their old policy."""
        samples = [sample for group in scored if group.differs for sample in fold(group)]
        references = models.reference_logprobs(completions_of(samples))
        return [
            replace(s, old_logprobs=reference)
            for s, reference in zip(samples, references, strict=True)
        ], {}

    def prepare(
        self, mini_batch: list[TrainingSample], models: Models
    ) -> tuple[list[TrainingSample], Metrics]:
        """Sets the advantages: minus the derivative of the loss by the completion's log-probability."""
        groups: dict[str, list[int]] = {}
        for place, sample in enumerate(mini_batch):
            groups.setdefault(sample.completion.question_id, []).append(place)
        scores = torch.tensor(
            [
                sum(own) - sum(sample.old_logprobs)
                for own, sample in zip(
                    models.logprobs(completions_of(mini_batch)), mini_batch, strict=True
                )
            ],
            dtype=torch.float64,
            requires_grad=True,
        )
        rewards = torch.tensor([s.reward for s in mini_batch], dtype=torch.float64)
        weights = torch.tensor([s.weight for s in mini_batch], dtype=torch.float64)
        lengths = torch.tensor([len(s.completion.token_ids) for s in mini_batch])
        losses, right = [], []
        for places in groups.values():
            won, lost = torch.nonzero(rewards[places, None] > rewards[None, places], as_tuple=True)
            if not len(won):  # what made the difference may have been left out: cut completions
                continue
            here = torch.tensor(places)
            won, lost = here[won], here[lost]
            pairs = weights[won] * weights[lost]
            loss = self.pair_losses(scores[won], scores[lost], lengths[won], lengths[lost])
            losses.append((loss * pairs).sum() / pairs.sum())
            apart = (scores[won] - scores[lost]).detach()
            # A tie is half right.
            right.append(((1 + apart.sign()) / 2 * pairs).sum() / pairs.sum())
        if not losses:
            return [], {}
        loss = torch.stack(losses).mean()
        (slopes,) = torch.autograd.grad(loss, scores)
        advantages = (-slopes / weights).tolist()
        samples = [with_advantage(s, a) for s, a in zip(mini_batch, advantages, strict=True)]
        accuracy = torch.stack(right).mean().item()
        return samples, {"train/dpo_loss": loss.item(), "train/dpo_accuracy": accuracy}

    def pair_losses(
        self, won: Tensor, lost: Tensor, won_length: Tensor, lost_length: Tensor
    ) -> Tensor:
        """Returns the losses of pairs, from log(pi / pi_ref) of the preferred completion and the other.   [P]

        sigmoid: -log sigmoid(beta (won - lost)); sigmoid-norm: each score divided by its length; ipo:
        (won / length - lost / length - 1 / (2 beta))^2 (arXiv:2310.12036, section 5.2, per token as TRL has
        it from the authors). Label smoothing e, for the sigmoid losses: (1 - e) of the loss plus e of the
        loss of the pair turned round (cDPO), for pseudo-labels are wrong with some probability.
        """
        if self.dpo_loss != "sigmoid":
            won, lost = won / won_length, lost / lost_length
        if self.dpo_loss == "ipo":
            return (won - lost - 1 / (2 * self.dpo_beta)).square()
        margin = self.dpo_beta * (won - lost)
        smoothing = self.dpo_label_smoothing
        return -(1 - smoothing) * logsigmoid(margin) - smoothing * logsigmoid(-margin)

    def loss(self, batch: Batch, predictions: Predictions) -> Loss:
        """Returns a loss that is linear in the log-probabilities, with the slope of the pairs' loss."""
        return Loss(value=-(predictions.logprobs * batch.advantages * batch.token_shares).sum())
