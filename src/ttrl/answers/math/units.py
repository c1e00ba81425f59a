r"""Reads units of measure: many spellings, one canonical unit; units are never converted.

    "cm^2"     square centimeters, sq cm, cm^2
    "km/h"     km per hour, kph, kilometers/hour
    "%"        percent
    ""         degrees of an angle, a mark that says nothing

A unit is a product of at most one unit above and one below, each with a small exponent.
"""

from __future__ import annotations

import re
from functools import lru_cache

Powers = dict[str, int]
"""Exponents by unit, such as {"m": 1, "s": -2}."""

SINGLE_LETTERS = frozenset("msghLNJWV")
"""Units that are spelled like a variable: 5m is 5 meters and 5 times m, so both have one key."""

_SPELLINGS = {
    "mm": "mm millimeter millimeters millimetre millimetres",
    "cm": "cm cms centimeter centimeters centimetre centimetres",
    "dm": "dm decimeter decimeters decimetre decimetres",
    "m": "m meter meters metre metres",
    "km": "km kms kilometer kilometers kilometre kilometres",
    "in": "in inch inches",
    "ft": "ft foot feet",
    "yd": "yd yds yard yards",
    "mi": "mi mile miles",
    "mg": "mg milligram milligrams",
    "g": "g gram grams",
    "kg": "kg kgs kilogram kilograms",
    "lb": "lb lbs pound pounds",
    "oz": "oz ounce ounces",
    "ton": "ton tons",
    "ms": "ms millisecond milliseconds",
    "s": "s sec secs second seconds",
    "min": "min mins minute minutes",
    "h": "h hr hrs hour hours",
    "day": "day days",
    "week": "week weeks",
    "month": "month months",
    "year": "year years yr yrs",
    "mL": "mL ml milliliter milliliters millilitre millilitres",
    "L": "L l liter liters litre litres",
    "gal": "gal gallon gallons",
    "qt": "qt quart quarts",
    "pt": "pint pints",
    "cup": "cup cups",
    "cent": "cent cents ¢",
    "dollar": "dollar dollars USD",
    "euro": "euro euros EUR €",
    "GBP": "GBP £",
    "rupee": "rupee rupees INR ₹",
    "yen": "yen JPY ¥",
    "N": "N newton newtons",
    "J": "J joule joules",
    "W": "W watt watts",
    "V": "V volt volts",
    "Pa": "Pa pascal pascals",
    "Hz": "Hz hertz",
    "K": "K kelvin kelvins",
    "°C": "°C celsius",
    "°F": "°F fahrenheit",
    "rad": "rad radian radians",
    "unit": "unit units",
    "%": "percent %",
    "": "degree degrees deg °",
}
_ATOM = {spelling: unit for unit, many in _SPELLINGS.items() for spelling in many.split()}
_ATOM_ANY_CASE = {
    spelling: unit
    for spelling, unit in _ATOM.items()
    if spelling.islower() and (len(spelling) > 2 or spelling in ("cm", "km", "kg", "ft", "lb"))
}
_WHOLE: dict[str, str] = {
    "mph": "mi/h",
    **dict.fromkeys(("kph", "kmh", "kmph"), "km/h"),
    **dict.fromkeys(("degrees celsius", "degree celsius", "degrees c"), "°C"),
    **dict.fromkeys(("degrees fahrenheit", "degree fahrenheit", "degrees f"), "°F"),
    "per cent": "%",
}
_BEFORE = {"square": 2, "sq": 2, "cubic": 3, "cu": 3}
_AFTER = {"squared": 2, "cubed": 3}
_TOKEN = re.compile(r"°?[^\W\d_]+|\^ ?(?:\{ ?(\d) ?\}|(\d))|[^ ]")


@lru_cache(maxsize=2_000)
def canonical_unit(text: str) -> str | None:
    r"""Returns the canonical unit of a spelling, or None.

    Args:
        text: without \text and braces around words: "sq. cm", "km / h", "meters per second".
    """
    if (whole := _WHOLE.get(" ".join(text.split()).casefold())) is not None:
        return whole
    powers = _powers(text)
    return None if powers is None else unit_name(powers)


def _powers(text: str) -> Powers | None:
    powers: Powers = {}
    last = ""  # the unit that a raised number would belong to
    sign = 1
    before = 1  # what "square" makes of the unit to come
    may_start = True
    for token in _TOKEN.finditer(text):
        word = token[0]
        raised = token[1] or token[2] or _AFTER.get(word)
        if raised:
            if not last or powers[last] not in (1, -1) or before != 1 or not 1 <= int(raised) <= 3:
                return None
            powers[last] *= int(raised)
        elif word == ".":
            if not last and before == 1:
                return None
        elif word in ("/", "per"):
            if sign < 0 or before != 1 or (word == "/" and not last):
                return None
            sign, may_start = -1, True
        elif word.lower() in _BEFORE:
            if before != 1 or not may_start:
                return None
            before = _BEFORE[word.lower()]
        else:
            unit = _ATOM.get(word, _ATOM_ANY_CASE.get(word.casefold()))
            if unit is None or unit in powers or not may_start:
                return None
            powers[unit] = sign * before
            last, before, may_start = unit, 1, False
    if may_start or before != 1:
        return None
    bare = "" in powers or "%" in powers
    return None if bare and list(powers.values()) != [1] else powers


def unit_name(powers: Powers) -> str:
    """Returns the canonical name, such as km/h, m/s^2 or 1/h."""
    above = [_raised(unit, power) for unit, power in powers.items() if power > 0]
    below = [_raised(unit, -power) for unit, power in powers.items() if power < 0]
    name = "*".join(sorted(above)) or ("1" if below else "")
    return name + "".join("/" + unit for unit in sorted(below))


def _raised(unit: str, power: int) -> str:
    return unit if power == 1 else f"{unit}^{power}"
