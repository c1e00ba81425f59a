r"""Computes with sums of terms exactly; limits are checked before the arithmetic.

A term is a rational coefficient times a monomial; a monomial maps bases to exponents. Bases are
variables, the constants "\pi", "e" and "i", and primes ("2", "3") for surds: \sqrt{12} is
2 * 3^(1/2). Exponents of primes lie in [0, 1) and i^2 = -1, so equal sums have equal terms, since
fractional powers of different products of primes are linearly independent over the rationals.

A quotient that is no such sum is kept as two of them. Whatever cannot be said exactly is
`Unreadable`: roots of sums, variables in exponents, sqrt(x^2), too much work.
"""

from __future__ import annotations

from fractions import Fraction
from math import floor
from typing import NamedTuple

from ttrl.answers.math.numbers import BIT_LIMIT, UnknownFactors, factors

Rational = int | Fraction
Monomial = tuple[tuple[str, Rational], ...]
Sum = dict[Monomial, Rational]

TERM_LIMIT = 64
SUM_EXPONENT_LIMIT = 32
EXPONENT_LIMIT = 10**6
WORK_LIMIT = 1_200
"""Most products of two terms in one answer; each counts once more per 1024 bits."""
_ROOT_LIMIT = 32
_POSITIVE = (r"\pi", "e")

ONE: Sum = {(): 1}


class Unreadable(Exception):
    """The expression cannot be read exactly: it is too large, undefined or beyond this algebra."""


class Quotient(NamedTuple):
    """A quotient, above / below; below is the object ONE if it is a plain sum of terms."""

    above: Sum
    below: Sum


def constant(value: Rational) -> Quotient:
    return Quotient({(): value} if value else {}, ONE)


def variable(name: str) -> Quotient:
    return Quotient({((name, 1),): 1}, ONE)


def rational_value(value: Quotient) -> Rational | None:
    """Returns the value of a rational constant, else None."""
    above, below = value
    if below is not ONE or len(above) > 1 or (above and () not in above):
        return None
    return above.get((), 0)


class Algebra:
    """Arithmetic on quotients, with one limit of work for all operations together."""

    def __init__(self) -> None:
        self._work_left = WORK_LIMIT

    def add(self, one: Quotient, other: Quotient) -> Quotient:
        if one.below is other.below or one.below == other.below:
            return self._quotient(_sum(one.above, other.above), one.below)
        above = _sum(self._times(one.above, other.below), self._times(other.above, one.below))
        return self._quotient(above, self._times(one.below, other.below))

    def negative(self, value: Quotient) -> Quotient:
        return Quotient({monomial: -c for monomial, c in value.above.items()}, value.below)

    def multiply(self, one: Quotient, other: Quotient) -> Quotient:
        above = self._times(one.above, other.above)
        return self._quotient(above, self._times(one.below, other.below))

    def divide(self, one: Quotient, other: Quotient) -> Quotient:
        """Returns one / other; raises Unreadable for a division by zero."""
        above = self._times(one.above, other.below)
        return self._quotient(above, self._times(one.below, other.above))

    def power(self, base: Quotient, exponent: Rational) -> Quotient:
        """Returns the power; raises Unreadable for 0^0 and ambiguous values such as (x^2)^(1/2)."""
        if exponent.denominator != 1:
            return self._root(base, Fraction(exponent))
        n = exponent.numerator
        if n < 0:
            return self.divide(constant(1), self.power(base, -n))
        if not base.above:
            if n == 0:
                raise Unreadable
            return base
        if base.below is ONE and len(base.above) == 1:
            ((monomial, coefficient),) = base.above.items()
            factor = _number_power(coefficient, n)
            scale, powers = reduced({name: e * n for name, e in monomial})
            return Quotient({powers: _checked(factor * scale)}, ONE)
        if n > SUM_EXPONENT_LIMIT:
            raise Unreadable
        above, below = ONE, ONE
        for _ in range(n):
            above = self._times(above, base.above)
            below = self._times(below, base.below)
        return self._quotient(above, below)

    def root(self, value: Quotient, degree: int) -> Quotient:
        """Returns the root as its sign is read: of a negative number the real one, if the degree is odd."""
        if not 1 < degree <= _ROOT_LIMIT:
            raise Unreadable
        number = rational_value(value)
        if number is not None and number < 0 and degree % 2:
            return self.negative(self._root(constant(-number), Fraction(1, degree)))
        return self._root(value, Fraction(1, degree))

    def _root(self, value: Quotient, exponent: Fraction) -> Quotient:
        if not value.above and exponent > 0:
            return value
        if value.below is not ONE or len(value.above) != 1:
            raise Unreadable
        if exponent.denominator > _ROOT_LIMIT or abs(exponent) > SUM_EXPONENT_LIMIT:
            raise Unreadable
        ((monomial, coefficient),) = value.above.items()
        powers: dict[str, Rational] = {}
        for name, e in monomial:
            if name not in _POSITIVE and not name.isdigit() and (e != 1 or len(monomial) > 1):
                raise Unreadable
            if name == "i":
                raise Unreadable
            powers[name] = e * exponent
        if coefficient < 0:
            if exponent.denominator != 2 or any(_is_variable(name) for name in powers):
                raise Unreadable
            powers["i"] = exponent.numerator
        for number, sign in ((abs(coefficient.numerator), 1), (coefficient.denominator, -1)):
            for prime, count in self._factors(number):
                powers[str(prime)] = powers.get(str(prime), 0) + sign * count * exponent
        scale, root = reduced(powers)
        return Quotient({root: _checked(scale)}, ONE)

    def _factors(self, number: int) -> tuple[tuple[int, int], ...]:
        self._work(1 if number < 10**6 else 30)
        try:
            return factors(number)
        except UnknownFactors:
            raise Unreadable from None

    def _times(self, one: Sum, other: Sum) -> Sum:
        if one is ONE:
            return other
        if other is ONE:
            return one
        self._work(len(one) * len(other))
        product: Sum = {}
        for monomial, c in one.items():
            for factor, d in other.items():
                scale, powers = _monomial_product(monomial, factor)
                value = _checked(c * d * scale)
                bits = value.numerator.bit_length() + value.denominator.bit_length()
                if bits > 1024:
                    self._work(bits >> 10)
                total = product.get(powers, 0) + value
                if total:
                    product[powers] = total
                else:
                    product.pop(powers, None)
        if len(product) > TERM_LIMIT:
            raise Unreadable
        return product

    def _quotient(self, above: Sum, below: Sum) -> Quotient:
        """In simplest form: without a denominator if it divides, without surds in it if it stays.

        Raises:
            Unreadable: the denominator is zero, or has roots other than square roots.
        """
        if below is ONE:
            return Quotient(above, ONE)
        if not below:
            raise Unreadable
        if not above:
            return constant(0)
        if len(below) > 1:
            above, below = self._without_surds_below(above, below)
        if len(below) == 1:
            ((monomial, coefficient),) = below.items()
            scale, inverse = reduced({name: -e for name, e in monomial})
            factor = Fraction(scale) / coefficient
            return Quotient(self._times(above, {inverse: _checked(factor)}), ONE)
        exact = self._exact_division(above, below)
        return Quotient(above, below) if exact is None else Quotient(exact, ONE)

    def _without_surds_below(self, above: Sum, below: Sum) -> tuple[Sum, Sum]:
        """Both times the conjugates of the denominator, which becomes rational in its variables."""
        while len(below) > 1:
            surds = sorted({n for monomial in below for n, _ in monomial if not _is_variable(n)})
            if not surds:
                break
            self._work(len(below) ** 2)
            conjugate = _conjugate(below, surds[0])
            above, below = self._times(above, conjugate), self._times(below, conjugate)
        return above, below

    def _exact_division(self, above: Sum, below: Sum) -> Sum | None:
        """The quotient as a sum of terms (with negative exponents too), or None if it is none.

        Long division by leading terms, after the monomial that divides each side is taken out.
        `below` has no surds, so each surd of `above` is divided on its own.
        """
        names = sorted({n for m in (*above, *below) for n, _ in m if _is_variable(n)})
        rest, below_terms = _dense(above, names), _dense(below, names)
        shift = _lowest(rest)
        shift_below = _lowest(below_terms)
        rest = {(_minus(e, shift), surds): c for (e, surds), c in rest.items()}
        divisor = {_minus(e, shift_below): c for (e, _), c in below_terms.items()}
        lead = max(divisor)
        quotient: Sum = {}
        while rest:
            self._work(len(divisor) + len(rest) // 4)
            leading = max(rest)
            exponents = _minus(leading[0], lead)
            if any(e < 0 for e in exponents):
                return None
            factor = _checked(Fraction(rest[leading]) / divisor[lead])
            for e, c in divisor.items():
                place = (tuple(a + b for a, b in zip(exponents, e, strict=True)), leading[1])
                total = _checked(rest.get(place, 0) - factor * c)
                if total:
                    rest[place] = total
                else:
                    rest.pop(place, None)
            powers = dict(zip(names, exponents, strict=True))
            for name, low, low_below in zip(names, shift, shift_below, strict=True):
                powers[name] += low - low_below
            quotient[reduced({**powers, **dict(leading[1])})[1]] = factor
            if len(quotient) > TERM_LIMIT:
                raise Unreadable
        return quotient

    def _work(self, amount: int) -> None:
        self._work_left -= amount
        if self._work_left < 0:
            raise Unreadable


def reduced(powers: dict[str, Rational]) -> tuple[Rational, Monomial]:
    """Returns the rational factor and the monomial of a product of powers.

    Raises:
        Unreadable: a fractional power of i, or a number over the limits.
    """
    scale: Rational = 1
    monomial: list[tuple[str, Rational]] = []
    for name in sorted(powers):
        exponent = powers[name]
        if name.isdigit():
            whole = floor(exponent)
            if whole:
                scale *= _number_power(int(name), whole)
                exponent -= whole
        elif name == "i":
            if exponent.denominator != 1:
                raise Unreadable
            turns = exponent.numerator % 4
            exponent = turns % 2
            if turns >= 2:
                scale = -scale
        elif not -EXPONENT_LIMIT <= exponent <= EXPONENT_LIMIT:
            raise Unreadable
        if exponent:
            whole_exponent = exponent.denominator == 1
            monomial.append((name, exponent.numerator if whole_exponent else exponent))
    return scale, tuple(monomial)


def _is_variable(name: str) -> bool:
    """Whether it is a variable, or pi or e, which no rational polynomial holds at zero."""
    return name != "i" and not name.isdigit()


def _sum(one: Sum, other: Sum) -> Sum:
    total = dict(one)
    for monomial, c in other.items():
        value = _checked(total.get(monomial, 0) + c)
        if value:
            total[monomial] = value
        else:
            total.pop(monomial, None)
    if len(total) > TERM_LIMIT:
        raise Unreadable
    return total


def _monomial_product(one: Monomial, other: Monomial) -> tuple[Rational, Monomial]:
    if not one:
        return 1, other
    if not other:
        return 1, one
    powers = dict(one)
    for name, exponent in other:
        powers[name] = powers.get(name, 0) + exponent
    return reduced(powers)


def _number_power(base: Rational, n: int) -> Rational:
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    if base not in (1, -1) and bits * abs(n) > BIT_LIMIT + abs(n):
        raise Unreadable
    if n < 0:
        return Fraction(1, 1) / base ** (-n)
    if n > BIT_LIMIT:  # of 1 or -1
        n = n % 2 + 2
    power: Rational = base**n
    return power


def _checked(value: Rational) -> Rational:
    """An int where it is one, which is faster. Raises Unreadable over the limit of bits."""
    if value.numerator.bit_length() > BIT_LIMIT or value.denominator.bit_length() > BIT_LIMIT:
        raise Unreadable
    return value.numerator if value.denominator == 1 else value


def _conjugate(value: Sum, base: str) -> Sum:
    """With the other sign of the square root of a prime, or of i."""
    flipped: Sum = {}
    for monomial, c in value.items():
        exponent = dict(monomial).get(base, 0)
        if exponent and base != "i" and exponent != Fraction(1, 2):
            raise Unreadable
        flipped[monomial] = -c if exponent else c
    return flipped


Exponents = tuple[Rational, ...]


def _dense(value: Sum, names: list[str]) -> dict[tuple[Exponents, Monomial], Rational]:
    terms = {}
    for monomial, c in value.items():
        powers = dict(monomial)
        exponents = tuple(powers.get(name, 0) for name in names)
        surds = tuple(power for power in monomial if not _is_variable(power[0]))
        terms[exponents, surds] = c
    return terms


def _lowest(terms: dict[tuple[Exponents, Monomial], Rational]) -> Exponents:
    return tuple(map(min, zip(*(exponents for exponents, _ in terms), strict=True)))


def _minus(one: Exponents, other: Exponents) -> Exponents:
    return tuple(a - b for a, b in zip(one, other, strict=True))
