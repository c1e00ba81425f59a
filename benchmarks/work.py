"""What a phase has to compute and to move at least, by formula.

Per token that goes through a decoder-only model with M weights in its matrices (attention, MLP and head;
an embedding is looked up, not multiplied), L layers, H heads of D, K key-value heads, a vocabulary of V:

    flops   2 M + 4 L H D c        c = positions that the token attends to
            forward and backward together three times that (the gradients of weights and of inputs)
    bytes   M once per pass over the model, whatever the number of tokens
            keys and values that are read: 2 L K D c per row and decoded token
            logits: 4 V per position, written once
            training: activations that the backward pass needs, written and read once (8 hidden + 3 MLP per
            token and layer); weights read twice; gradients written once
            AdamW: 28 per weight (weight, gradient, two moments read; weight, moments written, in float32),
            12 for the clipping before it (gradient read for its norm, read and written for its scale), and
            the size of the model's own short weight, written, and of its gradient, read
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Phase = Literal["decoding", "prefill", "training", "optimizer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The least that a phase has to do."""

    flops: float
    bytes: float


def work_of(
    phase: Phase, model: Any, *, positions: int, context: float, passes: int, logits: int
) -> Work:
    """Of one phase.

    Args:
        positions: tokens that go through the model.
        context: positions that each of them attends to, the mean.
        passes: how often all weights are read: decoding steps, or micro-batches.
        logits: positions whose logits are computed.
    """
    config = model.config.get_text_config()
    layers, hidden, vocabulary = (
        config.num_hidden_layers,
        config.hidden_size,
        config.vocab_size,
    )
    size = getattr(config, "head_dim", None) or hidden // config.num_attention_heads
    item = next(model.parameters()).element_size()
    head = vocabulary * hidden
    body = matrix_weights(model) - head
    attention = 4 * layers * config.num_attention_heads * size * context
    forward = positions * (2 * body + attention) + 2 * logits * head
    weights = (body + head) * item
    cache = 2 * layers * config.num_key_value_heads * size * item
    if phase == "prefill":
        return Work(
            flops=forward, bytes=passes * weights + positions * cache + 4 * logits * vocabulary
        )
    if phase == "decoding":
        moved = passes * weights + positions * cache * context + 4 * logits * vocabulary
        return Work(flops=forward, bytes=moved)
    if phase == "training":
        saved = positions * layers * (8 * hidden + 3 * config.intermediate_size) * item
        moved = passes * 3 * weights + 2 * saved + 2 * 4 * logits * vocabulary
        return Work(flops=3 * forward, bytes=moved)
    count = sum(p.numel() for p in model.parameters())
    short = 2 * item if item < 4 else 0
    return Work(flops=16.0 * count, bytes=count * (28.0 + 3 * item + short))


def matrix_weights(model: Any) -> int:
    """Weights that are multiplied, a tied head counted where it is one."""
    config = model.config.get_text_config()
    tables = sum(
        p.numel() for name, p in model.named_parameters() if "embed" in name or "lm_head" in name
    )
    inside = sum(p.numel() for p in model.parameters() if p.dim() == 2) - tables
    return int(inside + config.vocab_size * config.hidden_size)
