"""Uniform random numbers by address: number t of stream s is a pure function of (s, t).

A completion draws from its own stream, so its tokens do not depend on what else is in the batch, on the
device or on how often a run was interrupted. The mixer is SplitMix64 (Steele, Lea & Flood, OOPSLA 2014).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def uniforms(streams: NDArray[np.int64], positions: NDArray[np.int64]) -> NDArray[np.float64]:
    """Returns uniform numbers in [0, 1) with 53 random bits.   [S], [S] -> [S]"""
    z = streams.view(np.uint64) + (positions + 1).view(np.uint64) * _GOLDEN
    z = (z ^ (z >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    z = z ^ (z >> np.uint64(31))
    bits: NDArray[np.uint64] = z >> np.uint64(11)
    return bits.astype(np.float64) * np.float64(2.0**-53)
