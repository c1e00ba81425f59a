"""The worked solutions that the embedded model was pre-trained on."""

import importlib
import random
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttrl.answers.extract import extract_boxed
from ttrl.data.word_problems import DAYS, chain_problem, word_problems

ROUTES = ("in order", "gains first", "backwards")


@pytest.fixture(scope="module")
def solution():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent.parent / "recipes"))
        return importlib.import_module("pretrain_embedded").solution


@given(seed=st.integers(0, 10**9), events=st.integers(1, 7), route=st.sampled_from(ROUTES))
def test_every_solution_is_correct_line_by_line(solution, seed, events, route):
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


def test_each_day_of_a_solution_is_the_day_of_the_question(solution):
    problem = word_problems(kind="chain", split="unlabeled", count=60, seed=0, difficulty=5)[0]
    told = dict(zip(DAYS, problem.changes, strict=False))
    for day, sign, change in re.findall(r"(\w+): \d+ ([+-]) (\d+)", solution(problem, "backwards")):
        assert int(sign + change) == told[day]
