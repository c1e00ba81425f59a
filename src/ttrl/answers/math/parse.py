r"""Parses tokens into exact expressions, by recursive descent.

Read as mathematics is written: juxtaposition is a product, x(x+1) too, and -x^2 is -(x^2). Where a
spelling may mean two things nothing is read: 1/2x, 2^3^2, f(2), 2 3, x2, 5--3, 2{3}, dy/dx, ABC.
"""

from __future__ import annotations

from ttrl.answers.math.factors import (
    FUNCTION_LETTERS,
    GREEK,
    Factors,
    exact,
    factorial_of,
    is_number,
)
from ttrl.answers.math.terms import Quotient, Rational, Unreadable, constant, rational_value
from ttrl.answers.math.tokens import DEPTH_LIMIT, Tokens
from ttrl.answers.math.units import SINGLE_LETTERS, canonical_unit

_UNIT_TOKENS = frozenset(("/", "^", "{", "}", ".", "%", "°"))
_CAPITALS_OF_AN_ANGLE = 3


class Expressions(Factors):
    """Reads expressions from a stretch of tokens, `at` up to `stop`."""

    def __init__(self, tokens: Tokens) -> None:
        super().__init__(tokens)
        self.sign_choice = 0
        r"""The sign that \pm means, 1 or -1, and \mp its opposite; 0 if neither is accepted."""
        self._start = 0
        self._unit: str | None = None

    def quantity(self, start: int, stop: int) -> tuple[Quotient, str]:
        """Returns the expression from start to stop and its unit: "" for none, "%" for percent."""
        outer = self._start, self._at, self._stop, self._unit, self.variables
        start, stop = self._unbraced(start, stop)
        self._start, self._at, self._stop, self._unit = start, start, stop, None
        self.variables = set()
        value = self._sum()
        if self._unit is None and self._at < stop:
            self._read_unit()
        if self._at < stop:
            raise Unreadable
        unit = self._unit or ""
        inner = self.variables
        self._start, self._at, self._stop, self._unit, self.variables = outer
        self.variables |= inner
        return value, unit

    def expression(self, start: int, stop: int) -> Quotient:
        """Returns the expression from start to stop; a unit is Unreadable."""
        value, unit = self.quantity(start, stop)
        if unit:
            raise Unreadable
        return value

    # One level of the grammar each -----------------------------------------------------------

    def _sum(self) -> Quotient:
        self._depth += 1
        if self._depth > 2 * DEPTH_LIMIT:
            raise Unreadable
        sign = self._sign()
        value = self._product()
        if sign < 0:
            value = self.algebra.negative(value)
        while self._peek() in ("+", "-", r"\pm", r"\mp"):
            sign = self._sign()
            if self._unit is not None or self._peek() in ("+", "-", r"\pm", r"\mp"):
                raise Unreadable
            term = self._product()
            value = self.algebra.add(value, self.algebra.negative(term) if sign < 0 else term)
        self._depth -= 1
        return value

    def _sign(self) -> int:
        token = self._peek()
        if token not in ("+", "-", r"\pm", r"\mp"):
            return 1
        self._at += 1
        if token in (r"\pm", r"\mp"):
            if not self.sign_choice:
                raise Unreadable
            return self.sign_choice if token == r"\pm" else -self.sign_choice
        return -1 if token == "-" else 1

    def _product(self) -> Quotient:
        """Factors side by side, with * and /, from left to right."""
        start = last = self._at
        capitals = _capitals(0, self._peek())
        value = self._power(first=True)
        after_slash = False
        while self._unit is None:
            token = self._peek()
            if token in ("*", "/"):
                middle = self._at
                self._at += 1
                sign = self._sign()
                last = self._at
                capitals = _capitals(0, self._peek())
                factor = self._power(first=True)
                if token == "/" and self._is_derivative(start, middle, self._at):
                    raise Unreadable
                if sign < 0:
                    factor = self.algebra.negative(factor)
                after_slash = token == "/"
                operation = self.algebra.divide if after_slash else self.algebra.multiply
                value = operation(value, factor)
            elif self._starts_unit(token):
                self._read_unit()
            elif self._starts_factor(token):
                if after_slash or "{" in (token, self.tokens[last]):  # 1/2x, 2{3}
                    raise Unreadable
                last = self._at
                capitals = _capitals(capitals, token)
                value = self.algebra.multiply(value, self._power(first=False))
            else:
                break
        return value

    def _power(self, *, first: bool) -> Quotient:
        """A factor with its exponent. A number is one only after no other factor."""
        token = self._peek()
        if is_number(token) and first:
            return self._raised(self._number(), token)
        if token.isalpha() and len(token) > 1:
            return self._letters()
        return self._raised(self._primary(), token)

    def _raised(self, base: Quotient, first: str) -> Quotient:
        """With the factorial, the degree mark and the exponent that follow it."""
        while self._peek() in ("!", "°"):
            if self._peek() == "!":
                base = factorial_of(base)
                if self.tokens[self._at + 1 : self._at + 2] == ["!"]:
                    raise Unreadable
            self._at += 1
        if self._peek() != "^":
            return base
        self._at += 1
        exponent = self._exponent()
        base = self.algebra.power(base, exponent)
        if self._peek() in ("^", "!", "_", "'"):
            raise Unreadable
        if self._peek() == "(":  # f^2(x), T^{-1}(x)
            inverse = exponent == -1 and (first.isalpha() or first in GREEK)
            if inverse or first in FUNCTION_LETTERS:
                raise Unreadable
        return base

    def _exponent(self) -> Rational:
        if self._peek() in ("{", "("):
            value = self._group()
        elif self._peek() == r"\frac":
            value = self._primary()
        else:
            sign = -1 if self._peek() == "-" else 1
            self._at += self._peek() in ("+", "-")
            if not is_number(self._peek()):
                raise Unreadable
            value = constant(sign * exact(self._take()))
        exponent = rational_value(value)
        if exponent is None:
            raise Unreadable
        return exponent

    def _starts_unit(self, token: str) -> bool:
        """A letter is a unit after nothing but a number, a word where there is no variable."""
        if token[:1] == '"':
            pass
        elif token in SINGLE_LETTERS:
            signed = self.tokens[self._start] in ("+", "-", r"\pm")
            if self._at != self._start + 1 + signed or not is_number(self.tokens[self._at - 1]):
                return False
        elif not token.isalpha() or len(token) == 1 or self.variables:
            return False
        return self._depth == 1 and self._unit_to_the_end() is not None

    def _unit_to_the_end(self) -> str | None:
        pieces = self.tokens[self._at : self._stop]
        if not all(p[0] == '"' or p.isalpha() or p in _UNIT_TOKENS or p in "23" for p in pieces):
            return None
        return canonical_unit(" ".join(piece.removeprefix('"') for piece in pieces))

    def _read_unit(self) -> None:
        unit = self._unit_to_the_end()
        if unit is None:
            raise Unreadable
        self._unit = unit
        self._at = self._stop


def _capitals(before: int, token: str) -> int:
    """Capital letters in a row up to this factor. Three name an angle: ABC is not ACB.

    Raises:
        Unreadable: there are three.
    """
    for letter in token if token.isalpha() else " ":
        before = before + 1 if letter.isupper() else 0
        if before == _CAPITALS_OF_AN_ANGLE:
            raise Unreadable
    return before
