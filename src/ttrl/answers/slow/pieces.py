"""Detects expressions that values at fixed points cannot represent: large numbers and piecewise functions."""

from __future__ import annotations

from typing import Any

import sympy
from sympy.functions.elementary.trigonometric import TrigonometricFunction
from sympy.polys.polyerrors import NotAlgebraic, PolynomialError

NUMBER_LIMIT = 10**12
"""Largest numerator and denominator of a number."""
DEGREE_LIMIT = 12

Expression = Any  # sympy has no types

_STEPS = (
    *(sympy.floor, sympy.ceiling, sympy.sign, sympy.Abs, sympy.Max, sympy.Min),
    *(sympy.arg, sympy.re, sympy.im, sympy.acot, sympy.asec, sympy.acsc),
)
_OF_AN_INTERVAL = (sympy.asin, sympy.acos, sympy.acosh, sympy.asech)
_WITH_POLES = (TrigonometricFunction, sympy.coth, sympy.csch)


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
