"""Figures before training may come from a `ttrl eval`, if they are those the run would find itself."""

import json
import shutil

import pytest


@pytest.fixture(scope="module")
def base(call, tiny, tmp_path_factory):
    """An evaluation of the base with the settings of a tiny run."""
    out = tmp_path_factory.mktemp("base") / "base"
    config = out.parent / "run.yaml"
    config.write_text(call("config", *tiny, "--steps", "1").out, "utf-8")
    assert call("eval", "--config", config, "--out", out).code == 0
    return out, config


def test_a_run_takes_them_and_ends_as_one_that_makes_its_own(base, call, tmp_path, folder_of, same):
    path, config = base
    own, borrowed = tmp_path / "own", tmp_path / "borrowed"
    assert call("train", "--config", config, "--out", own).code == 0
    assert (
        call("train", "--config", config, "--base-evaluations", path, "--out", borrowed).code == 0
    )
    assert folder_of(own).same_bits(folder_of(borrowed)) == same
    for name in ("unlabeled", "heldout", "out_of_prior"):
        file = f"evaluations/base-{name}.json"
        mine, theirs = (json.loads((run / file).read_text()) for run in (own, borrowed))
        assert mine["metrics"] == theirs["metrics"] and mine["questions"] == theirs["questions"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--seed", "1"), "seed=0"),
        (("--samples", "5"), "samples=4"),
        (("--max-tokens", "90"), "max_tokens=96"),
        (("--limit", "3"), "other questions"),
    ],
)
def test_other_settings_or_questions_are_refused_and_leave_nothing(
    base, call, tmp_path, options, told
):
    path, config = base
    out = tmp_path / "run"
    outcome = call("train", "--config", config, *options, "--base-evaluations", path, "--out", out)
    assert outcome.code == 2 and told in outcome.err and not out.exists()


@pytest.mark.parametrize("text", ["{}", '{"metrics": {}}'])
def test_a_file_that_is_not_whole_is_refused(base, call, tmp_path, text):
    path, config = base
    copy = tmp_path / "base"
    shutil.copytree(path, copy)
    (copy / "evaluations" / "base-heldout.json").write_text(text, "utf-8")
    out = tmp_path / "run"
    outcome = call("train", "--config", config, "--base-evaluations", copy, "--out", out)
    assert outcome.code == 2 and "no whole evaluations/base-heldout.json" in outcome.err
    assert not out.exists()


def test_figures_of_other_answers_are_refused(base, call, tmp_path):
    path, config = base
    copy = tmp_path / "base"
    shutil.copytree(path, copy)
    file = copy / "evaluations" / "base-unlabeled.json"
    evaluation = json.loads(file.read_text("utf-8"))
    evaluation["questions"][0]["answer"] = "12345"
    file.write_text(json.dumps(evaluation), "utf-8")
    outcome = call(
        "train", "--config", config, "--base-evaluations", copy, "--out", tmp_path / "run"
    )
    assert outcome.code == 2 and "'12345'" in outcome.err


def test_a_run_that_is_resumed_has_its_figures_already(base, call, tmp_path):
    path, config = base
    out = tmp_path / "run"
    assert call("train", "--config", config, "--out", out).code == 0
    outcome = call("train", "--resume", out, "--base-evaluations", path)
    assert outcome.code == 2 and "leave --base-evaluations out" in outcome.err
