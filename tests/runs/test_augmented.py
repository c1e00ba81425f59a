"""A run on copies with other numbers trains on them, evaluates without them, and goes on to the same bits."""

import json

import pytest

from ttrl.runs.start import train

SETTINGS = dict(
    limit=6, augment="perturbed", augment_copies=2, steps=6, questions_per_step=3, votes_per_question=4,
    trained_per_question=2, samples=2, max_tokens=64, seed=1,
)  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("augmented") / "run"
    said = []
    return train(out=str(path), on_message=said.append, **SETTINGS), path, said


def test_questions_and_copies_are_each_visited_once_before_one_comes_again(run):
    _, path, _ = run
    ids = [json.loads(line)["question"] for line in (path / "votes.jsonl").read_text().splitlines()]
    assert len(ids) == len(set(ids)) == 18
    assert sum("~p" in id for id in ids) == 12


def test_the_plan_counts_the_copies_and_evaluations_have_none(run):
    result, path, said = run
    assert any("6 unlabeled and 12 copies of them with other numbers" in line for line in said)
    assert {when for _, when in result.evaluations} == {"base", "final"}
    for evaluation in result.evaluations.values():
        assert not any("~p" in question.id for question in evaluation.questions)
    assert (path / "report.html").exists()


def test_steps_without_a_labeled_question_have_no_label_metrics(run):
    _, path, _ = run
    rows = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    votes = [json.loads(line) for line in (path / "votes.jsonl").read_text().splitlines()]
    for row in rows:
        labeled = any(v["step"] == row["step"] and "~p" not in v["question"] for v in votes)
        assert ("labels/label_accuracy" in row) == labeled
