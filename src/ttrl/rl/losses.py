"""Losses per token. Aggregation over tokens is one place: `Batch.token_weights`."""

from __future__ import annotations

import torch
from torch import Tensor


def clipped_surrogate(
    logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor, *, clip_ratio: float
) -> tuple[Tensor, Tensor]:
    """-min(rho A, clip(rho, 1 - c, 1 + c) A) with rho = exp(log pi - log pi_old), and whether it was clipped.

    Shapes: [N, C], [N, C], [N] -> [N, C], [N, C].
    Source: PPO (arXiv:1707.06347), section 3; no dual clip.
    """
    ratio = torch.exp(logprobs - old_logprobs)
    advantages = advantages.unsqueeze(-1)
    free = ratio * advantages
    bounded = ratio.clamp(1 - clip_ratio, 1 + clip_ratio) * advantages
    return -torch.minimum(free, bounded), bounded < free


def kl_k3(logprobs: Tensor, reference_logprobs: Tensor) -> Tensor:
    """exp(d) - d - 1 with d = log pi_ref - log pi: unbiased for KL(pi || pi_ref), never negative.   [N, C]

    Source: Schulman, "Approximating KL divergence" (2020), estimator k3; verl's `low_var_kl`, which
    also cuts d to [-20, 20] and the outcome to [-10, 10]. Here d alone is cut to at most 20, so that
    exp stays finite.
    """
    difference = (reference_logprobs - logprobs).clamp(max=20.0)
    return torch.exp(difference) - difference - 1
