"""Exact algebra: equal sums have equal keys, different ones do not, and the limits hold."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttrl.answers.key import answer_key
from ttrl.answers.math.expression_keys import equation_key, expression_key
from ttrl.answers.math.numbers import UnknownFactors, factors
from ttrl.answers.math.terms import (
    ONE,
    TERM_LIMIT,
    Algebra,
    Unreadable,
    constant,
    rational_value,
    variable,
)

SMALL = st.integers(-9, 9)
NONZERO = SMALL.filter(bool)
ROOTS = st.lists(SMALL, min_size=1, max_size=4)
SURDS = st.sampled_from([2, 3, 5, 6, 10])


def spelled(coefficients: list[int]) -> str:
    """c0 + c1 x + ..., written with every term."""
    return "+".join(f"({c})x^{{{power}}}" for power, c in enumerate(coefficients))


def expanded(roots: list[int]) -> list[int]:
    """Coefficients of the product of (x - root), by hand."""
    coefficients = [1]
    for root in roots:
        shifted = [0, *coefficients]
        coefficients = [
            a - root * b for a, b in zip(shifted, [*coefficients, 0], strict=True)
        ]  # fmt: skip
    return coefficients


@given(ROOTS, st.integers(0, 4), NONZERO)
def test_factored_and_expanded_polynomials_join_and_a_changed_coefficient_does_not(
    roots, place, change
):
    factored = "".join(f"(x-({root}))" for root in roots)
    coefficients = expanded(roots)
    assert answer_key(factored) == answer_key(spelled(coefficients))
    coefficients[place % len(coefficients)] += change
    assert answer_key(factored) != answer_key(spelled(coefficients))


@given(ROOTS, ROOTS, ROOTS)
def test_common_factors_of_a_quotient_say_nothing(above, below, common):
    factor = spelled(expanded(common))
    top, bottom = spelled(expanded(above)), spelled(expanded(below))
    quotient = answer_key(rf"\frac{{{top}}}{{{bottom}}}")
    extended = answer_key(rf"\frac{{({top})({factor})}}{{({bottom})({factor})}}")
    assert quotient == extended or quotient[0] == "s" or extended[0] == "s"


@given(ROOTS, ROOTS, NONZERO)
def test_different_quotients_differ(above, below, change):
    top, bottom = expanded(above), spelled(expanded(below))
    quotient = answer_key(rf"\frac{{{spelled(top)}}}{{{bottom}}}")
    top[0] += change
    assert quotient != answer_key(rf"\frac{{{spelled(top)}}}{{{bottom}}}")


@given(SMALL, SMALL, NONZERO, SMALL, SURDS)
def test_denominators_with_square_roots_are_rationalised(a, b, c, d, n):
    """(a + b s)/(c + d s) = (a + b s)(c - d s)/(c^2 - d^2 n) with s = sqrt(n)."""
    quotient = rf"\frac{{({a})+({b})\sqrt{{{n}}}}}{{({c})+({d})\sqrt{{{n}}}}}"
    below = c * c - d * d * n
    rational, surd = Fraction(a * c - b * d * n, below), Fraction(b * c - a * d, below)
    assert answer_key(quotient) == answer_key(rf"({rational})+({surd})\sqrt{{{n}}}")


@given(SMALL, SMALL, SMALL, SMALL)
def test_complex_products(a, b, c, d):
    product = f"(({a})+({b})i)(({c})+({d})i)"
    assert answer_key(product) == answer_key(f"({a * c - b * d})+({a * d + b * c})i")


@given(st.integers(1, 10**6), st.integers(1, 10**3))
def test_square_factors_come_out_of_a_root(n, k):
    assert answer_key(rf"\sqrt{{{n * k * k}}}") == answer_key(rf"{k}\sqrt{{{n}}}")


@given(st.integers(1, 400), st.integers(1, 400))
def test_sums_of_roots_join_only_if_they_are_equal(m, n):
    """(sqrt m + sqrt n)^2 = m + n + 2 sqrt(mn)."""
    square = answer_key(rf"(\sqrt{{{m}}}+\sqrt{{{n}}})^2")
    assert square == answer_key(rf"{m + n}+2\sqrt{{{m * n}}}")
    assert square != answer_key(rf"{m + n}+2\sqrt{{{m * n + 1}}}")


@given(NONZERO, NONZERO, SMALL, NONZERO)
def test_an_equation_is_its_multiples_and_no_other(a, b, c, factor):
    equation = f"({a})x+({b})y=({c})"
    multiple = f"({c * factor})=({a * factor})x+({b * factor})y"
    assert answer_key(equation) == answer_key(multiple)
    assert answer_key(equation) != answer_key(f"({a})x+({b})y=({c + 1})")


def test_equations_with_irrational_factors_join():
    assert answer_key(r"\sqrt2 y = 2x") == answer_key(r"y=\sqrt2 x")
    assert answer_key(r"\pi y = 2\pi x") == answer_key("y=2x")
    assert answer_key(r"(1+\sqrt2) y = x") == answer_key(r"y=(\sqrt2-1)x")


def test_an_equation_without_a_variable_has_no_key():
    with pytest.raises(Unreadable):
        equation_key(variable(r"\pi"), Algebra())
    with pytest.raises(Unreadable):
        equation_key(constant(0), Algebra())


def test_factors_are_primes_with_their_exponents():
    assert factors(1) == ()
    assert factors(360) == ((2, 3), (3, 2), (5, 1))
    assert factors(9973**2) == ((9973, 2),)
    assert factors(2 * 1_000_003) == ((2, 1), (1_000_003, 1))
    assert factors(1_000_003**2 * 7) == ((7, 1), (1_000_003, 2))
    assert factors(2**61 - 1) == ((2**61 - 1, 1),)
    for number in (1_000_003 * 1_000_033, 2**89 - 1, 2**1000):
        with pytest.raises(UnknownFactors):
            factors(number)


def test_products_that_grow_too_much_are_given_up():
    algebra = Algebra()
    total = constant(1)
    for name in "xyz":
        total = algebra.add(total, variable(name))
    with pytest.raises(Unreadable):
        algebra.power(total, 32)
    many = constant(0)
    with pytest.raises(Unreadable):
        for n in range(TERM_LIMIT + 1):
            many = Algebra().add(many, variable(f"x_{n}"))


@pytest.mark.parametrize(
    ("base", "exponent"),
    [(3, 4096), (10**100, 13), (Fraction(1, 3), 4096), (2, 5000), (3, -4096), (0, 0), (0, -1)],
)
def test_powers_over_the_limits_are_given_up(base, exponent):
    with pytest.raises(Unreadable):
        Algebra().power(constant(base), exponent)


def test_powers_of_one_are_cheap():
    assert rational_value(Algebra().power(constant(-1), 10**400 + 1)) == -1
    assert rational_value(Algebra().power(constant(1), 10**400)) == 1


def test_values_where_a_branch_would_be_chosen_are_not_taken():
    algebra = Algebra()
    x = variable("x")
    half = Fraction(1, 2)
    for value in (algebra.power(x, 2), algebra.negative(x), algebra.add(x, constant(1))):
        with pytest.raises(Unreadable):
            algebra.power(value, half)
    root = algebra.power(x, half)
    assert expression_key(algebra.power(root, 2)) == expression_key(x)


def test_a_quotient_that_divides_has_no_denominator():
    algebra = Algebra()
    x = variable("x")
    below = algebra.add(x, constant(1))
    above = algebra.add(algebra.power(x, 2), constant(-1))
    quotient = algebra.divide(above, below)
    assert quotient.below is ONE
    assert quotient.above == {(("x", 1),): 1, (): -1}
    with pytest.raises(Unreadable):
        algebra.divide(x, constant(0))
