"""Computes the Dice similarity of sequences, 2 * overlap / (m + n), by common subsequence or n-grams.

It is the F-measure of precision overlap / m and recall overlap / n. Sequences with nothing to compare
have similarity 0 to everything, also to themselves: empty answers must not agree with each other.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import LCSseq
from rapidfuzz.process import cdist

Matrix = NDArray[np.float64]


def subsequence_similarity(
    rows: Sequence[Sequence[Hashable]], columns: Sequence[Sequence[Hashable]]
) -> Matrix:
    """Compares by the longest common subsequence, in time quadratic in the length of both.   [R, C]"""
    # Small integers are compared by value; other objects rapidfuzz would compare by their hash.
    left, right = _numbered(rows, columns)
    overlap = cdist(left, right, scorer=LCSseq.similarity, dtype=np.int32, workers=1)
    return _f_measure(overlap, left, right)


def ngram_similarity(
    rows: Sequence[Sequence[Hashable]], columns: Sequence[Sequence[Hashable]], *, n: int
) -> Matrix:
    """Compares the multisets of n-grams: one that occurs a and b times counts min(a, b).   [R, C]"""
    left, right = _numbered(
        [_counted_ngrams(row, n) for row in rows],
        [_counted_ngrams(column, n) for column in columns],
    )
    sets = [frozenset(column) for column in right]
    overlap = np.array([[len(one & other) for other in sets] for one in map(frozenset, left)])
    return _f_measure(overlap, left, right)


def _numbered(
    rows: Iterable[Sequence[Hashable]], columns: Iterable[Sequence[Hashable]]
) -> tuple[list[list[int]], list[list[int]]]:
    number: dict[Hashable, int] = {}
    left, right = (
        [[number.setdefault(item, len(number)) for item in sequence] for sequence in sequences]
        for sequences in (rows, columns)
    )
    return left, right


def _counted_ngrams(sequence: Sequence[Hashable], n: int) -> list[Hashable]:
    """Each n-gram with the number of its occurrence, so that sets of them are multisets."""
    seen: dict[Hashable, int] = {}
    counted: list[Hashable] = []
    for ngram in zip(*(sequence[start:] for start in range(n)), strict=False):
        occurrence = seen[ngram] = seen.get(ngram, 0) + 1
        counted.append((ngram, occurrence))
    return counted


def _f_measure(overlap: NDArray[np.int_], left: list[list[int]], right: list[list[int]]) -> Matrix:
    m = np.array([len(row) for row in left], dtype=np.float64)
    n = np.array([len(column) for column in right], dtype=np.float64)
    total = np.add.outer(m, n)
    similarity: Matrix = 2.0 * overlap.reshape(total.shape) / np.maximum(total, 1.0)
    return similarity
