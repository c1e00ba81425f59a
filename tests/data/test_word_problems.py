import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttrl.answers.extract import extract_boxed
from ttrl.data.word_problems import DAYS, chain_problem, solution, word_problems

ROUTES = ("in order", "gains first", "backwards")


def make(kind="chain", split="unlabeled", count=60, seed=0, difficulty=5):
    return word_problems(kind=kind, split=split, count=count, seed=seed, difficulty=difficulty)


@given(st.integers(0, 10**9), st.integers(1, 7), st.sampled_from(ROUTES))
def test_every_solution_is_correct_line_by_line(seed, events, route):
    problem = chain_problem(random.Random(seed), events=events)
    text = solution(problem, route)
    equations = re.findall(r"(\d+) ([+-]) (\d+) = (\d+)\.", text)
    days = re.findall(r"(\w+):", text)
    assert len(equations) == events and sorted(days) == sorted(DAYS[:events])
    total = problem.start
    for left, sign, right, result in equations:
        assert int(left) == total
        total = total + int(right) if sign == "+" else total - int(right)
        assert 0 <= int(result) == total <= 99
    assert extract_boxed(text) == str(problem.answer) == str(total)


def test_the_numbers_of_the_text_are_those_of_the_problem():
    for problem in make():
        numbers = [int(n) for n in re.findall(r"\d+", problem.question.prompt)]
        assert numbers == [problem.start, *(abs(c) for c in problem.changes)]


def test_splits_share_no_numbers_whatever_the_seeds():
    unlabeled = {(p.start, p.changes) for s in (0, 1) for p in make(seed=s)}
    heldout = {(p.start, p.changes) for s in (0, 2) for p in make(split="heldout", seed=s)}
    assert not unlabeled & heldout


def test_each_day_of_a_solution_is_the_day_of_the_question():
    problem = make()[0]
    told = dict(zip(DAYS, problem.changes, strict=False))
    for day, sign, change in re.findall(r"(\w+): \d+ ([+-]) (\d+)", solution(problem, "backwards")):
        assert int(sign + change) == told[day]


def test_questions_are_a_function_of_their_seed_and_distinct():
    assert make() == make() and make() != make(seed=1)
    assert make(count=20) == make(count=60)[:20]
    prompts = [p.question.prompt for p in make(count=300)]
    ids = [p.question.id for p in make(count=300)]
    assert len(set(prompts)) == len(set(ids)) == 300


@pytest.mark.parametrize("difficulty", [1, 3, 7])
def test_the_difficulty_is_the_number_of_events(difficulty):
    assert {len(p.changes) for p in make(difficulty=difficulty, count=10)} == {difficulty}


def test_boxes_need_a_product():
    for problem in make(kind="boxes", split="heldout", count=30):
        boxes, each, lost = (int(n) for n in re.findall(r"\d+", problem.question.prompt))
        assert problem.answer == boxes * each - lost
        assert problem.answer not in (boxes + each + lost, boxes + each - lost)
