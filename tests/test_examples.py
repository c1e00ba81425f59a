"""Every example runs as it stands, in settings small enough for a test."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
LONGEST = 60


def run_example(name: str, *arguments: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    try:
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    except SystemExit as ended:
        assert ended.code == 0


def test_a_vote_joins_spellings_and_needs_no_torch() -> None:
    script = EXAMPLES / "01_vote.py"
    code = (
        f"import runpy, sys; runpy.run_path({str(script)!r}, run_name='__main__'); "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert "pseudo-label     : 0.5" in lines
    assert "majority ratio   : 0.5 of all votes, abstentions included" in lines
    assert [line[7] for line in lines if line.startswith("reward ")] == list("110010")
    assert lines[-1] == "False"  # torch


def test_training_on_a_file_prints_the_result(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    votes = ("votes_per_question=8", "trained_per_question=4")
    options = ("steps=1", "samples=2", "device=cpu", *votes)
    run_example("02_train_on_your_file.py", *options, monkeypatch=monkeypatch)
    table = capsys.readouterr().out.partition("metric")[2]
    assert "avg@2" in table and "maj@2" in table


def test_a_run_an_evaluation_and_a_report_are_had_from_python(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_example("06_train_from_python.py", monkeypatch=monkeypatch)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["1", "2"]
    sets = ["unlabeled", "heldout", "out_of_prior"]
    assert [line.split()[:2] for line in lines[2:5]] == [[name, "before:"] for name in sets]
    assert lines[5].startswith("another draw: Interval(value=")
    assert lines[6].endswith("report.html is written.")


def test_an_own_loop_prints_the_majority_ratio_of_each_step(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_example("03_own_loop.py", "2", monkeypatch=monkeypatch)
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["step 1", "step 2"]


@pytest.mark.parametrize("script", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_examples_are_short(script: Path) -> None:
    assert len(script.read_text("utf-8").splitlines()) <= LONGEST


def test_every_example_has_a_test() -> None:
    others = EXAMPLES.parent / "engine_tests" / "trl" / "test_own_script.py"  # where TRL is
    tests = Path(__file__).read_text("utf-8") + others.read_text("utf-8")
    assert all(script.name in tests for script in EXAMPLES.glob("*.py"))
