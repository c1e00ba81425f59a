import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttrl.errors import CheckpointError
from ttrl.interval import Interval
from ttrl.recording.evaluations import Curves, Evaluation, LevelMetrics, SetMetrics
from ttrl.recording.question_record import QuestionRecord
from ttrl.recording.results import VERSION, RunResult, read_result

RECORD = {
    "id": "q1",
    "prompt": "1 + 1?",
    "level": "2",
    "pseudo_label": "2",
    "tied": False,
    "counts": [5, 2],
    "labels": ["2", "3"],
    "other": 1,
    "abstained": 2,
    "answer": "2",
    "correct": 5,
    "vote_right": True,
    "right_class": 0,
    "example": "It is \\boxed{2}",
}
METRICS = {
    "avg@4": 0.25,
    "avg@4_ci": [0.125, 0.5],
    "avg@8": 0.375,
    "avg@8_ci": [0.25, 0.5],
    "maj@8": 0.5,
    "maj@8_ci": [0.0, 1.0],
    "pass@4": 0.75,
    "entropy": 0.5,
    "no_answer_rate": 0.25,
    "truncated_rate": 0.0,
    "mean_tokens": 40.5,
    "majority_ratio": 0.625,
    "questions": 12,
    "labeled": 10,
    "temperature": 0.6,
    "top_p": 0.95,
}
EVALUATION = {
    "set": "heldout",
    "when": "base",
    "labeled": True,
    "sampling": {"temperature": 0.6, "top_p": 0.95, "max_tokens": 96, "samples": 8},
    "metrics": METRICS,
    "curves": {
        "k": [1, 2],
        "pass": [0.25, 0.5],
        "pass_ci": [[0.0, 0.5], [0.25, 0.75]],
        "maj": [0.25, 0.375],
        "maj_ci": [[0.0, 0.5], [0.0, 0.625]],
    },
    "by_level": [
        {
            "level": "2",
            "questions": 3,
            "labeled": 2,
            "avg@k": 0.5,
            "avg@k_ci": [0.25, 0.75],
            "maj@n": 1.0,
            "maj@n_ci": [1.0, 1.0],
            "majority_ratio": 0.75,
        },
        {"level": "3", "questions": 1, "labeled": 0, "majority_ratio": 0.5},
    ],
    "questions": [RECORD],
    "note": "1 of 13 questions is left out.",
    "cost": {"sampled_tokens": 320, "sampling_seconds": 0.5, "evaluation_seconds": 0.75},
}
RESULT = {
    "version": VERSION,
    "name": "x",
    "ttrl_version": "0.7.0",
    "model": "ttrl-tiny",
    "algorithm": "grpo",
    "engine": "native",
    "reward": "agreement",
    "seed": 0,
    "steps": 60,
    "stopped": "all steps done",
    "sets": {"heldout": {"base": METRICS, "final": METRICS}},
    "wall_seconds": 12.5,
    "sampled_tokens": 1000,
    "sampling_seconds": 5.5,
    "training_seconds": 4.5,
    "evaluation_seconds": 2.5,
    "peak_rss_bytes": 1024,
    "weights": "runs/x/checkpoints/step-000060",
}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


def folder(tmp_path, result, evaluations):
    (tmp_path / "evaluations").mkdir()
    (tmp_path / "result.json").write_text(result if isinstance(result, str) else json.dumps(result))
    for name, content in evaluations.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / "evaluations" / name).write_text(text)
    return tmp_path


def test_what_is_written_is_what_was_read_to_the_byte():
    assert json.dumps(Evaluation.from_json(EVALUATION).to_json()) == json.dumps(EVALUATION)


def test_metrics_are_found_by_their_written_names():
    metrics = SetMetrics.from_json(METRICS)
    assert metrics.of("avg@4") == Interval(value=0.25, low=0.125, high=0.5)
    assert metrics.of("pass@4") == Interval(value=0.75)
    assert metrics.of("entropy") == Interval(value=0.5)
    assert metrics.of("avg@16") is None and metrics.of("similarity") is None
    assert metrics.of("questions_ci") is None and metrics.of("__class__") is None


def test_metrics_without_anything_measured_are_false():
    assert not SetMetrics() and SetMetrics.from_json(METRICS)


def test_a_text_set_has_similarities_before_everything_else():
    written = {
        "similarity": 0.5,
        "similarity_ci": [0.25, 0.75],
        "consensus_similarity": 0.625,
        "self_similarity": 0.375,
        "questions": 3,
    }
    assert list(SetMetrics.from_json(written).to_json()) == list(written)


def test_a_result_is_read_with_its_evaluations(tmp_path):
    run = read_result(folder(tmp_path, RESULT, {"base-heldout.json": EVALUATION}))
    assert json.dumps(run.to_json()) == json.dumps(RESULT)
    assert run.evaluations["heldout", "base"].questions[0].share_right == 5 / 10
    assert run.of("heldout", "final").avg[8].value == 0.375 and not run.of("unlabeled", "base")
    assert run.path == tmp_path and not run.unreadable


def test_a_folder_of_version_1_is_read_and_says_so(tmp_path):
    """0.6.0 and before: result.json names no version, and the oldest records do not mark the vote."""
    old = {key: value for key, value in RESULT.items() if key != "version"}
    record = {key: value for key, value in RECORD.items() if key != "vote_right"}
    evaluation = EVALUATION | {
        "questions": [
            record,
            record | {"id": "q2", "right_class": 1},
            record | {"id": "q3", "correct": None},
        ]
    }
    run = read_result(folder(tmp_path, old, {"final-heldout.json": evaluation}))
    assert run.version == 1
    right = [each.vote_right for each in run.evaluations["heldout", "final"].questions]
    assert right == [True, False, None]


def test_a_broken_evaluation_costs_itself_alone(tmp_path):
    files = {"base-heldout.json": EVALUATION, "final-heldout.json": "{", "notes.json": "[1"}
    run = read_result(folder(tmp_path, RESULT, files))
    assert run.unreadable == ("final-heldout.json",)
    assert list(run.evaluations) == [("heldout", "base")]


@pytest.mark.parametrize("content", ["[1, 2]", "{", "", "null"])
def test_a_result_that_is_no_object_is_refused(tmp_path, content):
    with pytest.raises(CheckpointError, match="got no JSON object"):
        read_result(folder(tmp_path, content, {}))


def test_a_run_without_a_result_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="not found"):
        read_result(tmp_path)


def test_the_path_of_a_run_may_be_a_text(tmp_path):
    path = folder(tmp_path, RESULT, {"base-heldout.json": EVALUATION})
    assert read_result(str(path)) == read_result(path)


def test_more_right_completions_than_completions_are_cut():
    assert QuestionRecord.from_json(RECORD | {"correct": 99}).correct == 10


def test_in_a_tie_the_elected_class_need_not_be_the_first():
    assert QuestionRecord.from_json(RECORD | {"pseudo_label": "3"}).winner == 1
    assert QuestionRecord.from_json(RECORD | {"pseudo_label": None}).winner is None


def test_curves_with_a_hole_are_none():
    curves = EVALUATION["curves"]
    assert Curves.from_json(curves) is not None
    assert Curves.from_json(curves | {"maj": [0.25, None]}) is None
    assert Curves.from_json({}) is None


def test_a_level_without_a_label_has_no_accuracy():
    assert LevelMetrics.from_json(EVALUATION["by_level"][1]).avg is None


@given(st.dictionaries(st.sampled_from([*EVALUATION, *RESULT, *METRICS]), ANYTHING))
def test_nothing_that_a_file_can_hold_breaks_the_reader(value):
    evaluation = Evaluation.from_json(value)
    json.dumps(evaluation.to_json())
    SetMetrics.from_json(value)


@given(st.dictionaries(st.sampled_from(list(RECORD)), ANYTHING))
def test_no_record_breaks_the_reader(value):
    record = QuestionRecord.from_json(value)
    assert 0 <= record.share_right <= 1
    assert record.correct is None or 0 <= record.correct <= record.completions


def test_an_empty_result_knows_nothing():
    run = RunResult()
    assert not run.is_true_labels and run.of("unlabeled", "base") == SetMetrics()
