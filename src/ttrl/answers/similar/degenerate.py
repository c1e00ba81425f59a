r"""Detects texts that agree with others without saying anything; they should abstain.

A reward for similarity is raised by whatever makes texts alike, and these do so most cheaply:

    empty     no letter or digit
    short     fewer than MIN_TOKENS tokens: short texts have much in common by chance
    copied    at least COPIED_SHARE of its distinct token 4-grams stand in the prompt, in a text of
              COPY_TOKENS tokens or as many as the prompt has: an answer may quote the question (about
              half of its 4-grams), one that is four fifths quotation adds next to nothing
    repeated  in a text of REPEAT_TOKENS tokens or more fewer than DISTINCT_SHARE of the 4-grams are
              distinct (prose has 0.9, proofs and code with repeated phrases 0.5; a loop of k tokens in
              a text of n has k / n), or one word makes up COMMON_SHARE of the words of a text with
              COMMON_WORDS words or more ("the" makes up 0.07 of prose)

Tokens are those of `tokenize`, after runs of one mark ("-----", "!!!") are made one, since rules and
leaders are no loops. Only the first CHARACTER_LIMIT characters of text and prompt are looked at.

Limit: a task whose good answers are quotations (extraction, code that repeats a given header) looks
copied; hand it a prompt of the instruction alone, or an empty one.
"""

from __future__ import annotations

import re
from collections import Counter

from ttrl.answers.similar.text import tokenize

CHARACTER_LIMIT = 65_536
MIN_TOKENS = 3
COPY_TOKENS = 8
COPIED_SHARE = 0.8
REPEAT_TOKENS = 32
DISTINCT_SHARE = 0.2
COMMON_WORDS = 8
COMMON_SHARE = 0.6

_MARK_RUN = re.compile(r"([^\w\s])\1+")
_WORD = re.compile(r"\w")


def degenerate(text: str, *, prompt: str) -> str | None:
    """Returns why the text should abstain: "empty", "short", "copied" or "repeated"; None if it need not."""
    tokens = _tokens(text)
    words = [token for token in tokens if _WORD.match(token)]
    if not words:
        return "empty"
    if len(tokens) < MIN_TOKENS:
        return "short"
    ngrams = _fourgrams(tokens)
    if _is_copied(tokens, ngrams, _tokens(prompt)):
        return "copied"
    if _is_repeated(words, ngrams):
        return "repeated"
    return None


def _tokens(text: str) -> list[str]:
    return tokenize(_MARK_RUN.sub(r"\1", text[:CHARACTER_LIMIT]))


def _fourgrams(tokens: list[str]) -> list[tuple[str, str, str, str]]:
    return list(zip(tokens, tokens[1:], tokens[2:], tokens[3:], strict=False))


def _is_copied(
    tokens: list[str], ngrams: list[tuple[str, str, str, str]], prompt_tokens: list[str]
) -> bool:
    if not ngrams or len(tokens) < min(COPY_TOKENS, len(prompt_tokens)):
        return False
    distinct = set(ngrams)
    found = len(distinct.intersection(_fourgrams(prompt_tokens)))
    return found >= COPIED_SHARE * len(distinct)


def _is_repeated(words: list[str], ngrams: list[tuple[str, str, str, str]]) -> bool:
    if len(words) >= COMMON_WORDS:
        (_, most), *_ = Counter(words).most_common(1)
        if most >= COMMON_SHARE * len(words):
            return True
    enough = len(ngrams) >= REPEAT_TOKENS - 3
    return enough and len(set(ngrams)) < DISTINCT_SHARE * len(ngrams)
