r"""The canonical form of one sympy expression: a spelling without functions, and values at fixed points.

Two spellings of one function get the same values, whatever way they are written, so nothing ever has
to be proved equal. Symbolic rewriting only looks for a spelling that needs no function: \sin 30^\circ
is 1/2, \log_2 4^x is 2x. It is exact; numbers only say when the search is worth its time.

Values speak for a function only where two functions that agree at the points agree everywhere:

    pieces    |x + 10| is x + 10 at every point. What has pieces (steps, roots of squares, inverse functions
              of periodic ones) gets no values; what remains is analytic.
    grip      \tanh 60 and \tanh 70, or \sin 1 and \sin 1 + e^{-99}, have the same first digits. Each number
              and variable has to move the value: by 10^-12 of what it moves itself, or more.
    numbers   with more than 12 digits above or below the line may differ by less than the digits show.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import sys
from collections.abc import Iterator, Mapping
from types import FrameType
from typing import Any

import mpmath
import sympy
from sympy.functions.elementary.trigonometric import TrigonometricFunction
from sympy.polys.polyerrors import NotAlgebraic, PolynomialError

from ttrl.answers.slow_grammar import RealRoot, UnclearAnswer

DIGITS = 50
"""Of a value: 12 may be lost by a small grip, and 24 by two fractions that are near to each other."""
SURE_DIGITS = 55
POINTS, TRIED_POINTS = 8, 24
GRIPPED_POINTS = 3
"""Points, of all, at which every number and variable has to count."""
LEAST_GRIP = 1e-12
NUMBER_LIMIT = 10**12
"""Largest numerator and denominator."""
SYMBOL_LIMIT = 6
SPELLING_LIMIT = 400
SIZE_LIMIT = 60
"""Operations of an expression that is looked at."""
SEARCH_CALLS = 150_000
"""Calls of functions for each search of a simpler expression: most of the time of a reading."""
DEGREE_LIMIT = 12
GROWTH_LIMIT = 2_000
"""Largest argument of an exponential, exponent of a power and, in digits, argument of a function."""

Expression = Any  # sympy and mpmath have no types
Number = Any
Point = Mapping[Expression, Number]


def canonical_form(expression: Expression) -> tuple[str | None, tuple[str, ...] | None]:
    """A spelling without functions, if one is found, and the fingerprint, if values can speak for it.

    Raises:
        UnclearAnswer: there is neither.
    """
    if sympy.count_ops(expression) > SIZE_LIMIT:
        raise UnclearAnswer("large")
    try:
        return _with_values(expression)
    except UnclearAnswer:
        spelling = _latex(expression)
        if spelling is None:
            raise
        return spelling, None


def _with_values(expression: Expression) -> tuple[str | None, tuple[str, ...]]:
    symbols = _symbols(expression)
    if len(symbols) > SYMBOL_LIMIT:
        raise UnclearAnswer("many variables")
    if _has_large_numbers(expression) or _has_pieces(expression):
        raise UnclearAnswer("values would not tell it from others")
    at = _points(expression, symbols)
    values = [_value(expression, point) for point in at]
    if not all(_matters(expression, symbol, at, values) for symbol in symbols):
        return _with_values(_with_fewer_symbols(expression, values[0]))
    _check_grip(expression, at)
    is_worth = not symbols or all(_nearest_rational(value) is not None for value in values)
    spelling = _spelling(expression, values[0], search=is_worth)
    names = [" ".join(symbol.name for symbol in symbols)] if symbols else []
    return spelling, (*names, *(_digits(value) for value in values))


def _with_fewer_symbols(expression: Expression, value: Number) -> Expression:
    """Constant at the points is not constant: a variable goes only where algebra removes it."""
    with _search():
        for candidate in _rewritten(expression, value, search=True):
            if candidate.free_symbols < expression.free_symbols:
                return candidate
    raise UnclearAnswer("a variable that does not count")


def _symbols(expression: Expression) -> list[Expression]:
    return sorted(expression.free_symbols, key=lambda symbol: symbol.name)


# A spelling without functions ------------------------------------------------------------------


class _Spent(BaseException):
    """The calls of a search are spent. Nothing that sympy catches."""


@contextlib.contextmanager
def _search() -> Iterator[None]:
    """Ends what is done inside after a number of calls: other than time, it is the same on every machine."""
    left = SEARCH_CALLS

    def count(frame: FrameType, event: str, _: object) -> None:
        nonlocal left
        left -= event == "call"
        is_generator = (
            frame.f_code.co_flags & inspect.CO_GENERATOR
        )  # one that closes swallows errors
        if left < 0 and not is_generator and not _is_importing(frame):
            raise _Spent

    sys.setprofile(count)
    try:
        with contextlib.suppress(_Spent):
            yield
    finally:
        sys.setprofile(None)


def _is_importing(frame: FrameType | None) -> bool:
    """A module that is left half imported would be imported again in every search."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _spelling(expression: Expression, value: Number, *, search: bool) -> str | None:
    with _search():
        for candidate in _rewritten(expression, value, search=search):
            if (text := _latex(candidate)) is not None:
                return text
    return None


def _latex(expression: Expression) -> str | None:
    if not _is_free_of_functions(expression):
        return None
    text = str(sympy.latex(expression))
    return text if len(text) <= SPELLING_LIMIT else None


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


# What values cannot speak for --------------------------------------------------------------------

_STEPS = (
    *(sympy.floor, sympy.ceiling, sympy.sign, sympy.Abs, sympy.Max, sympy.Min),
    *(sympy.arg, sympy.re, sympy.im, sympy.acot, sympy.asec, sympy.acsc),
)
_OF_AN_INTERVAL = (sympy.asin, sympy.acos, sympy.acosh, sympy.asech)
_WITH_POLES = (TrigonometricFunction, sympy.coth, sympy.csch)


def _has_large_numbers(expression: Expression) -> bool:
    numbers = expression.atoms(sympy.Rational)
    return any(abs(number.p) > NUMBER_LIMIT or number.q > NUMBER_LIMIT for number in numbers)


def _has_pieces(expression: Expression) -> bool:
    """Whether it may be one analytic function here and another one elsewhere, as |x| is x and -x.

    Logarithms, odd roots and asinh are one to one: what equals them in one place does so wherever both
    are defined. The others are, where their argument cannot cross from one piece into the next.
    """
    for node in sympy.preorder_traversal(expression):
        if not node.args or not node.free_symbols:
            continue
        argument = node.args[0]
        if (
            isinstance(node, _STEPS)
            or (isinstance(node, _OF_AN_INTERVAL) and not _is_linear(argument))
            or (isinstance(node, sympy.atan) and not _is_without_poles(argument))
            or (_is_root(node) and not _has_simple_zeros(argument))
        ):
            return True
    return False


def _is_root(node: Expression) -> bool:
    """A power that is no whole one, of a variable."""
    is_power = isinstance(node, sympy.Pow) and bool(node.base.free_symbols)
    return is_power and not node.exp.is_Integer


def _is_linear(argument: Expression) -> bool:
    symbols = argument.free_symbols
    return bool(argument.is_polynomial(*symbols)) and (
        sympy.Poly(argument, *symbols).total_degree() <= 1
    )


def _is_without_poles(argument: Expression) -> bool:
    if argument.has(*_WITH_POLES):
        return False
    powers = [power for power in argument.atoms(sympy.Pow) if power.base.free_symbols]
    return all(
        power.exp.is_positive
        or power.base.is_positive
        or (power.exp.is_Rational and power.exp.q % 2 == 0)
        for power in powers
    )


def _has_simple_zeros(radicand: Expression) -> bool:
    """Whether it changes its sign where it is zero, so that its root ends there and has no second piece."""
    inner = [node for node in sympy.preorder_traversal(radicand) if node.free_symbols]
    if any(
        _is_root(node) or (node.is_Function and not isinstance(node, (sympy.exp, sympy.log)))
        for node in inner
    ):
        return False
    above, below = sympy.fraction(sympy.together(radicand))
    return _is_square_free(above) and _is_square_free(below)


def _is_square_free(expression: Expression) -> bool:
    if not expression.free_symbols:
        return True
    try:
        polynomial = sympy.Poly(expression)
        if polynomial.total_degree() > DEGREE_LIMIT:
            return False
        if any(not generator.free_symbols for generator in polynomial.gens):
            polynomial = sympy.Poly(expression, *expression.free_symbols, extension=True)
    except (PolynomialError, NotAlgebraic):
        return False
    return all(times == 1 for _, times in polynomial.sqf_list()[1])


# Values at fixed points ------------------------------------------------------------------------

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
        if _digits(other) != _digits(value):
            return True
    return False


def _value(expression: Expression, point: Point) -> Number:
    """The value, sure to 55 digits: computed with more and more digits until two results agree."""
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


# Grip ------------------------------------------------------------------------------------------


def _check_grip(expression: Expression, at: list[Point]) -> None:
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


def _nearest_rational(value: Number) -> Expression | None:
    """A simple rational that is very near: a reason to search, never an argument for equality."""
    if isinstance(value, mpmath.mpc) or (value and abs(mpmath.mag(value)) > 50):
        return None
    with mpmath.workdps(110):
        near = sympy.Rational(mpmath.nstr(value, 100)).limit_denominator(10**15)
        is_near = abs(mpmath.mpf(near.p) / near.q - value) < mpmath.mpf(10) ** -60
        return near if is_near else None


def _digits(value: Number) -> str:
    parts = (value.real, value.imag) if isinstance(value, mpmath.mpc) else (value,)
    with mpmath.workdps(DIGITS + 20):
        return " ".join(mpmath.nstr(part, DIGITS, min_fixed=0, max_fixed=0) for part in parts)
