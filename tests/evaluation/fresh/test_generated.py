import re

import pytest

from ttrl.data.word_problems import LARGEST, LARGEST_TOTAL, WordProblem, split_of, word_problems
from ttrl.errors import ConfigError
from ttrl.evaluation.fresh.catalogue import new_problems, numbers_of

LOSSES = "loses|sells|uses|drops|lends"


def read(question):
    """Start and signed changes, out of the text."""
    start = int(re.search(r"has (\d+)", question.prompt)[1])
    told = re.findall(r"(\w+) (\d+) on", question.prompt)
    return (start, *(int(n) * (-1 if re.fullmatch(LOSSES, verb) else 1) for verb, n in told))


def test_new_problems_are_new_by_their_numbers_and_not_those_of_pre_training():
    known = {
        numbers_of(problem)
        for split in ("unlabeled", "heldout")
        for problem in word_problems(kind="chain", split=split, count=300, seed=0, difficulty=2)
    }
    made = new_problems(count=200, difficulty=2, seed=5, known=known)
    numbers = [read(question) for question in made.questions]
    assert len(set(numbers)) == 200 and not known.intersection(numbers) and made.note is None
    for question, (start, *changes) in zip(made.questions, numbers, strict=True):
        problem = WordProblem(question=question, start=start, changes=tuple(changes), answer=0)
        assert split_of(problem) != "pretrain"
        assert made.answers.get(question.id) == str(start + sum(changes))
        assert len(changes) == 2 and max(map(abs, changes)) <= LARGEST
        assert 0 <= start + sum(changes) <= LARGEST_TOTAL


def test_another_seed_makes_other_problems_and_the_same_seed_the_same():
    first, again, other = (
        new_problems(count=20, difficulty=4, seed=seed, known=()) for seed in (0, 0, 1)
    )
    assert first == again
    assert not {read(q) for q in first.questions} & {read(q) for q in other.questions}


def test_what_is_exhausted_is_told_and_nothing_at_all_is_refused():
    everything = new_problems(count=10_000, difficulty=1, seed=0, known=())
    found = len(everything.questions)
    # 20 starts, gains of 1..20 and losses that leave at least 0: 20 * 20 + 210, three quarters of them
    assert 0.65 * 610 < found < 0.85 * 610
    assert everything.note == f"{found} of 10000: there are no more"
    with pytest.raises(ConfigError, match="no more problems of difficulty 1"):
        new_problems(count=1, difficulty=1, seed=1, known={read(q) for q in everything.questions})
