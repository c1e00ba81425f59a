"""Questions to choose settings on, apart from the reported ones."""

import sys
from pathlib import Path

import pytest

from ttrl.data.word_problems import split_of, word_problems

sys.path.insert(0, str(Path(__file__).parents[1] / "recipes"))

from other_questions import SIZES, numbers_of, other_questions


@pytest.fixture(scope="module")
def reported():
    return {
        numbers_of(problem)
        for split, size in SIZES.items()
        for problem in word_problems(kind="chain", split=split, count=size, seed=0, difficulty=4)
    }


@pytest.mark.parametrize("split", SIZES)
def test_as_many_of_the_same_split_and_none_has_the_numbers_of_a_reported_one(split, reported):
    found = other_questions(split, seed=100)
    assert len({p.question.prompt for p in found}) == SIZES[split]
    assert {split_of(p) for p in found} == {split}
    assert not reported & {numbers_of(p) for p in found}


def test_the_reported_seed_is_refused():
    with pytest.raises(ValueError, match="take another one"):
        other_questions("unlabeled", seed=0)
