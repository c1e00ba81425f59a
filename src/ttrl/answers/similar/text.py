r"""Compares texts by their common words: ROUGE-L, ROUGE-1 and ROUGE-2 as F-measures.

    ROUGE-L  2 * LCS / (m + n)       of m and n tokens, LCS = longest common subsequence of tokens
    ROUGE-n  2 * common / (m + n)    of m and n n-grams, those in common counted with multiplicity

With its tokenizer these are the numbers of rouge-score, up to the limits below. The default is
`tokenize`, since to rouge-score's own a Chinese text is empty and "x = 1 + 2" is "x = 1 - 2".

Source: Lin, ROUGE: A Package for Automatic Evaluation of Summaries, 2004 (its sentence-level ROUGE-L).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Hashable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import LCSseq
from rapidfuzz.process import cdist

from ttrl.types import TextMeasure

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


Tokenizer = Callable[[str], list[str]]

TOKEN_LIMIT = 512
"""Number of tokens of a text that are compared, the first ones, since comparison is quadratic."""
CHARACTER_LIMIT = 16 * TOKEN_LIMIT
"""Number of characters of a text that are tokenized, the first ones."""


# Tokens --------------------------------------------------------------------------------------

_FOLDED_AT_ONCE = 1_024
_UNSPACED = (  # letters of scripts that do not put spaces between words, and Hangul
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff"  # Thai, Lao, Burmese, Jamo, Khmer
    "\u3005-\u3007\u3040-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
_TOKEN = re.compile(rf"[^\W{_UNSPACED}]+|[^\w\s]|\w")


def tokenize(text: str) -> list[str]:
    r"""Cuts a text into words and single marks (`[^\w\s]`), folded by NFKC and case.

    In scripts without spaces, and in Korean, each character is a token.
    """
    if text.isascii():
        return _TOKEN.findall(text.lower())
    # In pieces, since NFKC is quadratic in a run of combining marks.
    pieces = range(0, len(text), _FOLDED_AT_ONCE)
    return _TOKEN.findall("".join(_folded(text[at : at + _FOLDED_AT_ONCE]) for at in pieces))


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


# Similarity ----------------------------------------------------------------------------------


def text_similarity(
    texts: Sequence[str], *, measure: TextMeasure = "rouge-l", tokenizer: Tokenizer = tokenize
) -> Matrix:
    """Returns the similarity of each text to each other: symmetric, in [0, 1].   [N, N]

    1 for equal tokens, so on the diagonal. A text without tokens (for ROUGE-2: with fewer than two) has
    0 throughout, also with itself.
    """
    at: dict[str, int] = {}
    rows = [at.setdefault(text[:CHARACTER_LIMIT], len(at)) for text in texts]
    tokens = [tokenizer(text)[:TOKEN_LIMIT] for text in at]
    return _compared(tokens, tokens, measure)[np.ix_(rows, rows)]


def _compared(rows: list[list[str]], columns: list[list[str]], measure: TextMeasure) -> Matrix:
    if measure == "rouge-l":
        return subsequence_similarity(rows, columns)
    return ngram_similarity(rows, columns, n=1 if measure == "rouge-1" else 2)
