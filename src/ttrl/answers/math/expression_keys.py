r"""Turns exact expressions into keys.

    ("n", 1, 2)                                     a rational number
    ("e", (((("x", 1, 1),), 3, 1), ...)             a sum of terms: 3x + ...
    ("u", ("n", 5, 1), "m")                         5m, which is also 5 meters
    ("q", (surds, value, ...), ...)                 a quotient that is no such sum
    ("eq", ...)                                     an equation, up to a constant factor

A quotient has many forms, since common factors are not searched for. Its key is what it does: for
each product of surds in the numerator (these are linearly independent over the rational functions),
the value of that part at a fixed point, modulo two primes of 126 and 128 bits. Two functions with
degrees below 10^3 that differ have the same values with a chance of about 10^-70.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from math import lcm

from ttrl.answers.math.terms import (
    ONE,
    Algebra,
    Monomial,
    Quotient,
    Sum,
    Unreadable,
    rational_value,
)
from ttrl.answers.math.units import SINGLE_LETTERS, unit_name
from ttrl.types import AnswerKey

_PRIMES = (2**128 - 15_449, 2**126 - 21_005)
"""Both are 2q + 1 for a prime q, so that nearly every residue has all roots."""
_ROOTS = lcm(*range(1, 33))
"""Variables stand for powers with this exponent, so that x^(1/2) and x^(1/3) have a value too."""
_CONSTANTS = (r"\pi", "e", "i")


def expression_key(value: Quotient) -> AnswerKey:
    """Returns a key that two expressions share exactly when they are equal wherever both are defined."""
    number = rational_value(value)
    if number is not None:
        return "n", number.numerator, number.denominator
    if value.below is not ONE:
        return "q", *((surds, *values) for surds, values in _fingerprint(value, (0,)))
    return _measure_key(value.above) or ("e", *_terms(value.above))


def equation_key(difference: Quotient, algebra: Algebra) -> AnswerKey:
    """Returns the key of the equation difference = 0, which is that of its constant multiples.

    Raises:
        Unreadable: no variable is left.
    """
    if difference.below is not ONE:
        return "eq", *_scaled(_fingerprint(difference, (0, 1)))
    by_variables: dict[Monomial, Sum] = {}
    for monomial, c in difference.above.items():
        variables = tuple(power for power in monomial if is_variable(power[0]))
        constants = tuple(power for power in monomial if not is_variable(power[0]))
        by_variables.setdefault(variables, {})[constants] = c
    leading = max(by_variables, default=())
    if not leading:
        raise Unreadable
    monic = algebra.divide(difference, Quotient(by_variables[leading], ONE))
    return "eq", *expression_key(monic)


def is_variable(name: str) -> bool:
    """Returns whether a name of a key is an unknown, not a prime under a root, pi, e or i."""
    return name not in _CONSTANTS and not name.isdigit()


def _terms(value: Sum) -> list[tuple[object, ...]]:
    return sorted((_names(m), c.numerator, c.denominator) for m, c in value.items())


def _names(monomial: Monomial) -> tuple[tuple[str, int, int], ...]:
    return tuple((name, e.numerator, e.denominator) for name, e in monomial)


def _measure_key(value: Sum) -> AnswerKey | None:
    """5m as 5 meters; a bare m is a variable."""
    if len(value) > 1:
        return None
    ((monomial, coefficient),) = value.items()
    unit = {name: e.numerator for name, e in monomial if is_variable(name)}
    constants = tuple(power for power in monomial if not is_variable(power[0]))
    if not unit or not SINGLE_LETTERS.issuperset(unit) or (not constants and abs(coefficient) == 1):
        return None
    if any(e not in range(-3, 4) for name, e in monomial if name in unit):
        return None
    signs = sorted(e > 0 for e in unit.values())
    if signs not in ([True], [False], [False, True]):
        return None
    return "u", expression_key(Quotient({constants: coefficient}, ONE)), unit_name(unit)


Fingerprint = list[tuple[tuple[tuple[str, int, int], ...], list[int]]]


def _fingerprint(value: Quotient, points: tuple[int, ...]) -> Fingerprint:
    """Return, for each product of surds of the numerator, its values at each point modulo each prime."""
    parts: dict[Monomial, Sum] = {}
    for monomial, c in value.above.items():
        surds = tuple(p for p in monomial if p[0] == "i" or p[0].isdigit())
        rest = tuple(p for p in monomial if p[0] != "i" and not p[0].isdigit())
        parts.setdefault(surds, {})[rest] = c
    return sorted(
        (
            _names(surds),
            [
                _value(part, point, prime) * _inverse(_value(value.below, point, prime), prime)
                % prime
                for prime in _PRIMES
                for point in points
            ],
        )
        for surds, part in parts.items()
    )  # fmt: skip


def _scaled(fingerprint: Fingerprint) -> list[tuple[object, ...]]:
    """Scale the first value to 1 modulo each prime, which takes a rational factor out."""
    first = fingerprint[0][1]
    per_prime = len(first) // len(_PRIMES)
    scales = [_inverse(first[i * per_prime], prime) for i, prime in enumerate(_PRIMES)]
    return [
        (
            surds,
            *(
                value * scales[i // per_prime] % _PRIMES[i // per_prime]
                for i, value in enumerate(values)
            ),
        )
        for surds, values in fingerprint
    ]


def _value(part: Sum, point: int, prime: int) -> int:
    total = 0
    for monomial, c in part.items():
        term = c.numerator * _inverse(c.denominator, prime)
        for name, exponent in monomial:
            if _ROOTS % exponent.denominator:
                raise Unreadable
            power = exponent.numerator * (_ROOTS // exponent.denominator)
            term = term * pow(_coordinate(name, point), power, prime) % prime
        total += term
    return total % prime


def _inverse(number: int, prime: int) -> int:
    if number % prime == 0:
        raise Unreadable
    return pow(number, -1, prime)


@lru_cache(maxsize=1_000)
def _coordinate(name: str, point: int) -> int:
    digest = hashlib.blake2b(f"{point}:{name}".encode("utf-8", "surrogatepass"), digest_size=32)
    return int.from_bytes(digest.digest(), "big")
