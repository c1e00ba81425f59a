"""Computes values of an expression at fixed points and checks that all of its parts show in them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import mpmath
import sympy

from ttrl.answers.slow.grammar import RealRoot, UnclearAnswer

DIGITS = 50
"""Digits of a value: 12 may be lost to parts with little effect, and 24 to two nearly equal fractions."""
SURE_DIGITS = 55
POINTS, TRIED_POINTS = 8, 24
GRIPPED_POINTS = 3
"""Number of points at which every number and variable must affect the value."""
LEAST_GRIP = 1e-12
GROWTH_LIMIT = 2_000
"""Largest argument of an exponential, exponent of a power and, in digits, argument of a function."""

Expression = Any  # sympy and mpmath have no types
Number = Any
Point = Mapping[Expression, Number]

_NAMES = (
    "sin cos tan cot sec csc asin acos atan acot asec acsc sinh cosh tanh coth sech csch asinh acosh "
    "atanh acoth asech acsch exp log sign floor"
)
_NUMERIC = {
    **{getattr(sympy, name): getattr(mpmath, name) for name in _NAMES.split() if name != "log"},
    **{sympy.log: mpmath.ln, sympy.ceiling: mpmath.ceil, sympy.Abs: mpmath.fabs},
    **{sympy.arg: mpmath.arg, sympy.re: mpmath.re, sympy.im: mpmath.im},
    RealRoot: lambda number, degree: mpmath.sign(number) * mpmath.fabs(number) ** (1 / degree),
    **{sympy.Max: lambda *values: max(values), sympy.Min: lambda *values: min(values)},
}


def fixed_points(expression: Expression, symbols: list[Expression]) -> list[Point]:
    """Returns the first points of a fixed series at which the expression has a value."""
    found: list[Point] = []
    for number in range(TRIED_POINTS if symbols else 1):
        point = {symbol: _coordinate(symbol.name, number) for symbol in symbols}
        try:
            _evaluated(expression, point, 30)
        except ZeroDivisionError:
            continue
        found.append(point)
        if len(found) == (POINTS if symbols else 1):
            return found
    raise UnclearAnswer("no values")


def _coordinate(name: str, number: int) -> Expression:
    """A fixed rational between 0.2 and 6 in size; z and w also get an imaginary part.

    No two of the usual variables have the same signs at all points, or opposite ones, so that |xy| is
    not xy. Every variable is positive at the first point and negative at some of the first eight.
    """
    draw = hashlib.blake2b(f"{name} {number}".encode(), digest_size=8).digest()
    letter = ord(name) if len(name) == 1 else hashlib.blake2b(name.encode()).digest()[0]
    negative = (letter % 128 or 1) >> (number - 1) % 8 & 1 if number % 8 else 0
    size = sympy.Rational(3 + draw[0] % 38, (7, 11, 13)[draw[1] % 3])
    value = -size if negative else size
    return value + sympy.I * sympy.Rational(1 + draw[2] % 20, 17) if name[0] in "zw" else value


def matters(
    expression: Expression, symbol: Expression, at: list[Point], values: list[Number]
) -> bool:
    """Returns whether the value changes when only this variable does."""
    for number, (point, value) in enumerate(zip(at, values, strict=True)):
        moved = {**point, symbol: at[(number + 1) % len(at)][symbol]}
        try:
            other = value_at(expression, moved)
        except ZeroDivisionError:
            return True
        if digits_of(other) != digits_of(value):
            return True
    return False


def value_at(expression: Expression, point: Point) -> Number:
    """Returns the value, sure to 55 digits: computed with more and more digits until two results agree."""
    before = _evaluated(expression, point, 75)
    for digits in (110, 260):
        with mpmath.workdps(digits):
            value = _evaluated(expression, point, digits)
            difference = abs(value - before)
            if difference <= abs(value) * mpmath.mpf(10) ** -SURE_DIGITS:
                return _without_dust(value, SURE_DIGITS)
            if abs(value) < mpmath.mpf(10) ** (20 - digits) and difference < mpmath.mpf(10) ** -40:
                return mpmath.mpf(0)
        before = value
    raise UnclearAnswer("cancellation")


def _evaluated(expression: Expression, point: Point, digits: int) -> Number:
    with mpmath.workdps(digits):
        value = _node_value(expression, point)
        if not (mpmath.isfinite(value)):
            raise ZeroDivisionError
        return value


def _node_value(node: Expression, point: Point) -> Number:
    if isinstance(node, sympy.Rational):
        return mpmath.mpf(node.p) / node.q
    if isinstance(node, sympy.Symbol):
        real, imaginary = point[node].as_real_imag()
        return (
            mpmath.mpc(*(mpmath.mpf(part.p) / part.q for part in (real, imaginary)))
            if (imaginary)
            else mpmath.mpf(real.p) / real.q
        )
    if node in (sympy.pi, sympy.E):
        return +(mpmath.pi if node == sympy.pi else mpmath.e)
    if node == sympy.I:
        return mpmath.mpc(0, 1)
    return _applied(node, [_node_value(part, point) for part in node.args])


def _applied(node: Expression, parts: list[Number]) -> Number:
    if isinstance(node, sympy.Add):
        value = mpmath.fsum(parts)
    elif isinstance(node, sympy.Mul):
        value = mpmath.fprod(parts)
    elif isinstance(node, sympy.Pow):
        value = _power(*parts)
    elif node.func in _NUMERIC:
        if node.func in (sympy.exp, sympy.sinh, sympy.cosh, sympy.tanh):
            _check_growth(parts[0])
        if any(mpmath.mag(part) > 4 * GROWTH_LIMIT for part in parts if part):
            raise UnclearAnswer("a large argument")
        value = _NUMERIC[node.func](*parts)
    else:
        raise UnclearAnswer(f"{node.func} has no value here")
    return _without_dust(value, mpmath.mp.dps - 12)


def _power(base: Number, exponent: Number) -> Number:
    _check_growth(exponent)
    if not base and mpmath.re(exponent) <= 0:
        raise ZeroDivisionError
    return mpmath.power(base, exponent)


def _check_growth(exponent: Number) -> None:
    if abs(exponent) > GROWTH_LIMIT:
        raise UnclearAnswer("a large exponent")


def _without_dust(value: Number, digits: int) -> Number:
    """A part that is only a rounding error beside the other one would choose sides of branch cuts."""
    if not isinstance(value, mpmath.mpc):
        return value
    dust = abs(value) * mpmath.mpf(10) ** -digits
    if abs(value.imag) <= dust:
        return value.real
    return mpmath.mpc(0, value.imag) if abs(value.real) <= dust else value


# Grip


def check_grip(expression: Expression, at: list[Point]) -> None:
    needed = min(GRIPPED_POINTS, len(at))
    left = len(at)
    for point in at:
        with mpmath.workdps(60):
            needed -= _value_and_grip(expression, point)[1] >= LEAST_GRIP
        left -= 1
        if not needed:
            return
        if left < needed:
            break
    raise UnclearAnswer("a part that does not show in the digits")


def _value_and_grip(node: Expression, point: Point) -> tuple[Number, float]:
    """The value, and the least relative change of it by one of its leaves, for a change of 1 of that."""
    if not node.args:
        return _node_value(node, point), 1.0
    pairs = [_value_and_grip(part, point) for part in node.args]
    parts = [value for value, _ in pairs]
    value = _applied(node, parts)
    least = min(
        (_own_grip(node, parts, number, value) * grip for number, (_, grip) in enumerate(pairs)),
    )
    return value, least


def _own_grip(node: Expression, parts: list[Number], number: int, value: Number) -> Number:
    if isinstance(node, (sympy.Mul, RealRoot)):
        return 1
    if not value:
        return mpmath.mpf(10) ** 40
    if isinstance(node, sympy.Add):
        return abs(parts[number] / value)
    step = mpmath.mpf(10) ** -15
    moved = list(parts)
    moved[number] *= 1 + step
    try:
        return abs((_applied(node, moved) - value) / (value * step))
    except ZeroDivisionError:
        return 1


def nearest_rational(value: Number) -> Expression | None:
    """Returns a simple rational that is very near: a reason to search, never an argument for equality."""
    if isinstance(value, mpmath.mpc) or (value and abs(mpmath.mag(value)) > 50):
        return None
    with mpmath.workdps(110):
        near = sympy.Rational(mpmath.nstr(value, 100)).limit_denominator(10**15)
        is_near = abs(mpmath.mpf(near.p) / near.q - value) < mpmath.mpf(10) ** -60
        return near if is_near else None


def digits_of(value: Number) -> str:
    parts = (value.real, value.imag) if isinstance(value, mpmath.mpc) else (value,)
    with mpmath.workdps(DIGITS + 20):
        return " ".join(mpmath.nstr(part, DIGITS, min_fixed=0, max_fixed=0) for part in parts)
