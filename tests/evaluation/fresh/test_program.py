from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttrl.evaluation.fresh.program import NotAProgram, compute, has_annotations, read_program


def result(text):
    program = read_program(text)
    (step,) = program.steps
    return compute(step.expression, [leaf.value for leaf in program.leaves], [])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("( 76.0 - 25.0 )", 51),
        ("2 + 3 * 4", 14),
        ("2 * (3 + 4) / 7", 2),
        ("10 - 3 - 2", 5),
        ("8 / 4 / 2", 1),
        ("-(3 - 5) * -2", -4),
        ("1,200 / 3", 400),
        (".5 * 3", Fraction(3, 2)),
        ("5. + 1", 6),
        ("x = 7 - 9", -2),
        ("6 \u00d7 7 \u2212 2 \u00f7 1", 40),
        ("1/3 + 1/3", Fraction(2, 3)),
    ],
)
def test_expressions_come_to_exact_values(text, value):
    assert result(text) == value


def test_leaves_are_counted_through_all_steps_without_the_zero_of_a_minus_sign():
    program = read_program("-3 + 4; 5 * 6")
    assert [(leaf.value, leaf.place) for leaf in program.leaves] == [(3, 0), (4, 1), (5, 2), (6, 3)]


def test_annotations_of_a_worked_solution_are_its_steps():
    program = read_program("He has 3*4 = <<3*4=12>>12.\nHe keeps <<12-2=10.0>>10.\n#### 10")
    assert [step.stated for step in program.steps] == [12, 10]
    assert [leaf.value for leaf in program.leaves] == [3, 4, 12, 2]
    assert has_annotations("<<1+1=2>>") and not has_annotations("1+1=2 <<x>>")


@pytest.mark.parametrize(
    "text",
    [
        "", "   ", "2 +", "* 2", "2 3", "(2", "2)", "()", "2 ** 3", "2 // 3", "2 ^ 3", "x + 1", "1e9 + 1",
        "__import__('os')", "0x10", "2 == 2", "1_000", "1 if 1 else 2", "[1]", "5%", "$5", "1,23 + 4",
        "<<2+=2>> <<3*4=12>>", "<<x=4>>", "<<2*x=4>>", "1234567890123 + 1", "\u0663 + 1",
        "1+" * 200 + "1", "(" * 50 + "1" + ")" * 50, "-" * 60 + "1", "1+1;" * 40,
    ],
)  # fmt: skip
def test_anything_else_is_no_program(text):
    with pytest.raises(NotAProgram):
        read_program(text)


def test_a_division_by_zero_and_an_endless_product_are_no_programs():
    for text in ("1 / (2 - 2)", " * ".join(["999999999999"] * 20)):
        with pytest.raises(NotAProgram):
            result(text)


@given(st.text(alphabet="0123456789.,+-*/()=;<> \nxe%$\u0663\u2212\u00d7", max_size=400))
def test_hostile_equations_are_read_or_refused_and_nothing_else(text):
    try:
        program = read_program(text)
        values = [leaf.value for leaf in program.leaves]
        for step in program.steps:
            compute(step.expression, values, [])
    except NotAProgram:
        pass


def trees():
    numbers = st.integers(0, 99).map(lambda n: (str(n), Fraction(n)))

    def joined(parts):
        return st.tuples(parts, st.sampled_from("+-*"), parts).map(
            lambda t: (
                f"({t[0][0]} {t[1]} {t[2][0]})",
                {"+": t[0][1] + t[2][1], "-": t[0][1] - t[2][1], "*": t[0][1] * t[2][1]}[t[1]],
            )
        )

    return st.recursive(numbers, joined, max_leaves=8)


@given(trees())
def test_random_trees_come_to_what_their_making_says(tree):
    text, value = tree
    assert result(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "+3", "2 - +3", "* 1", "2(3)", "(2)(3)", "(1, 2)", "1_0", "1j", "~1", "1 @ 2", "1 % 2", "2 * * 3",
        "8 / / 2", "1 < 2 < 3", "(x := 2)", "1 # one", "'1' '2'", "1 if 2", "not 1", "1\x00", "lambda: 1",
        "\x00", "1..", "1.5.", "1 .5",
    ],
)  # fmt: skip
def test_what_only_python_would_read_is_no_program(text):
    with pytest.raises(NotAProgram):
        read_program(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("007 + 00", 7),
        ("0.1 + 0.2", Fraction(3, 10)),
        ("123456789012 * 123456789012", 123456789012**2),
        ("2---3", -1),
        ("-2 * -(3 - 1) / -4", -1),
        (" 1 \u3000+\t2 \u00a0", 3),
    ],
)
def test_numbers_signs_and_spaces_keep_rules_of_their_own(text, value):
    assert result(text) == value


@pytest.mark.parametrize(
    ("opening", "closing"), [("(", ")"), ("-", ""), ("1 + (", ")"), ("-(", ")")]
)
def test_twenty_levels_are_read_and_no_more(opening, closing):
    levels = 20 // sum(opening.count(sign) for sign in "(-")
    read_program(opening * levels + "1" + closing * levels)
    with pytest.raises(NotAProgram):
        read_program(opening * (levels + 1) + "1" + closing * (levels + 1))


def test_levels_that_follow_each_other_are_not_added_up():
    assert result(" + ".join(["-(--1)"] * 30)) == -30
