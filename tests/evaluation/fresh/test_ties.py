from fractions import Fraction

import pytest

from ttrl.data.text_numbers import TextNumber, text_numbers
from ttrl.evaluation.fresh.program import read_program
from ttrl.evaluation.fresh.ties import (
    AMBIGUOUS,
    NOTHING_TIED,
    OTHER_ANSWER,
    UNEXPLAINED,
    UNUSED,
    Doubt,
    tie,
)


def sources(text, program, *, in_text_order=False):
    """The spelling of a number of the text, the index of a step as "#0", or the constant."""
    tied = tie(read_program(program), text, text_numbers(text), in_text_order=in_text_order)
    return [
        s.spelling if isinstance(s, TextNumber) else f"#{s}" if isinstance(s, int) else s
        for s in tied.sources
    ]


def doubt(text, program, **options):
    with pytest.raises(Doubt) as caught:
        sources(text, program, **options)
    return str(caught.value)


def test_numbers_in_another_order_are_tied_by_their_values():
    assert sources("Lea paid 9 of her 30 coins.", "30.0 - 9.0") == ["30", "9"]


def test_a_number_that_occurs_twice_is_a_doubt_unless_the_order_is_known():
    assert doubt("4 red, 4 blue, 2 sold.", "4 + 4 - 2") == AMBIGUOUS
    assert sources("4 red, 4 blue, 2 sold.", "4 + 4 - 2", in_text_order=True) == ["4", "4", "2"]


def test_later_steps_refer_to_results_of_earlier_ones():
    text = "Ada has 16 hens. She sells 5 and gets $3 for each of the rest."
    assert sources(text, "<<16-5=11>> <<11*3=33>>") == ["16", "5", "#0", "3"]


def test_a_value_of_the_text_that_is_also_an_earlier_result_is_a_doubt():
    assert doubt("16 hens, 8 ducks and 8 eggs", "<<16-8=8>> <<8*3=24>>") == AMBIGUOUS
    assert doubt("16 hens, 10 gone, 6 geese", "<<16-10=6>> <<6+6=12>>") == AMBIGUOUS


def test_a_small_number_used_twice_may_be_a_count_of_what_has_no_number():
    text = "Kay has 3 nuts, Lou has 5, Max has 4. They share them equally."
    assert doubt(text, "<<3+5+4=12>> <<12/3=4>>") == AMBIGUOUS
    text = "Kay has 30 nuts and Lou has 5 more. How many have both?"
    assert sources(text, "<<30+5=35>> <<30+35=65>>") == ["30", "5", "30", "#0"]


def test_a_constant_needs_a_word_that_explains_it():
    assert sources("He runs twice as far as 5 km.", "<<5*2=10>>") == ["5", Fraction(2)]
    assert sources("A dozen rows of 5 boys", "<<5*12=60>>") == ["5", Fraction(12)]
    assert doubt("He runs 5 miles.", "<<5*8=40>>") == UNEXPLAINED


def test_a_number_that_a_word_of_the_text_could_mean_too_is_a_doubt():
    text = "She gets 7 letters and 9 cards a week."
    assert doubt(text, "<<9*7=63>>") == AMBIGUOUS
    assert doubt("2 cups, doubled, of 9 each", "<<9*2=18>>") == AMBIGUOUS


def test_numbers_in_the_order_of_the_text_are_held_against_its_words_too():
    text = "Ann has 2 dogs and 5 cats. Bob has twice as many cats as she."
    assert doubt(text, "2*5") == AMBIGUOUS
    assert doubt("7 shelves and 5 rows, dusted for a week. How often?", "7*5") == AMBIGUOUS
    assert sources("Ann has 2 dogs, 5 cats and 3 days off.", "2 + 5 + 3", in_text_order=True) == [
        "2",
        "5",
        "3",
    ]


@pytest.mark.parametrize("word", ["legs", "leg", "wheels", "Wheel", "feet", "foot"])
@pytest.mark.parametrize("number", [2, 3, 4, 6, 8])
def test_a_number_that_could_be_legs_or_wheels_is_a_doubt(word, number):
    assert doubt(f"{number} cows and 15 {word}", f"{number}*15") == AMBIGUOUS
    text = f"16 hens, {16 - number} gone; how many {word} on 9 cows?"
    assert doubt(text, f"<<16-{16 - number}={number}>> <<9*{number}={9 * number}>>") == AMBIGUOUS


def test_legs_and_wheels_give_no_constants():
    assert doubt("How many legs have 15 cows?", "15*4") == UNEXPLAINED


def test_a_result_that_a_word_could_mean_too_is_a_doubt():
    assert doubt("9 pens less 5, for 6 months", "<<9-5=4>> <<4*6=24>>") == AMBIGUOUS


def test_a_percentage_that_was_turned_by_hand_may_not_change():
    text = "Of 50 seats 40% are taken, 60% of them by 40 boys."
    assert doubt(text, "<<50*40=2000>>") == AMBIGUOUS
    assert doubt("Of 50 seats 30% are taken.", "<<100-30=70>> <<50*.7=35>>") == UNEXPLAINED


def test_numbers_that_may_not_change_stay_constants():
    assert sources("He eats 1/4 of 8 pies.", "<<8/4=2>>") == ["8", Fraction(4)]
    assert doubt("Born in 1990, he sold 1/4", "<<1990/4=497.5>>") == NOTHING_TIED


def test_a_step_that_is_used_nowhere_or_does_not_come_out_is_a_doubt():
    text = "Ada has 16 hens and 5 ducks and 3 cows."
    assert doubt(text, "<<16-5=11>> <<3*5=15>>") == AMBIGUOUS
    assert doubt(text, "<<16-5=12>> <<12*3=36>>") == OTHER_ANSWER


def test_a_worked_solution_must_use_every_free_number_and_an_equation_need_not():
    text = "200 guests sit in 5 rows, 2 of them equal, 10 fewer in the last."
    assert doubt(text, "<<200+10=210>> <<210/5=42>>") == UNUSED
    assert sources(text, "(200 + 10) / 5") == ["200", "10", "5"]
