"""`ttrl probe`: planted cases on the embedded model, and what it leaves behind: nothing."""

import itertools
import json
import math
import time

import pytest

from ttrl.data.word_problems import word_problems

SMALL = ("--probe-questions", "6", "--probe-votes", "4", "--limit", "12")


@pytest.fixture
def boxes(tmp_path, write_rows):
    """Questions of a kind that the embedded model has never seen."""
    made = word_problems(kind="boxes", split="unlabeled", count=48, seed=1)
    return write_rows(
        tmp_path / "boxes.jsonl",
        *(
            {"id": p.question.id, "question": p.question.prompt, "answer": str(p.answer)}
            for p in made
        ),
    )


def test_the_default_run_is_a_go_at_three_percent_of_its_cost(call):
    # a quarter of it are the votes on views, which the labels of the run have too
    told = call("probe", "--json").json
    assert told["verdict"] == "go", told["reasons"]
    assert told["cost"]["probe_completions"] <= 0.03 * told["cost"]["training_completions"]
    assert told["cost"]["share_of_tokens"] < 0.03
    assert told["signals"]["kappa"] > 0.1 and told["trial"]["moved"] < 0.015


def test_a_confident_false_majority_is_told_by_numbers_that_do_not_matter(call, boxes):
    told = call("probe", "--questions", str(boxes), "--json").json
    assert told["verdict"] == "do not"
    assert told["signals"]["majority_ratio"] > 0.7 and told["signals"]["ignored_numbers"] > 0.2
    assert "leaves parts of these questions out" in told["reasons"][0]
    assert told["label_accuracy"] is None


def test_a_rate_that_destroys_the_model_is_told_by_how_far_it_moves(call):
    told = call("probe", "--learning-rate", "5e-3", "--json").json
    assert told["verdict"] == "do not" and told["trial"]["moved"] > 0.04
    assert told["advice"]["settings"]["learning_rate"] < 1e-3


def test_a_rate_beyond_all_measure_is_a_verdict_and_no_crash(call):
    outcome = call("probe", *SMALL, "--learning-rate", "1000", "--clip-norm", "1e9", "--json")
    assert outcome.code == 0 and outcome.json["verdict"] == "do not"


def test_a_temperature_at_which_votes_scatter_is_told(call):
    outcome = call("probe", "--temperature", "2", "--json")
    assert outcome.json["verdict"] == "do not"
    assert "hardly a consensus" in " ".join(outcome.json["reasons"])
    assert outcome.json["advice"]["settings"]["temperature"] == 1.0


@pytest.mark.parametrize(
    "options",
    [
        ("--lora", "4", "--learning-rate", "2e-3"),
        ("--algorithm", "dpo"),
        ("--algorithm", "ppo"),
        ("--algorithm", "prime"),
        ("--reward", "selective"),
        ("--votes", "adaptive"),
        ("--mask-truncated",),
    ],
)
def test_it_tries_whatever_would_be_trained(call, options):
    outcome = call("probe", *SMALL, *options, "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.json["trial"]["moved"] is None or outcome.json["trial"]["moved"] >= 0


def test_the_report_for_people_ends_with_verdict_and_advice(call):
    outcome = call("probe", *SMALL, "--difficulty", "1")
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    starts = [line.split()[0] for line in lines if line and not line.startswith(" ")]
    assert starts[:9] == [
        "votes", "agreement", "redrawn", "answers", "tokens", "changes", "trial", "memory", "cost",
    ]  # fmt: skip
    assert "verdict" in starts and "labels" in starts
    assert "the verdict does not know it" in outcome.out


def test_true_answers_change_only_what_is_told_of_them(call, boxes):
    without = call("probe", *SMALL, "--questions", str(boxes), "--json").json
    given = call("probe", *SMALL, "--questions", str(boxes), "--answers", "answer", "--json").json
    assert without.pop("label_accuracy") is None and given.pop("label_accuracy") == 0.0
    for each in (without, given):
        each.pop("cost")
        each["trial"].pop("update_seconds")
    assert without == given


def test_it_is_a_function_of_the_seed(call):
    def signals(seed: str):
        told = call("probe", *SMALL, "--seed", seed, "--json").json
        return json.dumps([told["signals"], told["trial"]["moved"], told["verdict"]])

    assert signals("0") == signals("0") != signals("1")


def test_nothing_is_written(call, tmp_path, monkeypatch, snapshot, model_copy):
    monkeypatch.chdir(tmp_path)
    before = snapshot(tmp_path)
    assert call("probe", *SMALL, "--model", str(model_copy)).code == 0
    assert snapshot(tmp_path) == before


def test_texts_are_probed_without_shares_of_equal_answers(call, tmp_path, write_rows):
    rows = [{"question": f"Say something about {w}."} for w in ("cats", "dogs", "birds", "fish")]
    file = write_rows(tmp_path / "q.jsonl", *rows)
    told = call("probe", "--questions", str(file), "--task", "text", "--probe-votes", "4", "--json")
    assert told.code == 0, told.err
    assert told.json["signals"]["kappa"] is None and told.json["signals"]["halves"] is None
    assert math.isfinite(told.json["signals"]["within"])


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (("--probe-questions", "3"), 2, "probe_questions='3'"),
        (("--probe-votes", "x"), 2, "probe_votes='x'"),
        (("--probe-votes", "-8"), 2, "probe_votes='-8'"),
        (("--trained-per-question", "100"), 2, "trained_per_question"),
        (("--questions", "nope.jsonl"), 3, "nope.jsonl"),
        (("--model", "nope/"), 4, "nope"),
        (("--reward", "answer-key"), 2, "Leave reward out"),
        (("--resume", "x"), 2, "ttrl train"),
        (("--report-to", "none"), 2, "ttrl train"),
        (("--base-evaluations", "x"), 2, "ttrl train"),
        (("--probe-vote", "8"), 2, "--probe-votes"),
        (("--stepz", "8"), 2, "--steps"),
    ],
)
def test_bad_usage_is_refused(call, refused, options, code, told):
    refused(call("probe", *options), code, told)


def test_a_time_in_a_question_is_no_number_to_change(call, tmp_path, write_rows):
    rows = [{"question": f"A train leaves at {h}:00 from platform 04."} for h in range(6, 12)]
    file = write_rows(tmp_path / "q.jsonl", *rows)
    told = call("probe", "--questions", str(file), "--probe-votes", "4", "--json")
    assert told.code == 0, told.err
    assert told.json["signals"]["changes"] == 0


def test_only_sets_that_are_evaluated_are_in_the_forecast(call, tmp_path, write_rows, monkeypatch):
    monkeypatch.setattr(time, "perf_counter", itertools.count(0.0).__next__)  # a second a look
    rows = [{"question": f"Tom has {n} apples.", "answer": str(n)} for n in range(480)]
    file = write_rows(tmp_path / "other.jsonl", *rows)

    def seconds(*options: str) -> float:
        told = call("probe", *SMALL, "--transfer", str(file), *options, "--json")
        cost = told.json["cost"]
        return cost["evaluation_seconds"] / cost["training_seconds"]

    # 12 questions in place of more than 480
    assert seconds("--eval-sets", "unlabeled") < seconds() / 5


def test_a_single_question_is_no_go_and_no_crash(call, tmp_path, write_rows):
    file = write_rows(tmp_path / "q.jsonl", {"question": "Tom has 3 apples and buys 4. How many?"})
    told = call("probe", "--questions", str(file), "--probe-votes", "4", "--json")
    assert told.code == 0 and told.json["verdict"] != "go", told.err


def test_a_learning_rate_of_zero_is_told_to_move_nothing(call):
    told = call("probe", "--learning-rate", "0", "--json")
    assert told.code == 0, told.err
    assert told.json["verdict"] == "go with care"
    assert "hardly move the policy" in " ".join(told.json["reasons"])


def test_votes_without_any_answer_have_no_labels_to_keep(call):
    told = call("probe", *SMALL, "--max-tokens", "1")
    assert told.code == 0, told.err
    assert "None" not in told.out
