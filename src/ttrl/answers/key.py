r"""Computes the canonical key of an answer: two answers are equal exactly when their keys are equal.

Equality is then symmetric, transitive and independent of order, and a vote is a count of keys.

    ("n", 1, 2)                 a number: 0.5, 1/2, \frac12, 5e-1, x = 0.5      numbers.py
    ("n%", 50, 1)               a percentage: 50% is neither 50 nor 0.5
    ("e", ...) ("q", ...)       an exact expression                             expression_keys.py
    ("u", value, "cm") ...      measures, points, intervals, sets, equations    structures.py
    ("base", "52", 8)           52_8, never converted
    ("t", "east")               words, by their folded spelling                 spelling.py
    ("s", r"\sin x")            mathematics that was not read, by its spelling
    ("t", hash, size)           a long one, so that memory stays bounded

Nothing is evaluated, no float is involved, and limits come before arithmetic. Where a spelling may
mean two things it is not read at all: two keys may then miss that they are equal, never the reverse.
"""

from __future__ import annotations

import re

from ttrl.answers.math.expression_keys import is_variable
from ttrl.answers.math.numbers import number_key, quick_key
from ttrl.answers.math.spelling import hashed, is_bare_text, plain_spelling, spelling_key, unwrapped
from ttrl.answers.math.structures import mathematics_key
from ttrl.answers.math.terms import Unreadable
from ttrl.types import AnswerKey

SPELLING_LIMIT = 1_000
"""Most characters of an answer whose spelling is normalised; longer ones are only squeezed and folded."""
_SIZE_LIMIT = 4_000
"""Characters of a key of many or large numbers; a longer one is hashed."""


def answer_key(answer: str) -> AnswerKey | None:
    """Returns the key of an answer, or None if it says nothing. It never raises, whatever the string."""
    if (key := quick_key(answer)) is not None:
        return key
    squeezed = " ".join(answer.split())
    if len(squeezed) > SPELLING_LIMIT:
        return spelling_key(squeezed)
    text = unwrapped(plain_spelling(squeezed))
    if not text:
        return None
    try:
        key = number_key(text) or _special_key(text) or _mathematics_key(text)
    except (ArithmeticError, LookupError, RecursionError, ValueError):
        key = None
    return key or spelling_key(text)


def _mathematics_key(text: str) -> AnswerKey | None:
    if is_bare_text(text) and text.casefold() not in _NAMES:
        return None
    try:
        key = mathematics_key(text)
    except Unreadable:
        return None
    spelled = repr(key)
    return key if len(spelled) <= _SIZE_LIMIT else (key[0], *hashed(spelled))


_NAMES = ("pi", "inf", "infinity")

# Forms that are read as a whole --------------------------------------------------------------

_BASE = re.compile(
    r"(-?) ?([0-9]++(?: [0-9]{3,4})*+|(?=[A-Za-z]*[0-9])[0-9A-Za-z]++|[A-Za-z]{2,})"
    r" ?_ ?(?:([0-9]{1,2})|\{ ?([0-9]{1,2}) ?\})"
)
_TIME = re.compile(
    r"(\d{1,2})(?: ?: ?(\d\d))?(?: ?: ?(\d\d))? ?(?:\\text ?\{ ?)?([ap])\.? ?m\.?\}?", re.I | re.A
)


def _special_key(text: str) -> AnswerKey | None:
    """A number in another base, or a time with its half of the day."""
    if base := _BASE.fullmatch(text):
        return _base_key(base)
    if time := _TIME.fullmatch(text):
        numbers = (("n", int(time[1]), 1), *(("t", part) for part in time.groups()[1:3] if part))
        return "colon", *numbers, time[4].casefold() + "m"
    return None


def _base_key(number: re.Match[str]) -> AnswerKey | None:
    base = int(number[3] or number[4])
    digits = number[2].replace(" ", "")
    if not 2 <= base <= 36 or (digits.isalpha() and base != 16):
        return None
    if digits != digits.upper() and base != 16:  # 2a_{12} is a variable twice
        return None
    digits = digits.upper()
    if any(int(digit, 36) >= base for digit in digits):
        return None
    return "base", number[1] + (digits.lstrip("0") or "0"), base


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
