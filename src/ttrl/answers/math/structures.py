r"""Computes the key of a whole answer from tokens: equations, tuples, sets and other structures.

    ("tup", "(", "]", a, b)     a point or an interval     ("set", a, b)     a set, 1,2, x=1 or x=2
    ("list", a, a, b)           an open list with repeats  ("cup", A, B)     a union, as a set
    ("mat", row, row)           a matrix                   ("det", row, row) a determinant
    ("vec", a, b)               angle brackets             ("colon", a, b)   3:45, 3:4:5
    ("eq", ...)                 an equation                ("inf", 1)        infinity, or -1
    ("u", value, "cm")          a measure                  ("n%", 50, 1)     a percentage

Numbers and expressions inside have the keys of expression_keys.py.
"""

from __future__ import annotations

from typing import NamedTuple

from ttrl.answers.math.expression_keys import equation_key, expression_key
from ttrl.answers.math.numbers import is_digits
from ttrl.answers.math.parse import Expressions
from ttrl.answers.math.terms import Quotient, Unreadable, rational_value
from ttrl.answers.math.tokens import tokenize
from ttrl.types import AnswerKey

_RELATIONS = ("=", "<", ">", "<=", ">=", r"\in")
_OPENING = ("(", "[")
_MATRICES = {
    **dict.fromkeys(("pmatrix", "bmatrix", "Bmatrix", "matrix", "smallmatrix", "array"), "mat"),
    "vmatrix": "det",
}
_INFINITY = r"\infty"
_OPTIONS = "abcd"


def mathematics_key(text: str) -> AnswerKey:
    """Returns the key of an answer in its plain spelling.

    Raises:
        Unreadable: it cannot be read exactly.
    """
    reader = _Reader(tokenize(text))
    return reader.answer(0, len(reader.tokens))


class _Part(NamedTuple):
    """One entry of an open list: x=1 has the variable x, x>1 is an interval."""

    variable: str
    keys: list[AnswerKey]
    is_interval: bool = False


class _Reader(Expressions):
    def answer(self, start: int, stop: int) -> AnswerKey:
        start, stop = self._unbraced(start, stop)
        if stop == start + 1 and len(letter := self.tokens[start]) == 1 and letter.isalpha():
            return option_key(letter) or expression_key(self.expression(start, stop))
        parts, words = self._open_list(start, stop)
        if len(parts) == 1:
            keys = self._part(*parts[0]).keys
            if len(keys) == 1:
                return _with_options(keys[0])
            return _set(keys)
        read = [self._part(*part) for part in parts]
        if "||" in words:
            _alternatives(read)
        if any(part.is_interval for part in read):
            if words != {"||"} or not all(part.is_interval for part in read):
                raise Unreadable
            if len({part.variable for part in read}) > 1:
                raise Unreadable
            return _union([key for part in read for key in part.keys])
        variables = {part.variable for part in read}
        if len(variables - {""}) > 1:
            pairs = len(variables) < len(read) or "" in variables
            if pairs or any(len(part.keys) > 1 for part in read):
                raise Unreadable  # x=1, y=2, x=2, y=1 pairs them, and x=\pm1, y=\mp1 too
            return _set([("eq", p.variable, key) for p in read for key in p.keys])
        return _list([key for part in read for key in part.keys])

    # Open lists ------------------------------------------------------------------------------

    def _split(self, start: int, stop: int, separators: tuple[str, ...]) -> list[int]:
        """Places of separators outside of brackets."""
        places = []
        at = start
        while at < stop:
            if self.tokens[at] in separators:
                places.append(at)
            at = self.closing.get(at, at) + 1
        return places

    def _open_list(self, start: int, stop: int) -> tuple[list[tuple[int, int]], set[str]]:
        """Its entries and its separators; ", and" is one of them."""
        places = self._split(start, stop, (",", ";", "&&", "||"))
        parts: list[tuple[int, int]] = []
        for place in places:
            word = self.tokens[place] in ("&&", "||")
            if not (word and place == start and self.tokens[place - 1] in (",", ";") and parts):
                parts.append((start, place))
            start = place + 1
        return [*parts, (start, stop)], {self.tokens[place] for place in places}

    def _part(self, start: int, stop: int) -> _Part:
        signs = self._split(start, stop, _RELATIONS)
        if not signs:
            return _Part("", self._values(start, stop))
        relations = [self.tokens[place] for place in signs]
        ends = [start, *(place + 1 for place in signs)]
        sides = list(zip(ends, [*signs, stop], strict=True))
        if relations == ["="]:
            return self._equation(sides[0], sides[1])
        if relations == [r"\in"]:
            return _Part(self._lone(sides[0]), self._constants(sides[1]))
        variable, key = self._interval(sides, relations)
        return _Part(variable, [key], is_interval=True)

    def _lone(self, side: tuple[int, int]) -> str:
        name = self.name(*side)
        if name is None:
            raise Unreadable
        return name

    def _constants(self, side: tuple[int, int]) -> list[AnswerKey]:
        self.variables = set()
        keys = self._values(*side)
        if self.variables:
            raise Unreadable
        return keys

    def _equation(self, left: tuple[int, int], right: tuple[int, int]) -> _Part:
        r"""x=5 and 5=x are 5, with x as what is set; others are a key of their own.

        Those are one equation: y = \pm x would be two, so it is not read.
        """
        for one, other in ((left, right), (right, left)):
            if (name := self.name(*one)) is not None:
                self.variables = set()
                keys = self._values(*other)
                if not self.variables:
                    return _Part(name, keys)
        difference = self.algebra.add(
            self.expression(*left), self.algebra.negative(self.expression(*right))
        )
        return _Part("", [equation_key(difference, self.algebra)])

    def _interval(
        self, sides: list[tuple[int, int]], relations: list[str]
    ) -> tuple[str, AnswerKey]:
        """x>2, 2<x, -2<=x<7 and 7>x>=-2 as intervals."""
        if all(relation.startswith(">") for relation in relations):
            sides = sides[::-1]
            relations = [relation.replace(">", "<") for relation in relations[::-1]]
        if any(relation not in ("<", "<=") for relation in relations) or len(relations) > 2:
            raise Unreadable
        at = 1 if len(relations) == 2 or self.name(*sides[0]) is None else 0
        name = self._lone(sides[at])
        lower, upper = ("inf", -1), ("inf", 1)
        low, high = "(", ")"
        bounds: list[AnswerKey] = [lower, upper]
        if at == 1:
            bounds[0], low = self._bound(sides[0]), "[" if relations[0] == "<=" else "("
        if at + 1 < len(sides):
            bounds[1], high = self._bound(sides[at + 1]), "]" if relations[at] == "<=" else ")"
        _ordered(*bounds)
        return name, ("tup", low, high, *bounds)

    def _bound(self, side: tuple[int, int]) -> AnswerKey:
        keys = self._constants(side)
        if len(keys) != 1 or keys[0][0] not in ("n", "e", "u", "inf", "n%"):
            raise Unreadable
        return keys[0]

    # One entry -------------------------------------------------------------------------------

    def _values(self, start: int, stop: int) -> list[AnswerKey]:
        r"""The key of an entry; two where it holds \pm."""
        choices = sum(token in (r"\pm", r"\mp") for token in self.tokens[start:stop])
        if not choices or self.tokens[start] == r"\{":
            return [self._item(start, stop)]
        if choices > 1:
            raise Unreadable
        keys = []
        for choice in (1, -1):
            self.sign_choice = choice
            keys.append(self._item(start, stop))
        self.sign_choice = 0
        return keys

    def _item(self, start: int, stop: int) -> AnswerKey:
        if start >= stop:
            raise Unreadable
        unions = [
            place
            for place in self._split(start, stop, (r"\cup", "U"))
            if self.tokens[place] != "U" or self.tokens[place + 1 : place + 2] in (["("], ["["])
        ]
        if unions:
            ends = [start, *(place + 1 for place in unions)]
            parts = zip(ends, [*unions, stop], strict=True)
            return _union([self._union_part(*part) for part in parts])
        first = self.tokens[start]
        if self.closing.get(start) == stop - 1:
            if (structure := self._structure(first, start, stop)) is not None:
                return structure
        elif first == r"\emptyset" and stop == start + 1:
            return ("set",)
        elif self.tokens[stop - 1] == _INFINITY:
            return self._infinity(start, stop)
        if colons := self._split(start, stop, (":",)):
            return self._colon(start, stop, colons)
        value, unit = self.quantity(start, stop)
        return _measure(value, unit)

    def _union_part(self, start: int, stop: int) -> AnswerKey:
        key = self._item(start, stop)
        if key[0] not in ("tup", "set"):
            raise Unreadable
        return key

    def _structure(self, first: str, start: int, stop: int) -> AnswerKey | None:
        """What stands between the brackets at both ends, None for an expression in brackets."""
        commas = self._split(start + 1, stop - 1, (",", ";"))
        if first == r"\{":
            if stop == start + 2:
                return ("set",)
            entries = self._entries(start, stop, commas)
            return _set([key for entry in entries for key in self._values(*entry)])
        if first == r"\langle":
            entries = self._entries(start, stop, commas)
            return "vec", *(self._item(*entry) for entry in entries)
        if first.startswith("\\begin "):
            return self._matrix(first.removeprefix("\\begin "), start + 1, stop - 1)
        if first in _OPENING and commas:
            entries = self._entries(start, stop, commas)
            keys = [self._item(*entry) for entry in entries]
            closing = self.tokens[stop - 1]
            if (first, closing) != ("(", ")") and len(keys) == 2:
                _ordered(*keys)
            return "tup", first, closing, *keys
        inside = start + 1
        if first in _OPENING and self.closing.get(inside) == stop - 2:
            matrix = self.tokens[inside].startswith("\\begin ")
            return self._structure(self.tokens[inside], inside, stop - 1) if matrix else None
        return None

    def _entries(self, start: int, stop: int, commas: list[int]) -> list[tuple[int, int]]:
        ends = [start + 1, *(comma + 1 for comma in commas)]
        return list(zip(ends, [*commas, stop - 1], strict=True))

    def _matrix(self, environment: str, start: int, stop: int) -> AnswerKey:
        """Raises Unreadable where rows differ in length."""
        if environment not in _MATRICES:
            raise Unreadable
        if environment == "array" and self.tokens[start] == "{":  # {cc}
            start = self.closing[start] + 1
        rows: list[tuple[AnswerKey, ...]] = []
        for row_start, row_stop in self._between(start, stop, "\\\\"):
            if row_start == row_stop and row_stop == stop and rows:
                break  # a line end after the last row
            cells = self._between(row_start, row_stop, "&")
            rows.append(tuple(self._item(*cell) for cell in cells))
        if len({len(row) for row in rows}) != 1:
            raise Unreadable
        return _MATRICES[environment], *rows

    def _between(self, start: int, stop: int, separator: str) -> list[tuple[int, int]]:
        places = self._split(start, stop, (separator,))
        return list(zip([start, *(p + 1 for p in places)], [*places, stop], strict=True))

    def _infinity(self, start: int, stop: int) -> AnswerKey:
        signs = self.tokens[start : stop - 1]
        if signs not in ([], ["+"], ["-"]):
            raise Unreadable
        return "inf", -1 if signs == ["-"] else 1

    def _colon(self, start: int, stop: int, colons: list[int]) -> AnswerKey:
        """A time or a ratio. 3:05 is not 3:5, 03:45 is 3:45."""
        keys: list[AnswerKey] = []
        for part_start, part_stop in self._between(start, stop, ":"):
            token = self.tokens[part_start] if part_stop == part_start + 1 else ""
            if keys and is_digits(token) and len(token) > 1 and token[0] == "0":
                keys.append(("t", token))
            else:
                keys.append(expression_key(self.expression(part_start, part_stop)))
        return "colon", *keys


def _alternatives(parts: list[_Part]) -> None:
    """Checks what "or" joins: values of one variable, or points. x=0 or y=0 is not x=0, y=0.

    Raises:
        Unreadable: equations, or intervals without a variable, whose union was not asked for.
    """
    if len({part.variable for part in parts} - {""}) > 1:
        raise Unreadable
    for part in parts:
        for key in part.keys:
            if key[0] in ("eq", "cup") or (not part.is_interval and _is_interval(key)):
                raise Unreadable


def _is_interval(key: AnswerKey) -> bool:
    """Whether it cannot be a point."""
    if key[0] != "tup":
        return False
    return key[1:3] != ("(", ")") or ("inf", 1) in key or ("inf", -1) in key


def option_key(letter: str) -> AnswerKey | None:
    """Returns the key of an option, a single letter from A to D in either case, or None."""
    folded = letter.casefold()
    return ("t", folded) if folded in _OPTIONS else None


def _with_options(key: AnswerKey) -> AnswerKey:
    """(C) and i^5 are lone letters too."""
    if len(key) == 2 and key[0] == "e":
        match key[1]:
            case (((str() as name, 1, 1),), 1, 1) if len(name) == 1:
                return option_key(name) or key
    return key


def _measure(value: Quotient, unit: str) -> AnswerKey:
    number = rational_value(value)
    if unit == "%" and number is not None:
        return "n%", number.numerator, number.denominator
    key = expression_key(value)
    if not unit:
        return key
    if key[0] == "u":
        raise Unreadable
    return "u", key, unit


def _ordered(low: AnswerKey, high: AnswerKey) -> None:
    """Raises Unreadable for an interval of numbers from a larger to a smaller one."""
    match low, high:
        case ("n", int(p), int(q)), ("n", int(r), int(s)) if p * s > r * q:
            raise Unreadable


def _set(keys: list[AnswerKey]) -> AnswerKey:
    return "set", *sorted(set(keys), key=repr)


def _list(keys: list[AnswerKey]) -> AnswerKey:
    """An open list of different entries is their set; repeats are counted."""
    return _set(keys) if len(set(keys)) == len(keys) else ("list", *sorted(keys, key=repr))


def _union(parts: list[AnswerKey]) -> AnswerKey:
    different = sorted(set(parts), key=repr)
    return different[0] if len(different) == 1 else ("cup", *different)
