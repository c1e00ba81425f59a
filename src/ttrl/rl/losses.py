"""Losses per token, and how they become the loss of an update."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from ttrl.algorithm_settings import Ratio
from ttrl.types import TrainingSample

Aggregation = Literal["token-mean", "sequence-mean", "constant", "sum"]
Estimator = Literal["k1", "k2", "k3"]


def log_ratios(logprobs: Tensor, old: Tensor, mask: Tensor, level: Ratio) -> Tensor:
    """Returns log(pi / pi_old) of each token, or of its whole completion.   [N, C]

    sequence-sum is that of the completion's probability, sequence-mean that of its geometric mean over
    tokens (GSPO, arXiv:2507.18071, section 4.1).
    """
    ratios = (logprobs - old) * mask
    if level == "token":
        return ratios
    total = ratios.sum(dim=-1, keepdim=True)
    if level == "sequence-mean":
        total = total / mask.sum(dim=-1, keepdim=True)
    return total.expand_as(ratios)


def clipped_surrogate(
    log_ratio: Tensor, advantages: Tensor, *, low: float, high: float, dual: float = 0.0
) -> tuple[Tensor, Tensor]:
    """-min(rho A, clip(rho, 1 - low, 1 + high) A), and whether it was clipped.   [N, C]

    dual > 1 keeps the loss of tokens with A < 0 at most dual |A|, however large the ratio. rho is cut to
    e^20, so that exp and its gradient stay finite.
    Source: PPO (arXiv:1707.06347), section 3; high > low is DAPO's clip-higher (arXiv:2503.14476); dual
    clip is arXiv:1912.09729, section 3.2.
    """
    ratio = torch.exp(log_ratio.clamp(max=20.0))
    free = ratio * advantages
    bounded = ratio.clamp(1 - low, 1 + high) * advantages
    lower = torch.minimum(free, bounded)
    clipped = bounded < free
    if dual > 1:
        floor = dual * advantages
        cut = (advantages < 0) & (lower < floor)
        lower, clipped = torch.where(cut, floor, lower), clipped | cut
    return -lower, clipped


def value_loss(values: Tensor, old_values: Tensor, returns: Tensor, *, clip: float) -> Tensor:
    """1/2 max((V - R)^2, (clip(V, V_old - c, V_old + c) - R)^2), or 1/2 (V - R)^2 with clip 0.   [N, C]

    Source: the value loss of OpenAI's PPO (baselines, ppo2), which verl shares.
    """
    loss = (values - returns).square()
    if clip > 0:
        near = old_values + (values - old_values).clamp(-clip, clip)
        loss = torch.maximum(loss, (near - returns).square())
    return loss / 2


def kl(logprobs: Tensor, reference: Tensor, estimator: Estimator) -> Tensor:
    """Estimates KL(pi || pi_ref) at each token drawn from pi.   [...]

    With d = log pi_ref - log pi: k1 = -d, k2 = d^2 / 2, k3 = exp(d) - d - 1. All three estimate the
    divergence; as a loss their gradients differ: that of k1 is zero on average, that of k2 is the gradient of
    the divergence, and that of k3 the gradient of the reverse divergence. k3 is never negative and
    unbiased; verl calls it `low_var_kl` and also cuts d to [-20, 20] and the outcome to [-10, 10]. Here d
    alone is cut to at most 20, so that exp stays finite.
    Source: Schulman, "Approximating KL divergence" (2020).
    """
    difference = reference - logprobs
    if estimator == "k1":
        return -difference
    if estimator == "k2":
        return difference.square() / 2
    difference = difference.clamp(max=20.0)
    return torch.exp(difference) - difference - 1


def token_shares(
    samples: Sequence[TrainingSample], aggregation: Aggregation, *, longest: int
) -> list[float]:
    """Returns the weight of each token of each sample in the loss of an update, multiplicity included.

    token-mean: 1 / all tokens (the TTRL script, DAPO). Long completions weigh more.
    sequence-mean: 1 / (completions times own length) (GRPO as first published). Tokens of long
        completions weigh less.
    constant: 1 / (completions times `longest`) (Dr. GRPO, arXiv:2503.20783). No bias by length.
    sum: 1; the samples bring their own weights.

    All samples of an update are counted, those without a gradient too, so leaving the latter out of the
    forward pass does not change the gradient; and micro-batches do not matter.
    """
    weights = [sample.weight for sample in samples]
    lengths = [len(sample.completion.token_ids) for sample in samples]
    if aggregation == "sum":
        return weights
    if aggregation == "token-mean":
        tokens = sum(w * n for w, n in zip(weights, lengths, strict=True))
        return [w / tokens for w in weights]
    if aggregation == "constant":
        return [w / (sum(weights) * longest) for w in weights]
    return [w / (sum(weights) * n) for w, n in zip(weights, lengths, strict=True)]
