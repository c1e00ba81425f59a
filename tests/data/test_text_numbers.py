from fractions import Fraction

import pytest

from ttrl.data.text_numbers import text_numbers, values_of_words


def free(text):
    return [number.spelling for number in text_numbers(text) if number.free]


@pytest.mark.parametrize(
    ("text", "spellings"),
    [
        ("Kim has 3 pens and 12 caps.", ["3", "12"]),
        ("It costs $5, or $2.50 in June.", ["5", "2.50"]),
        ("A 40% share of 1,234 votes (of 2,000)", ["40", "1,234", "2,000"]),
        ("12 children; 7-year-old twins", ["12", "7"]),
        ("the 3rd of 5 rows", ["5"]),
        ("room A4, room 7 and 8 chairs", ["8"]),
        ("At 3:30 he cut 3/4 of 6 pies", ["6"]),
        ("from 10-15 boys and 4 girls", ["4"]),
        ("On March 3 he saw 5 May 6 birds", []),
        ("In 1998 there were 1500 geese, paid $1998", ["1998"]),
        ("2 1/2 cups and 2 1 spoons", ["2"]),
        ("5 million ants, 4 hundred bees, at 6 pm 9 flies", ["9"]),
        ("1 apple, 0 pears, 1.0 plums", []),
        ("version 1.2.3 costs 5.", ["5"]),
        ("007 agents, .5 cups, x2, 3x, #4, 5\u00b0", ["5"]),
        ("three, \u0663 and 1234567890123", []),
    ],
)  # fmt: skip
def test_only_numbers_that_stand_free_may_change(text, spellings):
    assert free(text) == spellings


def test_a_number_is_found_with_its_place_value_and_shape():
    (number,) = text_numbers("paid $1,250.75.")
    assert (number.start, number.end, number.value) == (6, 14, Fraction("1250.75"))
    assert number.shape == (4, 2)
    assert number.spelled("9876.50") == "9,876.50"


def test_words_and_signs_say_which_constants_they_stand_for():
    assert {2, 7, 12} <= values_of_words("Twice a week she buys a dozen eggs")
    assert Fraction(1, 100) in values_of_words("20% off")
    assert values_of_words("Tom has apples") == frozenset()


def test_a_text_that_is_too_long_has_no_numbers():
    assert text_numbers("5 " * 6_000) == []
