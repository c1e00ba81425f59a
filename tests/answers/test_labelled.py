"""The labelled suite: answers, extractions, choices and hostile strings, each label right by mathematics."""

import json
from functools import partial
from pathlib import Path

import pytest

from ttrl import extract_answer, vote
from ttrl.answers.choice import extract_choice
from ttrl.answers.extract import strip_reasoning
from ttrl.answers.tasks import MathTask

FOLDER = Path(__file__).parent / "labelled"
TRACE = Path("/tmp/hacked")  # what the hostile payloads would leave behind if one ran


def rows(name):
    return [json.loads(line) for line in (FOLDER / name).read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def verdicts():
    task = MathTask()
    return [(row, task.key(row["a"]) == task.key(row["b"])) for row in rows("pairs.jsonl")]


def test_no_two_different_answers_are_called_equal(verdicts):
    assert len(verdicts) >= 400
    assert [(r["a"], r["b"]) for r, same in verdicts if same and not r["equal"]] == []


def test_at_least_98_percent_of_equal_answers_are_found_equal(verdicts):
    equal = [(r["a"], r["b"], same) for r, same in verdicts if r["equal"]]
    missed = [(a, b) for a, b, same in equal if not same]
    assert len(missed) <= 0.02 * len(equal), missed


def test_every_extraction_is_right():
    found = [
        (row["text"], row["answer"], extract_answer(row["text"], truncated=row["truncated"]))
        for row in rows("extractions.jsonl")
    ]
    assert len(found) >= 100
    assert [each for each in found if each[1] != each[2]] == []


def test_every_choice_is_right():
    found = [
        (row, extract_choice(row["text"], options=row["options"], truncated=row["truncated"]))
        for row in rows("choices.jsonl")
    ]
    assert len(found) >= 60
    assert [(row, letter) for row, letter in found if row["answer"] != letter] == []


HOSTILE = rows("hostile.jsonl")


@pytest.mark.parametrize("task", ["math", "number", "choice", "label", "text", "code"])
def test_no_hostile_completion_hangs_runs_or_wins(task, calls_in):
    good = {
        "math": r"\boxed{42}", "number": r"\boxed{42}", "choice": r"\boxed{B}", "label": r"\boxed{ham}",
        "text": "Light is scattered by small particles in the air, blue more than red.",
        "code": "```python\ndef f(x):\n    return x + 1\n```",
    }[task]  # fmt: skip
    assert len(HOSTILE) >= 100 and not TRACE.exists()
    ask = partial(vote, task=task, options=("spam", "ham"))
    ask([good])  # imports what it needs
    for row in HOSTILE:
        text = row["prefix"] + row["repeat"] * row["times"] + row["suffix"]
        found = []
        calls = calls_in(lambda text=text, found=found: found.append(ask([good] * 63 + [text])))
        (votes,) = found
        assert votes.classes[:63] == (0,) * 63, row["name"]
        assert max(votes.rewards) == votes.rewards[0], row["name"]
        assert calls <= len(text) + 200_000, row["name"]
    assert not TRACE.exists()


def test_reasoning_is_removed_from_hostile_texts_too():
    for row in HOSTILE:
        text = row["prefix"] + row["repeat"] * row["times"] + row["suffix"]
        assert "<think>" not in strip_reasoning(text)
