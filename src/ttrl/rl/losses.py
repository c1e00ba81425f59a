"""Losses per token. Their aggregation is `ttrl.rl.aggregation`."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Ratio = Literal["token", "sequence-mean", "sequence-sum"]


def log_ratios(logprobs: Tensor, old: Tensor, mask: Tensor, level: Ratio) -> Tensor:
    """log(pi / pi_old) of each token, or of its whole completion.   [N, C]

    sequence-sum: of the completion's probability. sequence-mean: its geometric mean over tokens (GSPO,
    arXiv:2507.18071, section 4.1).
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
