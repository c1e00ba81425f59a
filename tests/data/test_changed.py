"""Copies of a question with one number changed."""

import re

import pytest

from ttrl.answers.tasks import get_task
from ttrl.data.changed import changed_questions
from ttrl.types import Question

MATH = get_task("math")


def changed(prompt: str, *, count: int = 2, seed: int = 0, **fields) -> list[str]:
    question = Question(id="q", prompt=prompt, **fields)
    return [q.prompt for q in changed_questions(question, task=MATH, count=count, seed=seed)]


def numbers(text: str) -> list[int]:
    return [int(n) for n in re.findall(r"\d+", text)]


@pytest.mark.parametrize("seed", range(20))
def test_each_copy_changes_one_number_by_at_most_five_and_keeps_its_digits(seed: int) -> None:
    original = "Tom has 8 apples. He buys 15 and loses 99."
    for copy in changed(original, count=3, seed=seed):
        pairs = list(zip(numbers(original), numbers(copy), strict=True))
        differ = [(a, b) for a, b in pairs if a != b]
        assert len(differ) == 1
        ((old, new),) = differ
        assert 1 <= abs(old - new) <= 5 and len(str(old)) == len(str(new))
        assert re.sub(r"\d+", "#", copy) == re.sub(r"\d+", "#", original)


def test_copies_of_a_question_change_different_numbers() -> None:
    original = "3 and 40 and 500"
    copies = changed(original, count=3)
    places = {i for copy in copies for i in range(3) if numbers(copy)[i] != numbers(original)[i]}
    assert places == {0, 1, 2}


def test_fewer_numbers_make_fewer_copies_and_none_makes_none() -> None:
    assert len(changed("Add 1 to it.", count=3)) == 1
    assert changed("What is it?") == []


@pytest.mark.parametrize("text", ["costs 3.50", "costs 1,000", "x2 and 3rd", "7.", "0"])
def test_only_whole_numbers_on_their_own_are_changed(text: str) -> None:
    found = changed(text)
    assert len(found) == (text in {"7.", "0"})


@pytest.mark.parametrize(
    "fields", [{"task": "choice", "options": ("1", "2")}, {"task": "text"}, {"task": "code"}]
)
def test_questions_whose_answer_is_no_function_of_the_numbers_are_left_alone(fields) -> None:
    assert changed("Which of 3 is it?", **fields) == []


def test_the_change_is_a_function_of_seed_and_id() -> None:
    assert changed("1 2 3 4 5", seed=1) == changed("1 2 3 4 5", seed=1)
    assert len({tuple(changed("1 2 3 4 5", seed=s)) for s in range(10)}) > 1


def test_copies_have_ids_of_their_own() -> None:
    question = Question(id="q", prompt="1 and 2")
    ids = [q.id for q in changed_questions(question, task=MATH, count=2, seed=0)]
    assert ids == ["q~0", "q~1"]


def test_a_hostile_question_takes_no_time() -> None:
    assert changed("1" * 200_000) == []
    assert len(changed("1 " * 50_000)) == 2


@pytest.mark.parametrize(
    "text", ["A train leaves at 9:00.", "at 10:30:15", "agent 007", "platform 04", "00", "mix 3:4"]
)
def test_times_ratios_and_numbers_with_a_leading_zero_are_left_alone(text: str) -> None:
    for seed in range(5):
        assert changed(text, seed=seed) == []


@pytest.mark.parametrize("seed", range(5))
def test_other_numbers_beside_a_time_are_changed(seed: int) -> None:
    (copy,) = changed("At 9:00 it has 40 seats.", count=3, seed=seed)
    assert numbers(copy)[:2] == [9, 0] and numbers(copy)[2] != 40
