import pytest

from ttrl.answers.key import answer_key, equal_up_to_unit, number_in

FIVE = ("n", 5, 1)
CM, M = ("u", FIVE, "cm"), ("u", FIVE, "m")


def test_grading_lets_one_side_leave_the_unit_out_but_not_change_it():
    assert equal_up_to_unit(FIVE, CM) and equal_up_to_unit(CM, FIVE) and equal_up_to_unit(CM, CM)
    assert not equal_up_to_unit(CM, M)
    assert not equal_up_to_unit(("n", 6, 1), CM)
    assert not equal_up_to_unit(FIVE, ("n%", 5, 1))
    assert not equal_up_to_unit(CM, ("n%", 5, 1))
    assert not equal_up_to_unit(FIVE, M)  # 5m may be 5 times m


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ("5", 5), ("5 cm", 5), (r"5\text{ m}", 5), ("50%", 50), ("$18", 18), (r"\$1,234", 1234),
        ("5 apples", 5), ("12 hours per day", 12), ("-3 apples", -3), ("1,200 people.", 1200), ("- 4", -4),
    ],
)  # fmt: skip
def test_a_number_task_takes_the_number_and_drops_what_stands_around(answer, value):
    assert number_in(answer_key(answer), answer) == ("n", value, 1)


@pytest.mark.parametrize(
    "answer",
    [
        "five",
        "5 apples and 3 pears",
        "x+1",
        "(1,2)",
        "",
        "NaN",
        "5 thousand",
        "5 million people",
        "about 5 people",
        "minus 5 degrees",
        "at least 5",
        "not 5",
        "room A5",
        "x-5 apples",
        "five 2s",
        "5 or 6",
        "5 out of 7",
        "2 dozen eggs",
    ],
)
def test_an_answer_without_exactly_one_number_abstains(answer):
    assert number_in(answer_key(answer), answer) is None
