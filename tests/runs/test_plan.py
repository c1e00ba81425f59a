"""The plan says how labels are elected."""

import json

import pytest

from ttrl.config import RunConfig
from ttrl.runs import plan

STORY = (
    "Ida has 9 eggs. She buys 7 on Monday. On Tuesday she uses 3. How many eggs does she have now?"
)
TEXTS = [STORY, STORY.replace("9", "8"), "What is 3 + 4?"]
VOTES = {"votes_per_question": 8, "trained_per_question": 6, "steps": 1, "samples": 1}


@pytest.fixture
def labels(tmp_path):
    def of(texts, **settings):
        path = tmp_path / "q.jsonl"
        path.write_text("".join(json.dumps({"question": text}) + "\n" for text in texts), "utf-8")
        lines = plan.make_plan(RunConfig(questions=str(path), **(VOTES | settings))).lines
        return [line for line in lines if line.startswith("labels")]

    return of


def test_it_counts_the_questions_that_have_views(labels):
    start = "labels      6 votes on each question and 2 on up to 2 views of it (facts: "
    assert labels(TEXTS[:2]) == [start + "2 of 2 questions), no token more"]
    assert labels(TEXTS) == [
        start + "2 of 3 questions), no token more; the others have 8 votes on themselves"
    ]


def test_it_says_that_no_question_has_views(labels):
    assert labels(TEXTS[2:]) == [
        "labels      8 votes on each question itself; views (facts) of 0 of 1 questions"
    ]


def test_without_views_a_vote_on_the_question_needs_no_line(labels):
    assert labels(TEXTS, views=()) == []
    assert labels(TEXTS, trained_per_question=8) == []  # views: auto, and no vote is left for them


def test_of_many_questions_it_looks_at_the_first(labels, monkeypatch):
    monkeypatch.setattr(plan, "LOOKED_AT", 1)
    (line,) = labels(TEXTS)
    assert "(facts: 1 of the first 1 questions), no token more" in line
