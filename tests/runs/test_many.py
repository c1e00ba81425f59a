"""Studies and sweeps from Python: what they return, what they refuse, and what an interrupt leaves."""

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from ttrl import study, sweep
from ttrl.errors import CheckpointError, ConfigError
from ttrl.recording.results import read_result
from ttrl.runs.interrupts import RunInterrupted
from ttrl.runs.many import StudyResult

TINY = {
    "limit": 4,
    "eval_limit": 2,
    "eval_sets": ["unlabeled"],
    "questions_per_step": 2,
    "votes_per_question": 8,
    "trained_per_question": 6,
    "steps": 1,
    "samples": 4,
    "learning_rate": 0.002,
    "temperature": 1.3,
    "device": "cpu",
    "seeds": [0],
}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[StudyResult, list[str]]:
    out = tmp_path_factory.mktemp("study") / "study"
    messages: list[str] = []
    return study(arms=["ttrl"], out=out, on_message=messages.append, **TINY), messages


def test_a_study_returns_its_runs_and_what_its_folder_holds(done) -> None:
    result, _ = done
    written = json.loads((result.path / "study.json").read_text("utf-8"))
    assert json.loads(json.dumps(result.figures)) == written
    assert list(result.text) == written["told"] and result.text[0] == written["quote"]
    assert result.arms == {"ttrl": (read_result(result.path / "runs" / "ttrl-seed-0"),)}
    assert result.arms["ttrl"][0].steps == 1 and result.failures == ()
    assert (result.path / "report.html").is_file()


def test_what_goes_on_is_told_to_the_caller_and_nothing_is_printed(done, capfd) -> None:
    result, messages = done
    assert messages[0] == f"study       {result.path}"
    assert [line.split()[1] for line in messages[1:]][:2] == ["base-seed-0", "ttrl-seed-0"]
    again: list[str] = []
    assert study(resume=result.path, on_message=again.append).figures == result.figures
    assert again == [] and capfd.readouterr() == ("", "")


def test_a_run_that_fails_is_in_the_value_and_the_others_are_reported(done, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(done[0].path, tmp_path / "study"))
    manifest = json.loads((copy / "manifest.json").read_text("utf-8"))
    manifest["settings"]["arms"] = ["ttrl", "random"]
    (copy / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    in_the_way = copy / "runs" / "random-seed-0"
    in_the_way.mkdir()
    (in_the_way / "notes.txt").write_text("mine", "utf-8")
    result = study(resume=copy)
    (failure,) = result.failures
    assert (failure.name, failure.exit_code) == ("random-seed-0", 2)
    assert "never overwritten" in failure.said
    assert len(result.arms["ttrl"]) == 1 and result.arms["random"] == ()


def test_without_any_run_the_error_ends_with_the_code_of_the_first_failure(
    done, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(done[0].path, tmp_path / "study"))
    shutil.rmtree(copy / "runs")
    in_the_way = copy / "runs" / "ttrl-seed-0"
    in_the_way.mkdir(parents=True)
    (in_the_way / "notes.txt").write_text("mine", "utf-8")
    with pytest.raises(CheckpointError, match="nothing to report") as caught:
        study(resume=copy)
    assert caught.value.exit_code == 2


def test_an_interrupt_says_how_to_go_on_and_the_study_does(tmp_path: Path) -> None:
    out = tmp_path / "study"

    def interrupt(line: str) -> None:
        if "base-seed-0" in line:
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(RunInterrupted, match=f"nothing is lost. .*ttrl study --resume {out}"):
        study(arms=["ttrl"], out=out, on_message=interrupt, **TINY)
    assert signal.getsignal(signal.SIGTERM) == before
    assert not (out / "study.json").exists()
    assert len(study(resume=out).arms["ttrl"]) == 1


def test_a_sweep_returns_the_runs_of_its_points(tmp_path: Path) -> None:
    points = [{"temperature": 0.7}, {"steps": 0}]
    result = sweep(points=points, out=tmp_path / "sweep", **TINY)
    steps = {name: [run.steps for run in runs] for name, runs in result.arms.items()}
    assert steps == {"temperature-0.7": [1], "steps-0": [0]}
    written = json.loads((tmp_path / "sweep" / "sweep.json").read_text("utf-8"))
    assert json.loads(json.dumps(result.figures)) == written
    assert list(result.text) == written["told"]


@pytest.mark.parametrize(
    ("call", "settings", "message"),
    [
        (study, {"armz": ["ttrl"]}, r"study\(\): unknown key 'armz'\. Did you mean arms\?"),
        (study, {"setps": 3}, r"study\(\): unknown key 'setps'\. Did you mean steps\?"),
        (study, {"seed": 3}, r"study\(\): 'seed' is not read here"),
        (study, {"dry_run": True}, r"study\(\): 'dry_run' .* command `ttrl study`"),
        (study, {"arms": ["random"]}, "ttrl among them"),
        (study, {"grid": {"steps": [1]}}, r"study\(\): unknown key 'grid'"),
        (sweep, {"gird": {"steps": [1]}}, r"sweep\(\): unknown key 'gird'\. Did you mean grid\?"),
        (sweep, {"grid": {"stepz": [1]}}, "'stepz' is not a key of a run"),
        (sweep, {}, "either a grid or points"),
    ],
)
def test_what_a_call_does_not_read_is_refused(
    call: Callable[..., object], settings: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=message):
        call(out=tmp_path / "out", **settings)
    assert not (tmp_path / "out").exists()


def test_the_environment_is_for_commands(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("TTRL_SEED", "3")  # which a command would refuse
    with pytest.raises(ConfigError, match="that of another arm"):
        study(reward="format", out=tmp_path / "study")
