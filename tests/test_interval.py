import pytest

from ttrl.interval import Interval


@pytest.mark.parametrize(
    ("low", "high", "direction"),
    [
        (0.01, 0.2, "rose"),
        (-0.2, -0.01, "fell"),
        (-0.1, 0.3, "unclear"),
        (0.0, 0.3, "unclear"),
        (-0.3, 0.0, "unclear"),
        (None, None, "unclear"),
    ],
)
def test_a_change_is_clear_only_where_its_interval_leaves_out_0(low, high, direction):
    assert Interval(value=0.1, low=low, high=high).direction == direction


def test_an_interval_of_one_seed_speaks_of_questions_only():
    assert Interval(value=0.1, low=0.0, high=0.2).over == "questions"
    assert Interval(value=0.1, low=0.0, high=0.2, seeds=3).over == "questions and seeds"


def test_half_an_interval_is_none():
    assert Interval(value=0.1, low=0.0).bounds is None
    assert Interval(value=0.1, low=0.0, high=0.2).bounds == (0.0, 0.2)
