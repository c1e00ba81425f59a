"""Finds the numbers in the text of a question and decides which of them may be changed.

Only free numbers are changed, so not the 3 of 3rd, A3, 3:30, 3/4, 10-15, March 3 or 1998. Number words
stay, but they explain numbers of a program: "twice" explains a 2 and "week" a 7.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

LONGEST_TEXT = 10_000
LONGEST_NUMBER = 12

_DIGITS = re.compile(r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+")
_BEFORE = re.compile(r"(?:^|[\s($\u20ac\u00a3\"'\u2018\u201c\u2014=+*\u00d7])$")
_AFTER = re.compile(r"(?:$|[\s).,;:?!%\"'\u2019\u201d\u2014\u00b0=+*\u00d7]|-[A-Za-z])")
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sep(?:t(?:ember)?)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_NAMES_BEFORE = re.compile(
    rf"\b(?:{_MONTH}|no\.?|number|room|grade|chapter|level|route|highway|bus|flight|day|page|week|year)\s+$",
    re.IGNORECASE,
)
_SCALE_AFTER = re.compile(
    rf"\s*(?:\d+/\d|{_MONTH}\b|(?:hundred|thousand|million|billion|a\.?m|p\.?m|o'clock)\b)",
    re.IGNORECASE,
)

_F = Fraction
_WORDS: dict[str, tuple[Fraction, ...]] = {
    word: tuple(_F(value) for value in values.split())
    for words, values in {
        "one a an each every": "1",
        "two twice double doubled doubles couple pair pairs both second": "2",
        "half halves halved": "2 1/2",
        "three thrice triple tripled triples third thirds": "3 1/3",
        "four fourth fourths quadruple": "4 1/4",
        "quarter quarters": "4 1/4 25",
        "five fifth fifths": "5 1/5",
        "six sixth sixths": "6 1/6",
        "seven seventh sevenths": "7 1/7",
        "eight eighth eighths": "8 1/8",
        "nine ninth ninths": "9 1/9",
        "ten tenth tenths": "10 1/10",
        "eleven": "11",
        "twelve": "12",
        "thirteen": "13",
        "fourteen": "14",
        "fifteen": "15",
        "sixteen": "16",
        "seventeen": "17",
        "eighteen": "18",
        "nineteen": "19",
        "twenty": "20",
        "thirty": "30",
        "forty": "40",
        "fifty": "50",
        "sixty": "60",
        "seventy": "70",
        "eighty": "80",
        "ninety": "90",
        "hundred hundreds": "100",
        "thousand thousands": "1000",
        "million": "1000000",
        "dozen dozens": "12",
        "percent percentage": "100 1/100",
        "cent cents dollar dollars": "100 1/100",
        "penny pennies": "100 1/100 1",
        "nickel nickels": "5 1/20",
        "dime dimes": "10 1/10",
        "second seconds": "60",
        "minute minutes": "60",
        "hour hours hourly": "60 24",
        "day days daily": "24 7",
        "week weeks weekly": "7 4 52",
        "weekday weekdays weekend weekends": "5 2",
        "month months monthly": "4 12 30",
        "year years yearly annual annually": "12 52 365",
        "decade decades": "10",
        "century centuries": "100",
        "foot feet": "12 3",
        "inch inches": "12",
        "yard yards": "3",
        "pound pounds": "16",
        "gallon gallons quart quarts": "4",
        "meter meters kilometer kilometers km": "100 1000",
        "gram grams kilogram kilograms kg": "1000",
        "liter liters ml": "1000",
        "square": "4",
        "rectangle rectangular perimeter": "2",
        "average": "2",
    }.items()
    for word in words.split()
}
_WORD = re.compile(r"[A-Za-z]+")
_LIMBS = frozenset({"leg", "legs", "wheel", "wheels", "foot", "feet"})
_COUNTS_OF_LIMBS = frozenset(map(_F, (2, 3, 4, 6, 8)))


@dataclass(frozen=True, slots=True, kw_only=True)
class TextNumber:
    """A number of a text that is written in digits."""

    start: int
    end: int
    spelling: str
    value: Fraction
    free: bool
    """Whether it is a word of its own and can be changed. 0 and 1 cannot: "1 apple" is singular."""

    @property
    def shape(self) -> tuple[int, int]:
        """Returns the number of digits before and after the point; only equal shapes are exchanged."""
        whole, _, decimals = self.spelling.replace(",", "").partition(".")
        return len(whole), len(decimals)

    def spelled(self, digits: str) -> str:
        """Spells other digits of the same shape, with thousands separators if this number has them."""
        if "," not in self.spelling:
            return digits
        whole, point, decimals = digits.partition(".")
        return f"{int(whole):,}{point}{decimals}"


def text_numbers(text: str) -> list[TextNumber]:
    """Returns every number in digits, in the order of the text; none if the text is too long."""
    found = []
    for match in _DIGITS.finditer(text if len(text) <= LONGEST_TEXT else ""):
        spelling = match[0]
        digits = spelling.replace(",", "")
        before, after = text[max(0, match.start() - 20) : match.start()], text[match.end() :][:20]
        long = len(digits) > LONGEST_NUMBER
        value = Fraction(0) if long else Fraction(digits)
        free = (
            not long
            and _BEFORE.search(before) is not None
            and _AFTER.match(after) is not None
            and not re.match(r"[-,.:][0-9]", after)
            and _NAMES_BEFORE.search(before) is None
            and _SCALE_AFTER.match(after) is None
            and not _looks_like_a_year(spelling, before)
            and not (len(digits) > 1 and digits[0] == "0" and digits[1] != ".")
            and not digits.startswith(".")
            and value not in (0, 1)
        )
        found.append(
            TextNumber(
                start=match.start(), end=match.end(), spelling=spelling, value=value, free=free
            )
        )
    return found


def values_of_words(text: str) -> frozenset[Fraction]:
    """Returns the numbers that words of the text may mean, and 100 and 1/100 if it has "%" or "$"."""
    words = {word.casefold() for word in _WORD.findall(text[:LONGEST_TEXT])}
    values = {value for word in words for value in _WORDS.get(word, ())}
    if "%" in text or "$" in text:
        values |= {Fraction(100), Fraction(1, 100)}
    return frozenset(values)


def values_of_limbs(text: str) -> frozenset[Fraction]:
    """Returns the possible numbers of legs, wheels or feet of a thing, if the text mentions any of them."""
    words = {word.casefold() for word in _WORD.findall(text[:LONGEST_TEXT])}
    return frozenset() if words.isdisjoint(_LIMBS) else _COUNTS_OF_LIMBS


def _looks_like_a_year(spelling: str, before: str) -> bool:
    if len(spelling) != 4 or not spelling.isdigit() or not "1500" <= spelling <= "2199":
        return False
    return before.rstrip()[-1:] != "$"
