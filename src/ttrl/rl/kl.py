"""Per-token estimates of KL(pi || pi_ref) from tokens drawn from pi.

Source: Schulman, "Approximating KL divergence" (2020). All three estimate the divergence; as a loss their
gradients differ: that of k1 is zero on average, that of k2 is the gradient of the divergence, and that of
k3 the gradient of the reverse divergence.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Estimator = Literal["k1", "k2", "k3"]


def kl(logprobs: Tensor, reference: Tensor, estimator: Estimator) -> Tensor:
    """With d = log pi_ref - log pi: k1 = -d, k2 = d^2 / 2, k3 = exp(d) - d - 1.   [...]

    k3 is never negative and unbiased; verl calls it `low_var_kl` and also cuts d to [-20, 20] and the
    outcome to [-10, 10]. Here d alone is cut to at most 20, so that exp stays finite.
    """
    difference = reference - logprobs
    if estimator == "k1":
        return -difference
    if estimator == "k2":
        return difference.square() / 2
    difference = difference.clamp(max=20.0)
    return torch.exp(difference) - difference - 1
