"""`ttrl report`: one run again, several side by side, and everything that is no run."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory, call: Call, tiny: tuple[str, ...]) -> Path:
    """A folder with two runs that differ by their seed."""
    folder = tmp_path_factory.mktemp("runs")
    for seed in (0, 1):
        options = [*tiny, "--steps", "2", "--seed", seed, "--out", folder / f"run-{seed}"]
        assert call("train", *options).code == 0
    return folder


@pytest.fixture
def runs(real: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of them in the current folder."""
    shutil.copytree(real, tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    return Path("runs")


def test_one_run_gets_its_report_again(call: Call, runs: Path):
    report = runs / "run-0" / "report.html"
    before = report.read_bytes()
    report.unlink()
    done = call("report", runs / "run-0")
    assert done.code == 0 and done.out == f"report      {report}\n"
    assert report.read_bytes() == before


def test_one_run_may_be_reported_elsewhere(call: Call, runs: Path):
    (runs / "run-0" / "report.html").unlink()
    assert call("report", runs / "run-0", "--out", "elsewhere.html").code == 0
    assert Path("elsewhere.html").is_file() and not (runs / "run-0" / "report.html").exists()
    assert "beside this file" not in Path("elsewhere.html").read_text("utf-8")
    assert call("report", runs / "run-0").code == 0
    assert "figure.svg beside this file" in (runs / "run-0" / "report.html").read_text("utf-8")


def test_several_runs_are_compared_in_the_current_folder(call: Call, runs: Path):
    done = call("report", runs / "run-0", runs / "run-1")
    assert done.code == 0 and done.out == "report      comparison.html\n"
    html = Path("comparison.html").read_text("utf-8")
    assert "run (2 runs)" in html and "over seeds where a row has several runs" in html
    assert 'href="runs/run-0/report.html"' in html
    assert call("report", runs / "run-0", runs / "run-1").code == 0  # a page of ours is replaced


def test_the_result_as_json(call: Call, runs: Path):
    done = call("report", runs / "run-0", runs / "run-1", "--out", "c.html", "--json")
    assert done.json == {"report": "c.html", "left_out": []}


def test_a_run_that_is_named_twice_counts_once(call: Call, runs: Path):
    assert call("report", runs / "run-0", runs / "run-0" / ".", runs / "run-1").code == 0
    assert "run (2 runs)" in Path("comparison.html").read_text("utf-8")


def test_a_run_that_has_not_ended_is_left_out_by_name(call: Call, runs: Path):
    (runs / "run-1" / "result.json").unlink()
    done = call("report", runs / "run-0", runs / "run-1")
    assert done.code == 0 and "left out    runs/run-1: the run has not ended" in done.err
    assert "runs/run-1: the run has not ended" in Path("comparison.html").read_text("utf-8")


def test_runs_of_which_none_has_ended_are_no_comparison(
    call: Call, runs: Path, refused: Callable[..., str]
):
    for name in ("run-0", "run-1"):
        (runs / name / "result.json").unlink()
    told = ("none of these 2 runs has ended", "ttrl train --resume runs/run-0")
    refused(call("report", runs / "run-0", runs / "run-1"), 4, *told)
    refused(call("report", runs / "run-0"), 4, "has not ended", "ttrl train --resume runs/run-0")
    assert not Path("comparison.html").exists()


@pytest.mark.parametrize("name", ["nowhere", "runs", "x" * 5000])
def test_what_is_no_run_is_refused(call: Call, runs: Path, refused: Callable[..., str], name: str):
    refused(call("report", name), 4, "not a run")
    refused(call("report", runs / "run-0", name), 4, "not a run")


def test_a_file_of_somebody_else_is_not_overwritten(
    call: Call, runs: Path, refused: Callable[..., str]
):
    for name in ("comparison.html", "mine.html"):
        Path(name).write_text("mine")
    both = (runs / "run-0", runs / "run-1")
    refused(call("report", *both), 4, "comparison.html", "not overwritten", "--out")
    refused(call("report", *both, "--out", "mine.html"), 4, "mine.html", "not overwritten")
    refused(call("report", runs / "run-0", "--out", "mine.html"), 4, "not overwritten")
    refused(call("report", *both, "--out", "no/such/folder.html"), 4, "no folder no/such")
    refused(call("report", *both, "--out", "runs"), 4, "runs", "not overwritten")
    assert Path("mine.html").read_text() == Path("comparison.html").read_text() == "mine"


def test_a_run_of_an_older_version_is_reported_too(call: Call, runs: Path):
    folder = runs / "run-1"
    result = json.loads((folder / "result.json").read_text("utf-8"))
    for key in ("ttrl_version", "algorithm", "evaluation_seconds", "peak_rss_bytes"):
        result.pop(key, None)
    (folder / "result.json").write_text(json.dumps(result))
    (folder / "config.yaml").write_text("divide_by_std: false\nclip_ratio: 0.2\nseed: 1\n")
    (folder / "manifest.json").unlink()
    shutil.rmtree(folder / "evaluations")
    assert call("report", folder).code == 0
    assert call("report", runs / "run-0", folder).code == 0
    html = Path("comparison.html").read_text("utf-8")
    assert "divide_by_std" in html and "cannot be paired" in html


@pytest.mark.parametrize(
    ("kind", "writer"), [("study", "write_study_report"), ("sweep", "write_sweep_report")]
)
def test_a_study_and_a_sweep_have_their_own_pages_made_again_ended_or_not(
    call: Call,
    runs: Path,
    refused: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    writer: str,
):
    made: list[Path] = []
    monkeypatch.setattr(f"ttrl.evaluation.report.again.{writer}", made.append)
    (runs / "manifest.json").write_text(json.dumps({"command": kind}))
    done = call("report", runs)
    assert done.code == 0 and made == [runs] and done.out == "report      runs/report.html\n"
    refused(call("report", runs, runs / "run-0"), 2, f"is a {kind}", "ttrl report runs")
    refused(call("report", runs, "--out", "x.html"), 2, kind, "--out")


@pytest.mark.parametrize("kind", ["study", "sweep"])
def test_a_run_of_a_study_that_has_not_ended_goes_on_with_the_study(
    call: Call, runs: Path, refused: Callable[..., str], kind: str
):
    whole = Path("whole")
    shutil.copytree(runs, whole / "runs")
    (whole / "manifest.json").write_text(json.dumps({"command": kind}))
    (whole / "runs" / "run-0" / "result.json").unlink()
    told = f"ttrl {kind} --resume whole"
    refused(call("report", whole / "runs" / "run-0"), 4, "has not ended", told)


@pytest.mark.parametrize("manifest", ["[]", "{", "[" * 5000, '{"command": ["study"]}'])
def test_a_manifest_that_names_no_command_is_that_of_a_run(call: Call, runs: Path, manifest: str):
    (runs / "run-0" / "manifest.json").write_text(manifest)
    assert call("report", runs / "run-0").code == 0


def test_no_run_is_bad_usage(call: Call, refused: Callable[..., str]):
    refused(call("report"), 2, "RUN", "ttrl report --help")


def test_the_command_imports_no_torch(real: Path, tmp_path: Path):
    code = (
        "import sys\nfrom ttrl.cli.main import main\n"
        "code = main(sys.argv[1:])\nassert 'torch' not in sys.modules\nsys.exit(code)"
    )
    out = tmp_path / "page.html"
    done = subprocess.run(
        [sys.executable, "-c", code, "report", real / "run-0", real / "run-1", "--out", out],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
