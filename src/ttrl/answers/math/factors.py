r"""Reads the factors of an expression from tokens: numbers, letters, fractions, roots, brackets."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from fractions import Fraction
from math import ceil, comb, factorial, floor

from ttrl.answers.math.expression_keys import is_variable
from ttrl.answers.math.numbers import decimal, is_digits
from ttrl.answers.math.terms import (
    Algebra,
    Quotient,
    Rational,
    Unreadable,
    constant,
    rational_value,
    variable,
)
from ttrl.answers.math.tokens import DEPTH_LIMIT, Tokens
from ttrl.answers.math.units import canonical_unit

FACTORIAL_LIMIT = 50
BINOMIAL_LIMIT = 200

_GREEK_NAMES = (
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu "
    "xi rho sigma tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma "
    "Upsilon Phi Psi Omega"
)
GREEK = frozenset("\\" + name for name in _GREEK_NAMES.split())
_GREEK_FACTORS = frozenset((r"\alpha", r"\beta", r"\theta", r"\lambda"))
"""Those that are not the name of a function before a bracket."""
_DIFFERENTIALS = frozenset(("d", r"\delta", r"\Delta"))
FUNCTION_LETTERS = frozenset("fghFGHPQ")
_SHORT_WORDS = (
    "of to is at by on no if in as an am pm we he do go up so us my me be it for not yes all any "
    "are was one two six ten men day way per the st nd rd th dne und nan sin cos tan cot sec csc "
    "log ln lg exp lim gcd lcm mod max min arg det dim deg sgn cis pi inf"
)
_WORDS = frozenset(_SHORT_WORDS.split())
_INSIDE_A_WORD = re.compile("pi|ln|log|sin|cos|tan|exp|Pi")
_LONGEST_PRODUCT = 3
"""Letters in a run that is read as a product; a longer one is a word."""
_SUBSCRIPT = re.compile(r"[A-Za-z0-9]+")
_STARTS_A_FACTOR = frozenset(
    ("(", "{", r"\frac", r"\sqrt", "√", r"\binom", r"\pi", r"\lfloor", r"\lceil")
)


class Factors(ABC):
    """Reads from a stretch of tokens, `_at` up to `_stop`. Anything doubtful is Unreadable."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens, self.spaced, self.closing = tokens
        self.algebra = Algebra()
        self.variables: set[str] = set()
        """Names read so far."""
        self._at = self._stop = self._depth = 0

    @abstractmethod
    def expression(self, start: int, stop: int) -> Quotient:
        """Returns the expression from start to stop."""

    @abstractmethod
    def _sum(self) -> Quotient:
        """The longest sum from here."""

    @abstractmethod
    def _raised(self, base: Quotient, first: str) -> Quotient:
        """With the exponent that follows a factor; `first` is its first token."""

    def name(self, start: int, stop: int) -> str | None:
        """Returns the single variable that the stretch consists of, or None; here e and i are variables."""
        first = self.tokens[start] if start < stop else ""
        if not (len(first) == 1 and first.isalpha()) and first not in GREEK:
            return None
        if stop == start + 1:
            return first
        if self.tokens[start + 1] != "_":
            return None
        outer = self._at, self._stop
        self._at, self._stop = start + 1, stop
        subscript = self._subscript()
        whole = self._at == stop
        self._at, self._stop = outer
        return first + subscript if whole else None

    # Factors ----------------------------------------------------------------------------------

    def _primary(self) -> Quotient:
        self._depth += 1
        if self._depth > 2 * DEPTH_LIMIT:
            raise Unreadable
        token = self._peek()
        if token == "(":
            value = self._group()
        elif token == "{":
            value = self._braced()
        elif token == r"\frac":
            self._at += 1
            start = self._at
            above = self._argument()
            middle = self._at
            value = self.algebra.divide(above, self._argument())
            if self._is_derivative(start, middle, self._at):
                raise Unreadable
        elif token in (r"\sqrt", "√"):
            value = self._square_root()
        elif token == r"\pi":
            self._at += 1
            value = self._variable(token)
        elif token in GREEK or (len(token) == 1 and token.isalpha()):
            self._at += 1
            value = self._letter(token)
        elif token == r"\binom":
            self._at += 1
            above = self._argument()
            value = _binomial(above, self._argument())
        elif token in ("|", r"\lfloor", r"\lceil"):
            value = self._between_bars()
        else:
            raise Unreadable
        self._depth -= 1
        return value

    def _group(self) -> Quotient:
        end = self.closing[self._at]
        if end >= self._stop or self.tokens[end] not in (")", "}"):
            raise Unreadable
        value = self.expression(self._at + 1, end)
        self._at = end + 1
        return value

    def _braced(self) -> Quotient:
        """Braces that no command asked for: print does not show them, so they hold one factor."""
        end = self.closing[self._at]
        if end >= self._stop:
            raise Unreadable
        self._at += 1
        number = is_number(self._peek())
        value = constant(exact(self._take())) if number else self._primary()
        if self._at != end:
            raise Unreadable
        self._at += 1
        return value

    def _argument(self) -> Quotient:
        r"""What \frac and \sqrt take: a group, one digit, one letter."""
        token = self._peek()
        if token == "{":
            return self._group()
        if is_digits(token):
            return constant(int(self._take()))
        if token == r"\pi" or (len(token) == 1 and token.isalpha()):
            self._at += 1
            return self._variable(token)
        raise Unreadable

    def _square_root(self) -> Quotient:
        degree = 2
        latex = self._take() == r"\sqrt"
        if latex and self._peek() == "[":
            if self.closing[self._at] != self._at + 2 or not is_digits(self.tokens[self._at + 1]):
                raise Unreadable
            degree = int(self.tokens[self._at + 1])
            self._at += 3
            if self._peek() == "√":
                self._at += 1
                latex = False
        if latex:
            return self.algebra.root(self._argument(), degree)
        if is_number(self._peek()):
            under = constant(exact(self._take()))
        elif self._peek() in ("(", "{"):
            under = self._group()
        else:
            return self.algebra.root(self._argument(), degree)
        bare = self.tokens[self._at - 1] not in (")", "}") and self._starts_factor(self._peek())
        if bare and not self.spaced[self._at]:  # √2x
            raise Unreadable
        if self._peek() in ("^", "!"):
            raise Unreadable
        return self.algebra.root(under, degree)

    def _letter(self, name: str) -> Quotient:
        """The variable just passed. Before a bracket it may be the name of a function."""
        function = name in FUNCTION_LETTERS or (name in GREEK and name not in _GREEK_FACTORS)
        if self._peek() == "_":
            name += self._subscript()
        if self._peek() == "'":
            raise Unreadable
        if self._peek() == "(":
            inside = self.tokens[self._at + 1]
            lone = self.closing[self._at] == self._at + 2 and (
                is_number(inside) or inside.isalpha() or inside in GREEK
            )
            if function or lone:
                raise Unreadable
        return self._variable(name)

    def _subscript(self) -> str:
        self._at += 1
        token = self._peek()
        if token == "{":
            if self.closing[self._at] != self._at + 2:
                raise Unreadable
            token = self.tokens[self._at + 1].removeprefix('"')
            self._at += 3
        else:
            self._at += 1
            if token.isalpha() and len(token) > 1:  # x_ab is x_a b
                raise Unreadable
        if not _SUBSCRIPT.fullmatch(token):
            raise Unreadable
        return "_" + token

    def _between_bars(self) -> Quotient:
        """|x|, floor and ceiling of constants."""
        opening = self._take()
        closing = {"|": "|", r"\lfloor": r"\rfloor", r"\lceil": r"\rceil"}[opening]
        value = self._sum()
        if self._peek() != closing:
            raise Unreadable
        self._at += 1
        number = rational_value(value)
        if number is None:
            raise Unreadable
        if opening == "|":
            return constant(-number if number < 0 else number)
        return constant(floor(number) if opening == r"\lfloor" else ceil(number))

    def _number(self) -> Quotient:
        r"""A number, mixed with the proper fraction that follows it: 2\frac12, 2 1/2."""
        number = self._take()
        value = exact(number)
        if self._peek() == r"\frac":
            before = self._at
            fraction = self._fraction_of_integers()
            if fraction is None:
                self._at = before
            elif is_digits(number) and 0 < fraction < 1 and self._peek() not in ("^", "!"):
                value += fraction
            else:
                raise Unreadable
        elif is_number(self._peek()):
            ahead = self.tokens[self._at : self._stop]
            if len(ahead) < 3 or ahead[1] != "/":
                raise Unreadable
            above, below = ahead[0], ahead[2]
            if not (is_digits(number) and is_digits(above) and is_digits(below)):
                raise Unreadable
            if len(above) == 3 or not 0 < int(above) < int(below):  # 1 234/5
                raise Unreadable
            self._at += 3
            if self._peek() in ("^", "!", "/", "*", "_") or self._starts_factor(self._peek()):
                raise Unreadable
            value += Fraction(int(above), int(below))
        return constant(value.numerator if value.denominator == 1 else value)

    def _fraction_of_integers(self) -> Fraction | None:
        """The fraction that starts here if it is one of two integers."""
        self._at += 1
        parts = []
        for _ in range(2):
            token = self._peek()
            if not token:
                return None
            end = self.closing[self._at] if token == "{" else self._at
            start, stop = self._unbraced(self._at, end + 1)
            token = self.tokens[start] if stop == start + 1 else ""
            self._at = end + 1
            if not is_digits(token):
                return None
            parts.append(int(token))
        return Fraction(parts[0], parts[1]) if parts[1] else None

    def _letters(self) -> Quotient:
        """A run of letters as a product; an exponent, a subscript or a bracket is of the last."""
        letters = self._peek()
        if len(letters) > _LONGEST_PRODUCT or letters.casefold() in _WORDS:
            raise Unreadable
        if _INSIDE_A_WORD.search(letters):
            raise Unreadable
        a_word = len(letters) == _LONGEST_PRODUCT or canonical_unit(letters) is not None
        if a_word and self.spaced[self._at] and is_number(self.tokens[self._at - 1]):  # 5 men
            raise Unreadable
        value = self._variable(letters[0])
        for letter in letters[1:-1]:
            value = self.algebra.multiply(value, self._variable(letter))
        self._at += 1
        last = self._raised(self._letter(letters[-1]), letters[-1])
        return self.algebra.multiply(value, last)

    def _is_derivative(self, start: int, middle: int, stop: int) -> bool:
        """Whether a fraction, above up to middle and below from there, may be dy/dx or d/dx."""
        if not self._has_differential(middle, stop):
            return False
        above = [token for token in self.tokens[start:middle] if token not in ("{", "}")]
        return above[0] in _DIFFERENTIALS or self._has_differential(start, middle)

    def _has_differential(self, start: int, stop: int) -> bool:
        """Whether a letter d stands in front of a variable."""
        for place in range(start, stop):
            token = self.tokens[place]
            if token.isalpha() and "d" in token[:-1]:
                return True
            if token in _DIFFERENTIALS or (token.isalpha() and token[-1] == "d"):
                after = self.tokens[place + 1] if place + 1 < stop else ""
                if after.isalpha() or after in GREEK:
                    return True
        return False

    # Small pieces ----------------------------------------------------------------------------

    def _peek(self) -> str:
        return self.tokens[self._at] if self._at < self._stop else ""

    def _take(self) -> str:
        token = self._peek()
        self._at += 1
        return token

    def _unbraced(self, start: int, stop: int) -> tuple[int, int]:
        """The stretch without the braces around all of it."""
        while start < stop and self.tokens[start] == "{" and self.closing[start] == stop - 1:
            start, stop = start + 1, stop - 1
        return start, stop

    def _variable(self, name: str) -> Quotient:
        if is_variable(name):
            self.variables.add(name)
        return variable(name)

    def _starts_factor(self, token: str) -> bool:
        return (
            token in _STARTS_A_FACTOR or token in GREEK or token.isalpha() or is_number(token)
        ) and token != ""


def is_number(token: str) -> bool:
    return is_digits(token[:1]) or (len(token) > 1 and token[0] == ".")


def exact(number: str) -> Rational:
    if is_digits(number):
        return int(number)
    value = decimal(number)
    return value.numerator if value.denominator == 1 else value


def factorial_of(value: Quotient) -> Quotient:
    n = rational_value(value)
    if n is None or n.denominator != 1 or not 0 <= n <= FACTORIAL_LIMIT:
        raise Unreadable
    return constant(factorial(n.numerator))


def _binomial(above: Quotient, below: Quotient) -> Quotient:
    n, k = rational_value(above), rational_value(below)
    if n is None or k is None or n.denominator != 1 or k.denominator != 1:
        raise Unreadable
    if not 0 <= n <= BINOMIAL_LIMIT or not 0 <= k <= BINOMIAL_LIMIT:
        raise Unreadable
    return constant(comb(n.numerator, k.numerator))
