r"""Computes the canonical form of a sympy expression: a spelling without functions, values at fixed points.

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
import inspect
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

import mpmath
import sympy
from sympy.functions.elementary.trigonometric import TrigonometricFunction
from sympy.polys.polyerrors import NotAlgebraic, PolynomialError

from ttrl.answers.slow.grammar import UnclearAnswer
from ttrl.answers.slow.values import (
    check_grip,
    digits_of,
    fixed_points,
    matters,
    nearest_rational,
    value_at,
)

NUMBER_LIMIT = 10**12
"""Largest numerator and denominator of a number."""
DEGREE_LIMIT = 12


_STEPS = (
    *(sympy.floor, sympy.ceiling, sympy.sign, sympy.Abs, sympy.Max, sympy.Min),
    *(sympy.arg, sympy.re, sympy.im, sympy.acot, sympy.asec, sympy.acsc),
)
_OF_AN_INTERVAL = (sympy.asin, sympy.acos, sympy.acosh, sympy.asech)
_WITH_POLES = (TrigonometricFunction, sympy.coth, sympy.csch)


Expression = Any  # sympy and mpmath have no types


def has_large_numbers(expression: Expression) -> bool:
    numbers = expression.atoms(sympy.Rational)
    return any(abs(number.p) > NUMBER_LIMIT or number.q > NUMBER_LIMIT for number in numbers)


def has_pieces(expression: Expression) -> bool:
    """Returns whether an expression may be piecewise, as |x| is x and -x.

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


SYMBOL_LIMIT = 6
SPELLING_LIMIT = 400
SIZE_LIMIT = 60
"""Most operations of an expression that is looked at."""
SEARCH_CALLS = 150_000
"""Most function calls for each search of a simpler expression; the search dominates the time of a reading."""

Number = Any


def canonical_form(expression: Expression) -> tuple[str | None, tuple[str, ...] | None]:
    """Returns a spelling without functions, if one is found, and the fingerprint, if values can speak for it.

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
    if has_large_numbers(expression) or has_pieces(expression):
        raise UnclearAnswer("values would not tell it from others")
    at = fixed_points(expression, symbols)
    values = [value_at(expression, point) for point in at]
    if not all(matters(expression, symbol, at, values) for symbol in symbols):
        return _with_values(_with_fewer_symbols(expression, values[0]))
    check_grip(expression, at)
    is_worth = not symbols or all(nearest_rational(value) is not None for value in values)
    spelling = _spelling(expression, values[0], search=is_worth)
    names = [" ".join(symbol.name for symbol in symbols)] if symbols else []
    return spelling, (*names, *(digits_of(value) for value in values))


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
    """The calls of a search are spent. It is no Exception, so sympy does not catch it."""


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
        root = nearest_rational(value)
        square = nearest_rational(value * value) if root is None else None
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
        return any(nearest_rational(number) is not None for number in near)


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
