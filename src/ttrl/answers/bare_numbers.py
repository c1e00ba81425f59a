"""Numbers with and without a unit."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ttrl.answers.expression_keys import is_variable
from ttrl.answers.key import answer_key
from ttrl.types import AnswerKey

UNIT = "u"
"""Kind of the key of a number with a unit: ("u", key of the number, unit)."""
NUMBER_WINDOW = 400
"""Characters of an answer in which a number task looks for its number."""
_NUMBER = re.compile(r"[-+\u2212]?(?:\d[\d,]*(?:\.\d+)?|\.\d+)(?:/\d+)?")


def adopt_units(keys: Sequence[AnswerKey | None]) -> list[AnswerKey | None]:
    """A bare number joins the same number with a unit, if the group gives that number only one unit.

    5 and 5 cm are different keys, since 5 cm and 5 m are. Within one group, where one question asks for one
    unit, the bare 5 is the 5 cm; with 5 cm and 5 m in it, the bare 5 stays alone.
    """
    units: dict[object, set[object]] = {}
    for key in keys:
        if key is not None and key[0] == UNIT:
            units.setdefault(key[1], set()).add(key[2])
    return [
        (UNIT, key, *units[key]) if key in units and len(units[key]) == 1 else key for key in keys
    ]


def equal_up_to_unit(one: AnswerKey, other: AnswerKey) -> bool:
    """Equal, or the same number where one of the two names no unit. For grading, not for voting."""
    if one == other:
        return True
    if (one[0] == UNIT) == (other[0] == UNIT):
        return False
    return _bare(one) == _bare(other)


def number_in(key: AnswerKey | None, answer: str) -> AnswerKey | None:
    """The key of the number that an answer states, without unit or percent sign, or None.

    Words around it are ignored if there is exactly one number among them.
    """
    if key is None:
        return None
    key = _bare(key)
    if key[0] == "n" or (key[0] == "e" and not _has_variables(key)):
        return key
    found = _NUMBER.findall(answer[:NUMBER_WINDOW])
    if key[0] != "t" or len(found) != 1 or len(answer) > NUMBER_WINDOW:
        return None
    return number_in(answer_key(found[0]), "")


def _has_variables(key: AnswerKey) -> bool:
    """Of a sum of terms (((name, p, q), ...), numerator, denominator)."""
    terms = [term for term in key[1:] if isinstance(term, tuple)]
    return any(is_variable(name) for monomial, *_ in terms for name, *_ in monomial)


def _bare(key: AnswerKey) -> AnswerKey:
    if key[0] == UNIT and isinstance(key[1], tuple):
        return key[1]
    return ("n", *key[1:]) if key[0] == "n%" else key
