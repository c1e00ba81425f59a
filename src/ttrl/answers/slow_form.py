r"""The canonical form of one sympy expression: a spelling without functions, and values at fixed points.

Two spellings of one function get the same values, whatever way they are written, so nothing ever has
to be proved equal. Symbolic rewriting only looks for a spelling that needs no function: \sin 30^\circ
is 1/2, \log_2 4^x is 2x. It is exact; numbers only say when the search is worth its time.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import mpmath
import sympy
from sympy.polys.polyerrors import NotAlgebraic

from ttrl.answers.slow_grammar import UnclearAnswer

CONSTANT_DIGITS, FUNCTION_DIGITS = 40, 30
POINTS, TRIED_POINTS = 8, 24
SYMBOL_LIMIT = 6
SPELLING_LIMIT = 400
SEARCH_LIMIT = 80
"""Operations of an expression for which a spelling without functions is searched."""
GROWTH_LIMIT = 100_000
"""Largest argument of an exponential, exponent of a power and, in digits, argument of a function."""

Expression = Any  # sympy and mpmath have no types
Number = Any
Point = Mapping[Expression, Number]


def canonical_form(expression: Expression) -> tuple[str | None, tuple[str, ...]]:
    """A spelling without functions, if one is found, and the fingerprint.

    Raises:
        UnclearAnswer: it has no finite values, or none that can be computed surely.
    """
    symbols = _symbols(expression)
    if len(symbols) > SYMBOL_LIMIT:
        raise UnclearAnswer("many variables")
    at = _points(expression, symbols)
    values = [_value(expression, point) for point in at]
    needed = [s for s in symbols if _matters(expression, s, at, values)]
    if symbols and not needed and expression.has(*_STEPS):
        needed = symbols  # constant at these points only
    is_worth = all(_nearest_rational(value) is not None for value in values) or not needed
    spelling = _spelling(expression, values[0], search=is_worth)
    if not needed:
        return spelling, (_digits(values[0], CONSTANT_DIGITS),)
    names = " ".join(symbol.name for symbol in needed)
    return spelling, (names, *(_digits(value, FUNCTION_DIGITS) for value in values))


def _symbols(expression: Expression) -> list[Expression]:
    return sorted(expression.free_symbols, key=lambda symbol: symbol.name)


# A spelling without functions ------------------------------------------------------------------


def _spelling(expression: Expression, value: Number, *, search: bool) -> str | None:
    search = search and sympy.count_ops(expression) <= SEARCH_LIMIT
    for candidate in _rewritten(expression, value, search=search):
        if _is_free_of_functions(candidate):
            text = str(sympy.latex(candidate))
            return text if len(text) <= SPELLING_LIMIT else None
    return None


def _rewritten(expression: Expression, value: Number, *, search: bool) -> Iterator[Expression]:
    if search and not expression.free_symbols:
        yield from _as_root(expression, value)
    yield expression if expression.free_symbols else sympy.sqrtdenest(expression)
    if not search:
        return
    if expression.has(sympy.log):
        yield sympy.expand_log(expression, factor=True)
    yield sympy.simplify(expression)
    if not (expression.free_symbols or _is_near_root_or_part_of_pi(value)):
        return
    yield sympy.simplify(sympy.expand_trig(expression))
    if expression.has(sympy.sinh, sympy.cosh, sympy.tanh):
        yield sympy.simplify(expression.rewrite(sympy.exp))
    if expression.has(sympy.atan) and not expression.free_symbols:
        yield _as_part_of_pi(expression)


def _as_root(expression: Expression, value: Number) -> Iterator[Expression]:
    """A rational, or the square root of one, where the minimal polynomial proves it."""
    if isinstance(expression, sympy.Rational) or isinstance(value, mpmath.mpc):
        return
    with mpmath.workdps(110):
        root = _nearest_rational(value)
        square = _nearest_rational(value * value) if root is None else None
    if square is not None:
        root = sympy.sqrt(square) if value > 0 else -sympy.sqrt(square)
    if root is None or root == expression:
        return
    unknown = sympy.Symbol("x")
    with contextlib.suppress(NotAlgebraic):
        if sympy.minimal_polynomial(expression - root, unknown) == unknown:
            yield root


def _is_near_root_or_part_of_pi(value: Number) -> bool:
    with mpmath.workdps(110):
        near = (value, value * value, value / mpmath.pi)
        return any(_nearest_rational(number) is not None for number in near)


def _as_part_of_pi(expression: Expression) -> Expression:
    """A sum of arcus tangents as a multiple of pi: its tangent is exact, and pi/2 apart is far apart."""
    tangent = sympy.simplify(sympy.expand_trig(sympy.tan(expression)))
    if not tangent.is_finite:
        return expression
    part = sympy.atan(tangent)
    turns = sympy.Integer(round(float((expression - part).evalf(20) / sympy.pi.evalf(20))))
    return part + turns * sympy.pi


def _is_free_of_functions(expression: Expression) -> bool:
    """Rational functions of the variables over roots of rationals, pi, e and i."""
    if isinstance(expression, (sympy.Rational, sympy.Symbol)):
        return True
    if expression in (sympy.pi, sympy.E, sympy.I):
        return True
    if isinstance(expression, sympy.exp):
        return isinstance(expression.exp, sympy.Integer)
    if isinstance(expression, sympy.Pow):
        base, exponent = expression.args
        whole = isinstance(exponent, sympy.Integer)
        if not whole and (base.free_symbols or not isinstance(exponent, sympy.Rational)):
            return False
        return _is_free_of_functions(base)
    if isinstance(expression, (sympy.Add, sympy.Mul)):
        return all(_is_free_of_functions(part) for part in expression.args)
    return False


# Values at fixed points ------------------------------------------------------------------------

_STEPS = (sympy.floor, sympy.ceiling, sympy.sign, sympy.Abs, sympy.Max, sympy.Min)
_NAMES = (
    "sin cos tan cot sec csc asin acos atan acot asec acsc sinh cosh tanh coth sech csch asinh acosh "
    "atanh acoth asech acsch exp log sign floor"
)
_NUMERIC = {
    **{getattr(sympy, name): getattr(mpmath, name) for name in _NAMES.split() if name != "log"},
    **{sympy.log: mpmath.ln, sympy.ceiling: mpmath.ceil, sympy.Abs: mpmath.fabs},
    **{sympy.arg: mpmath.arg, sympy.re: mpmath.re, sympy.im: mpmath.im},
    **{sympy.Max: lambda *values: max(values), sympy.Min: lambda *values: min(values)},
}


def _points(expression: Expression, symbols: list[Expression]) -> list[Point]:
    """The first points of a fixed series at which the expression has a value."""
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


def _matters(
    expression: Expression, symbol: Expression, at: list[Point], values: list[Number]
) -> bool:
    """Whether the value changes where this variable alone moves."""
    for number, (point, value) in enumerate(zip(at, values, strict=True)):
        moved = {**point, symbol: at[(number + 1) % len(at)][symbol]}
        try:
            other = _value(expression, moved)
        except ZeroDivisionError:
            return True
        if _digits(other, FUNCTION_DIGITS) != _digits(value, FUNCTION_DIGITS):
            return True
    return False


def _value(expression: Expression, point: Point) -> Number:
    """The value, sure to 45 digits: computed with more and more digits until two results agree."""
    before = _evaluated(expression, point, 60)
    for digits in (110, 260):
        with mpmath.workdps(digits):
            value = _evaluated(expression, point, digits)
            difference = abs(value - before)
            if difference <= abs(value) * mpmath.mpf(10) ** -45:
                return _without_dust(value, 45)
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
    parts = [_node_value(part, point) for part in node.args]
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


def _nearest_rational(value: Number) -> Expression | None:
    """A simple rational that is very near: a reason to search, never an argument for equality."""
    if isinstance(value, mpmath.mpc) or (value and abs(mpmath.mag(value)) > 50):
        return None
    with mpmath.workdps(110):
        near = sympy.Rational(mpmath.nstr(value, 100)).limit_denominator(10**15)
        is_near = abs(mpmath.mpf(near.p) / near.q - value) < mpmath.mpf(10) ** -60
        return near if is_near else None


def _digits(value: Number, digits: int) -> str:
    parts = (value.real, value.imag) if isinstance(value, mpmath.mpc) else (value,)
    with mpmath.workdps(digits + 20):
        return " ".join(mpmath.nstr(part, digits, min_fixed=0, max_fixed=0) for part in parts)
