"""`ttrl sweep`: a grid or list of settings, one table and one page."""

import json

import pytest


@pytest.fixture(scope="module")
def sweep(call, tiny, tmp_path_factory):
    """A finished sweep over two temperatures."""
    out = tmp_path_factory.mktemp("sweep") / "sweep"
    outcome = call(
        "sweep", *tiny, "--steps", "1", "--eval-sets", "unlabeled", "--seeds", "0",
        "--grid", "temperature=0.7,1.3", "--out", out,
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    return out, outcome


def test_every_point_is_a_run_with_its_settings(sweep):
    out, _ = sweep
    for temperature in ("0.7", "1.3"):
        run = out / "runs" / f"temperature-{temperature}-seed-0"
        assert f"temperature: {temperature}\n" in (run / "config.yaml").read_text("utf-8")
        assert (run / "report.html").exists()


def test_points_share_the_evaluation_of_their_base(sweep):
    out, _ = sweep
    assert [path.name for path in out.glob("base-*")] == ["base-temperature-0.7-seed-0"]
    for temperature in ("0.7", "1.3"):
        run = out / "runs" / f"temperature-{temperature}-seed-0"
        taken = json.loads((run / "evaluations" / "base-unlabeled.json").read_text("utf-8"))
        assert set(taken["cost"].values()) == {0}


def test_the_table_has_one_row_per_point_in_order(sweep):
    out, outcome = sweep
    found = json.loads((out / "sweep.json").read_text("utf-8"))
    assert [point["name"] for point in found["points"]] == ["temperature-0.7", "temperature-1.3"]
    table = (out / "results.md").read_text("utf-8").splitlines()
    assert table[2].startswith("| temperature-0.7 | ") and len(table) == 4
    assert "temperature-1.3" in outcome.out and (out / "report.html").exists()


def test_a_finished_sweep_goes_on_to_the_same_figures(sweep, call):
    out, _ = sweep
    before = (out / "sweep.json").read_text("utf-8")
    assert call("sweep", "--resume", out).code == 0
    assert (out / "sweep.json").read_text("utf-8") == before


def test_points_come_from_yaml(call, tmp_path):
    file = tmp_path / "sweep.yaml"
    file.write_text("steps: 9\nseeds: [4]\npoints:\n- {temperature: 0.5}\n- {steps: 3}\n", "utf-8")
    outcome = call("sweep", "--config", file, "--dry-run", "--json")
    assert outcome.code == 0
    assert outcome.json["points"] == {
        "temperature-0.5": {"temperature": 0.5},
        "steps-3": {"steps": 3},
    }
    assert outcome.json["seeds"] == [4] and outcome.json["config"]["steps"] == 9


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "either a grid or points"),
        (("--grid", "temperature=hot"), "temperature"),
        (("--grid", "tempreature=1"), "not a key of a run"),
        (("--grid", "trained_per_question=16,128"), "trained_per_question"),
        (("--grid", "reward=agreement,majorty"), "Did you mean majority"),
    ],
)
def test_every_point_is_checked_before_the_first_runs(call, tmp_path, options, told):
    outcome = call("sweep", *options, "--out", tmp_path / "sweep")
    assert outcome.code == 2 and told in outcome.err and "Traceback" not in outcome.err
    assert not (tmp_path / "sweep").exists()


def test_the_questions_of_every_point_are_read_before_the_first_runs(call, tmp_path):
    file = tmp_path / "sweep.yaml"
    file.write_text("points:\n- {questions: nowhere.jsonl}\n- {steps: 1}\n", "utf-8")
    outcome = call("sweep", "--config", file, "--out", tmp_path / "sweep")
    assert outcome.code == 3 and "nowhere.jsonl" in outcome.err
    assert not (tmp_path / "sweep").exists()
