"""Normalized advantages, larger for completions that the model was sure of while it wrote them."""

from __future__ import annotations

import math

from ttrl.rl.advantage_rules.interface import Advantages
from ttrl.rl.advantage_rules.of_rewards import normalized
from ttrl.rl.folding import FoldedGroup


def entropy_scaled(group: FoldedGroup) -> Advantages:
    """A_i = (1 + (H - H_i) / H) z_i over the trained completions.   [S]

    z_i is the normalized advantage, H_i the mean entropy of completion i's tokens (nats), and H the mean of
    H_i over the trained completions, equal ones counted each. The advantages no longer sum to 0.
    Source: ETTRL (arXiv:2508.11356), its advantage reshaping. Deviation: where an entropy is missing
    (completions of another program) or H is 0, advantages stay normalized.
    """
    plain = normalized(group)
    entropies = [sample.completion.entropy for sample in group.samples]
    if not all(entropies):
        return plain
    own = [math.fsum(tokens) / len(tokens) for tokens in entropies]
    weights = group.weights
    mean = math.fsum(h * w for h, w in zip(own, weights, strict=True)) / math.fsum(weights)
    if not mean > 0:
        return plain
    return tuple((1 + (mean - h) / mean) * a for h, a in zip(own, plain, strict=True))
