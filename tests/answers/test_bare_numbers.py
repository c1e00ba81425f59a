import pytest

from ttrl.answers.bare_numbers import adopt_units, equal_up_to_unit, number_in
from ttrl.answers.key import answer_key

FIVE = ("n", 5, 1)
CM, M = ("u", FIVE, "cm"), ("u", FIVE, "m")


def test_a_bare_number_takes_the_only_unit_of_its_value():
    assert adopt_units([FIVE, CM, None, ("n", 7, 1)]) == [CM, CM, None, ("n", 7, 1)]
    assert adopt_units([FIVE, FIVE]) == [FIVE, FIVE]


def test_between_two_units_a_bare_number_stays_alone():
    assert adopt_units([FIVE, CM, M]) == [FIVE, CM, M]


def test_a_unit_of_another_value_says_nothing():
    seven = ("u", ("n", 7, 1), "m")
    assert adopt_units([FIVE, CM, seven]) == [CM, CM, seven]


def test_grading_lets_one_side_leave_the_unit_out_but_not_change_it():
    assert equal_up_to_unit(FIVE, CM) and equal_up_to_unit(CM, FIVE) and equal_up_to_unit(CM, CM)
    assert not equal_up_to_unit(CM, M)
    assert not equal_up_to_unit(("n", 6, 1), CM)
    assert not equal_up_to_unit(FIVE, ("n%", 5, 1))


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ("5", 5), ("5 cm", 5), (r"5\text{ m}", 5), ("50%", 50), ("$18", 18), (r"\$1,234", 1234),
        ("5 apples", 5), ("12 hours per day", 12), ("-3 apples", -3), ("about 1,200 people", 1200),
    ],
)  # fmt: skip
def test_a_number_task_takes_the_number_and_drops_what_stands_around(answer, value):
    assert number_in(answer_key(answer), answer) == ("n", value, 1)


@pytest.mark.parametrize("answer", ["five", "5 apples and 3 pears", "x+1", "(1,2)", "", "NaN"])
def test_an_answer_without_exactly_one_number_abstains(answer):
    assert number_in(answer_key(answer), answer) is None
