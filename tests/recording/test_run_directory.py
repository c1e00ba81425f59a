import json
import subprocess
import sys
from pathlib import Path

import pytest

from ttrl.errors import CheckpointError, ConfigError
from ttrl.recording.run_directory import RunDirectory


@pytest.fixture
def run(tmp_path):
    return RunDirectory.create(tmp_path / "r", config="steps: 1\n", manifest={"format": 1})


def test_nothing_is_overwritten(run):
    with pytest.raises(ConfigError, match=r"exists already.*--resume"):
        RunDirectory.create(run.path, config="", manifest={})
    assert (run.path / "config.yaml").read_text() == "steps: 1\n"


def test_a_file_in_the_way_is_refused_too(tmp_path):
    (tmp_path / "r").write_text("mine")
    with pytest.raises(ConfigError, match="exists already"):
        RunDirectory.create(tmp_path / "r", config="", manifest={})


def test_lines_after_a_step_are_dropped_with_a_line_cut_short(run):
    run.append("metrics.jsonl", [{"step": 1}, {"step": 2}, {"step": 3}])
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 4, "x"')
    run.forget_after(2)
    lines = (run.path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2]


def test_text_that_is_not_unicode_is_kept_as_escapes(run):
    run.append("votes.jsonl", [{"step": 1, "label": "\ud800 ü"}])
    assert "ü" in (run.path / "votes.jsonl").read_text()


def test_a_folder_that_is_no_run_is_told(tmp_path):
    with pytest.raises(CheckpointError, match="not a run directory"):
        RunDirectory.open(tmp_path)


def test_broken_json_is_told_and_missing_is_none(run):
    assert run.read_json("nothing.json") is None
    (run.path / "bad.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"bad\.json: not valid JSON"):
        run.read_json("bad.json")


def test_a_locked_run_lets_nobody_else_in_until_it_is_unlocked(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run", config="", manifest={})
    other = RunDirectory.open(tmp_path / "run")
    run.lock()
    with pytest.raises(CheckpointError, match="another process is working in it"):
        other.lock()
    run.unlock()
    other.lock()


def test_a_process_that_dies_leaves_no_lock_behind(tmp_path: Path) -> None:
    RunDirectory.create(tmp_path / "run", config="", manifest={})
    script = (
        "import os, sys; from pathlib import Path\n"
        "from ttrl.recording.run_directory import RunDirectory\n"
        "RunDirectory.open(Path(sys.argv[1])).lock(); os._exit(9)"
    )
    done = subprocess.run([sys.executable, "-c", script, tmp_path / "run"], check=False)
    assert done.returncode == 9
    RunDirectory.open(tmp_path / "run").lock()
