"""True labels, shuffled labels and none: the weights and the votes are the same bits."""

import json

import pytest


@pytest.fixture(scope="module")
def labeled_runs(call, tiny, tmp_path_factory, write_rows, problems, folder_of):
    """One run per kind of label, with all else equal."""
    folder = tmp_path_factory.mktemp("wall")
    answers = [row["answer"] for row in problems]
    shuffled = [*answers[3:], *answers[:3]]
    assert shuffled != answers
    files = {
        "true": problems,
        "shuffled": [{**r, "answer": a} for r, a in zip(problems, shuffled, strict=True)],
        "none": [{"id": r["id"], "question": r["question"]} for r in problems],
    }
    runs = {}
    for name, rows in files.items():
        file = write_rows(folder / f"{name}.jsonl", *rows)
        options = ["--questions", str(file), "--out", str(folder / name)]
        if name != "none":
            options += ["--answers", "answer"]
        assert call("train", *tiny, *options).code == 0
        runs[name] = folder_of(folder / name)
    return runs


def test_weights_are_bit_identical_under_true_shuffled_and_no_labels(labeled_runs):
    assert len({run.weights for run in labeled_runs.values()}) == 1


def test_vote_records_are_identical_under_true_shuffled_and_no_labels(labeled_runs):
    assert len({run.votes for run in labeled_runs.values()}) == 1


def test_all_metrics_but_the_label_diagnostics_are_identical(labeled_runs):
    def without_labels(run):
        return [{k: v for k, v in r.items() if not k.startswith("labels/")} for r in run.metrics]

    true, shuffled, none = (without_labels(run) for run in labeled_runs.values())
    assert true == shuffled == none


def test_the_three_runs_did_learn_and_their_labels_did_differ(labeled_runs):
    """Else the tests above would say nothing."""
    assert any("train/grad_norm" in row for row in labeled_runs["none"].metrics)

    def answers(name):
        file = labeled_runs[name].path / "evaluations" / "base-unlabeled.json"
        return [question["answer"] for question in json.loads(file.read_text())["questions"]]

    assert answers("true") != answers("shuffled")
    assert answers("none") == [None] * len(answers("true"))
    for name in ("true", "shuffled"):
        assert all("labels/label_accuracy" in row for row in labeled_runs[name].metrics)


def test_a_run_rewarded_by_the_answer_key_says_so_in_every_record(
    call, tiny, tmp_path, labeled_runs, folder_of
):
    run, majority = folder_of(tmp_path / "run"), labeled_runs["true"]
    file = majority.path.parent / "true.jsonl"
    options = ("--questions", file, "--answers", "answer", "--reward", "answer-key")
    outcome = call("train", *tiny, *options, "--out", run.path)
    assert outcome.code == 0
    assert run.weights != majority.weights  # the key was used
    assert run.manifest["rewarded_by_true_labels"] is True
    assert majority.manifest["rewarded_by_true_labels"] is False
    assert run.result["reward"] == "answer-key"
    assert "rewarded by true labels" in run.report.lower()
    assert "rewarded by true labels" not in majority.report.lower()
    assert "TRUE LABELS" in outcome.out and "TRUE LABELS" in outcome.err
    assert "reward: answer-key" in (run.path / "config.yaml").read_text()
