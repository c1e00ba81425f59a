"""Where temperature enters: logits are divided by it, in sampling and in training alike."""

from __future__ import annotations


def scale_of(temperature: float) -> float:
    """1 / temperature; greedy decoding (temperature 0) is told at temperature 1."""
    return 1.0 if temperature == 0 else 1.0 / temperature
