"""Compares numbers with and without a unit, and finds the number of an answer."""

from __future__ import annotations

import re

from ttrl.answers.key import answer_key
from ttrl.answers.math.expression_keys import is_variable
from ttrl.types import AnswerKey

UNIT = "u"
"""The first item of the key of a number with a unit: ("u", key of the number, unit)."""
NUMBER_WINDOW = 400
"""Most characters of an answer in which a number task looks for its number."""
_STATED = re.compile(
    r"[$\u20ac\u00a3\u00a5]?\s*(?P<number>[-+\u2212]?\s*\$?\s*(?:\d[\d,]*(?:\.\d+)?|\.\d+)(?:/\d+)?)"
    r"(?P<words>(?:\s+[A-Za-z][A-Za-z'-]*)*)\s*\.?"
)
_CHANGING_WORDS = frozenset(
    ("hundred", "thousand", "million", "billion", "trillion", "dozen", "score", "percent", "per", "cent",
     "times", "squared", "cubed", "half", "and", "or", "to", "minus", "plus", "less", "more", "than",
     "out", "of", "point")
)  # fmt: skip
"""Words after a number that make it another one, or one of two."""


def equal_up_to_unit(one: AnswerKey, other: AnswerKey) -> bool:
    """Returns whether keys are equal, or equal numbers of which one omits its unit. For grading, not votes.

    A unit of one letter does not count as one here: 5m may be 5 times m.
    """
    return one == other or _leaves_out(one, other) or _leaves_out(other, one)


def number_in(key: AnswerKey | None, answer: str) -> AnswerKey | None:
    """Returns the key of the number that an answer states, without unit, currency or percent sign, or None.

    Words may follow the number, such as "5 apples", but none that change it, such as "5 thousand".
    """
    if key is None:
        return None
    if key[0] == UNIT and isinstance(key[1], tuple):
        key = key[1]
    if key[0] == "n%":
        key = ("n", *key[1:])
    if key[0] == "n" or (key[0] == "e" and not _has_variables(key)):
        return key
    stated = _STATED.fullmatch(answer.strip()) if len(answer) <= NUMBER_WINDOW else None
    if stated is None or _CHANGING_WORDS.intersection(stated["words"].casefold().split()):
        return None
    plain = answer_key(stated["number"].replace("$", ""))
    return plain if plain is not None and plain[0] == "n" else None


def _leaves_out(bare: AnswerKey, full: AnswerKey) -> bool:
    return full[0] == UNIT and full[1] == bare and len(str(full[2])) > 1


def _has_variables(key: AnswerKey) -> bool:
    """Whether a variable occurs in the terms of a key: (((name, p, q), ...), numerator, denominator)."""
    terms = [term for term in key[1:] if isinstance(term, tuple)]
    return any(is_variable(name) for monomial, *_ in terms for name, *_ in monomial)
