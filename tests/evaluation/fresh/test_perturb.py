import random
from fractions import Fraction

import pytest

from ttrl.data.number_changes import pool_of
from ttrl.data.text_numbers import text_numbers
from ttrl.evaluation.fresh.perturb import perturb, spelled
from ttrl.evaluation.fresh.program import read_program
from ttrl.evaluation.fresh.ties import NO_NUMBERS, OTHER_ANSWER, Doubt

MANY = "2 3 4 5 6 7 8 9 10 12 14 15 18 20 24 25 28 30 36 40 48 50 60 75 80 90 1,500 2,400 0.50 0.75 1.25"


def copies(text, program, answer, *, pool=MANY, seeds=range(40), **options):
    numbers = text_numbers(text)
    return [
        perturb(
            text,
            numbers,
            read_program(program),
            Fraction(answer),
            pool=pool_of([numbers, text_numbers(pool)]),
            rng=random.Random(seed),
            accept=options.pop("accept", lambda copy: True),
            **options,
        )
        for seed in seeds
    ]


def test_the_answer_is_that_of_the_new_numbers_and_the_rest_of_the_text_stays():
    for copy in copies("Lea had 30 coins. She paid 12 of them, on day 3.", "30 - 12", 18):
        had, paid = copy.values
        assert copy.prompt == f"Lea had {had} coins. She paid {paid} of them, on day 3."
        assert copy.answer == had - paid
        assert had not in (30,) and paid not in (12,) and copy.answer != 18


def test_amounts_stay_positive_and_whole_and_order_of_size_is_kept():
    for copy in copies("He packs 36 pens in boxes of 12.", "36 / 12", 3):
        pens, box = copy.values
        assert pens > box and (pens / box).denominator == 1
    for copy in copies("Of 9 pens he lost 4, then 3.", "9 - 4 - 3", 2):
        assert copy.answer > 0 and copy.values[0] > copy.values[1] >= copy.values[2]


def test_a_changed_number_keeps_its_side_of_one_that_stays():
    for copy in copies("She had 50 nuts and ate 20 and 14.", "20 + 14", 34):
        assert all(value < 50 for value in copy.values)


def test_separators_and_decimals_stay_as_they_are_written():
    for copy in copies("A car of $1,500 with 5 stickers of $0.50 each", "1500 + 5 * 0.5", "1502.5"):
        price, count, each = copy.values
        assert (
            f"${price.numerator:,} with {count} stickers of ${float(each):.2f} each" in copy.prompt
        )
        assert copy.answer == price + count * each


def test_a_number_used_twice_changes_in_both_places():
    for copy in copies("30 in all, 12 are hers.", "12 - (30 - 12)", -6):
        total, hers = copy.values
        assert copy.answer == hers - (total - hers)


def test_a_step_is_repeated_with_its_new_result():
    text = "Ada has 16 hens. She sells 5 and gets $3 for each of the rest."
    for copy in copies(text, "<<16-5=11>> <<11*3=33>>", 33):
        hens, sold, price = copy.values
        assert copy.answer == (hens - sold) * price


def test_a_program_with_another_answer_is_left_out():
    with pytest.raises(Doubt, match=OTHER_ANSWER):
        copies("Lea had 30 coins and paid 12.", "30 - 12", 17)


def test_without_other_numbers_or_acceptable_ones_a_question_is_left_out():
    with pytest.raises(Doubt, match=NO_NUMBERS):
        copies("Lea had 30 coins and paid 12.", "30 - 12", 18, pool="4")
    with pytest.raises(Doubt, match=NO_NUMBERS):
        copies("Lea had 30 coins and paid 12.", "30 - 12", 18, accept=lambda copy: False)


def test_results_that_would_grow_without_end_are_left_out_or_small():
    text = "6 of 5"
    steps = " ".join(["<<6-5=1>>", *("<<" + "*".join(["1"] * 40) + "=1>>" for _ in range(20))])
    with pytest.raises(Doubt):
        copies(text, steps, 1, seeds=[0])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(51), "51"), (Fraction(-3), "-3"), (Fraction(5, 2), "2.5"), (Fraction(-1, 8), "-0.125"),
        (Fraction(1, 3), "1/3"), (Fraction(1, 100), "0.01"), (Fraction(105, 10), "10.5"),
    ],
)  # fmt: skip
def test_answers_are_spelled_as_whole_numbers_decimals_or_fractions(value, text):
    assert spelled(value) == text
