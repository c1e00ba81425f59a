"""Finds the most typical of several answers: the medoid, which has minimum Bayes risk.

    r_i = (sum_j c_j s_ij - s_ii) / (sum_j c_j - 1)        medoid = argmax_i r_i

s_ij: similarity of the distinct items i and j; c_j: how many completions item j stands for. r_i is the
mean similarity of one completion of item i to all other completions: it leaves itself out, and has
c_i - 1 twins at similarity s_ii. With the completions as samples of the model's distribution, r_i is an
estimate of the expected gain of answering i.

Degenerate cases: a single completion has nothing to agree with, so r = 0; without items there are no r
and no medoid.

Source: Kumar & Byrne, Minimum Bayes-Risk Decoding for Statistical Machine Translation, 2004; for
language models Bertsch et al., It's MBR All the Way Down, arXiv:2310.01387.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

TIE = 1e-12
"""Largest difference that counts as rounding, which depends on the order of summation."""


def leave_one_out(similarity: NDArray[np.float64], counts: Sequence[int]) -> NDArray[np.float64]:
    """Returns the mean similarity of a completion of each distinct item to all other completions.   [D]

    Args:
        similarity: symmetric, in [0, 1].   [D, D]
        counts: completions of each item, at least 1.   [D]
    """
    weights = np.asarray(counts, dtype=np.float64)
    others = max(weights.sum() - 1.0, 1.0)
    mean: NDArray[np.float64] = (similarity @ weights - np.diagonal(similarity)) / others
    return mean


def medoid(
    similarity: NDArray[np.float64], counts: Sequence[int], tie_key: Callable[[int], int]
) -> int:
    """Returns the index of the item with the largest `leave_one_out`.

    Args:
        tie_key: number of an item that depends on what it is and not on where it stands; of equally
            typical items the one with the smallest wins, so the order of sampling never matters.

    Raises:
        ValueError: there are no items.
    """
    if len(counts) == 0:
        raise ValueError("medoid of no items: at least one is needed, abstain without any")
    mean = leave_one_out(similarity, counts)
    tied = np.flatnonzero(mean >= mean.max() - TIE)
    return min(tied.tolist(), key=tie_key)
