"""Uniform random numbers by address: number t of stream s is a pure function of (s, t).

A completion draws from its own stream, so its tokens do not depend on what else is in the batch, on the
device or on how often a run was interrupted. The mixer is SplitMix64 (Steele, Lea & Flood, OOPSLA 2014).
"""

from __future__ import annotations

import torch
from torch import Tensor

_GOLDEN = -7046029254386353131  # 0x9E3779B97F4A7C15 as a signed integer; int64 wraps as it should
_MIX_1 = -4658895280553007687  # 0xBF58476D1CE4E5B9
_MIX_2 = -7723592293110705685  # 0x94D049BB133111EB


def uniforms(streams: Tensor, position: int) -> Tensor:
    """Uniform in [0, 1), float64 with 53 random bits.   [S] int64 -> [S]"""
    z = streams + _wrapped((position + 1) * _GOLDEN)
    z = (z ^ _shift(z, 30)) * _MIX_1
    z = (z ^ _shift(z, 27)) * _MIX_2
    z = z ^ _shift(z, 31)
    return _shift(z, 11).to(torch.float64) * 2.0**-53


def _wrapped(value: int) -> int:
    """The value as a signed 64-bit integer."""
    return (value + (1 << 63)) % (1 << 64) - (1 << 63)


def _shift(z: Tensor, bits: int) -> Tensor:
    """Logical right shift; int64's own is arithmetic."""
    return (z >> bits) & ((1 << (64 - bits)) - 1)
