import re

import pytest

from ttrl.data.word_problems import word_problems


def make(kind="chain", split="unlabeled", count=60, seed=0, difficulty=5):
    return word_problems(kind=kind, split=split, count=count, seed=seed, difficulty=difficulty)


def test_the_numbers_of_the_text_are_those_of_the_problem():
    for problem in make():
        numbers = [int(n) for n in re.findall(r"\d+", problem.question.prompt)]
        assert numbers == [problem.start, *(abs(c) for c in problem.changes)]


def test_splits_share_no_numbers_whatever_the_seeds():
    unlabeled = {(p.start, p.changes) for s in (0, 1) for p in make(seed=s)}
    heldout = {(p.start, p.changes) for s in (0, 2) for p in make(split="heldout", seed=s)}
    assert not unlabeled & heldout


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
