"""A run with trackers is the run without them, whatever they do."""

import atexit
import shutil
import sys
import threading
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace

import pytest

from ttrl.recording.trackers import fan_out


class Broken(ModuleType):
    """A package wandb whose runs do something else than log."""

    def __init__(self, log):
        super().__init__("wandb")
        self.__spec__ = ModuleSpec("wandb", None)  # others look for the package too
        self.steps = []
        self.summary = {}
        run = SimpleNamespace(
            define_metric=lambda *given, **named: None,
            log=lambda row: (self.steps.append(row["step"]), log()),
            summary=self.summary,
            finish=lambda exit_code: self.steps.append(f"exit {exit_code}"),
        )
        self.init = lambda **named: run


def fail():
    raise ConnectionError("no route to host")


@pytest.fixture(scope="module")
def plain(call, tiny, tmp_path_factory, folder_of):
    run = folder_of(tmp_path_factory.mktemp("plain") / "run")
    assert call("train", *tiny, "--out", run.path).code == 0
    return run


@pytest.fixture
def tracked(call, tiny, tmp_path, folder_of, monkeypatch):
    """`tracked(log)`: a run whose tracker does that in every step; the package, outcome and folder."""

    def run(log, *options):
        package = Broken(log)
        monkeypatch.setitem(sys.modules, "wandb", package)
        folder = folder_of(tmp_path / "run")
        done = call("train", *tiny, "--out", folder.path, "--report-to", "wandb", *options)
        return package, done, folder

    return run


def test_a_tracker_that_works_is_told_every_step_and_the_result(tracked, plain, same):
    package, done, run = tracked(lambda: None)
    assert done.code == 0 and run.same_bits(plain) == same
    assert package.steps == [1, 2, 3, 4, "exit 0"]
    final = run.result["sets"]["heldout"]["final"]
    assert package.summary["sets/heldout/final/majority_ratio"] == final["majority_ratio"]
    assert "tracker" not in done.err


def test_a_tracker_that_raises_changes_nothing_but_one_line_on_standard_error(tracked, plain, same):
    package, done, run = tracked(fail, "--json")
    assert done.code == 0 and run.same_bits(plain) == same
    assert package.steps == [1]
    assert done.err.count("tracker wandb: switched off") == 1 and "no route to host" in done.err
    assert done.json == run.result


def test_a_tracker_that_hangs_changes_nothing_but_one_line_on_standard_error(
    tracked, plain, same, monkeypatch
):
    ends = []
    monkeypatch.setattr(atexit, "register", lambda *given: ends.append(given[1:]))
    monkeypatch.setattr(fan_out, "FINISH_SECONDS", 0.2)
    released = threading.Event()
    package, done, run = tracked(lambda: released.wait(900))
    assert done.code == 0 and run.same_bits(plain) == same
    assert package.steps == [1] and ends == [(0,)]
    assert done.err.count("tracker wandb: not finished in time") == 1
    released.set()


STUCK = """
import atexit, importlib.machinery, sys, time, types
from ttrl.recording.trackers import fan_out

def wait(**named):
    atexit.register(lambda: (time.sleep(3600), print('late')))
    time.sleep(3600)

fan_out.FINISH_SECONDS = 0.2
sys.modules['wandb'] = types.ModuleType('wandb')
sys.modules['wandb'].init = wait
sys.modules['wandb'].__spec__ = importlib.machinery.ModuleSpec('wandb', None)
"""


def test_a_library_that_waits_for_its_hanging_tracker_does_not_keep_the_process(
    start, tiny, tmp_path
):
    options = ("--out", str(tmp_path / "run"), "--report-to", "wandb", "--json")
    done = start("train", *tiny, *options, patch=STUCK).end()
    assert done.code == 0, done.err
    assert done.json["steps"] == 4 and "late" not in done.out


def test_trackers_are_no_part_of_the_config_of_a_run(tracked, plain):
    _, _, run = tracked(lambda: None)
    assert (run.path / "config.yaml").read_text() == (plain.path / "config.yaml").read_text()


def test_a_run_goes_on_with_a_tracker_that_it_was_not_started_with(
    call, plain, tmp_path, monkeypatch
):
    package = Broken(lambda: None)
    monkeypatch.setitem(sys.modules, "wandb", package)
    copy = shutil.copytree(plain.path, tmp_path / "copy")
    done = call("train", "--resume", copy, env={"TTRL_REPORT_TO": "wandb,wandb"})
    assert done.code == 0, done.err
    assert package.steps == ["exit 0"]  # all steps were done
    assert package.summary["steps"] == 4


def test_an_interrupted_run_marks_its_tracker_run_as_unfinished(tracked, signal_at):
    from ttrl.engine.sampler import NativeSampler

    signal_at(NativeSampler, "sample", 5)
    package, done, _ = tracked(lambda: None)
    assert done.code == 130
    assert package.steps[-1] == "exit 1" and package.summary == {}


@pytest.mark.parametrize("name", ["trackio", "mlflow"])
def test_a_package_that_is_missing_ends_with_2_before_anything_is_made(
    call, refused, tmp_path, monkeypatch, name
):
    from ttrl.recording.trackers import registry

    monkeypatch.setattr(registry, "_is_package", lambda package: False)
    done = call("train", "--out", tmp_path / "run", "--report-to", name)
    refused(done, 2, f"report_to={name}", f"pip install {name}")
    assert not (tmp_path / "run").exists()


def test_an_unknown_tracker_ends_with_2_and_the_names_that_there_are(call, refused):
    refused(call("train", "--report-to", "comet"), 2, "report_to='comet'", "tensorboard", "mlflow")
