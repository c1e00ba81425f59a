"""A tracker that fails or hangs is told of once, and nothing else happens."""

import sys
import threading

import pytest

from ttrl.recording.run_directory import RunDirectory
from ttrl.recording.trackers import fan_out
from ttrl.recording.trackers.fan_out import Trackers

PATIENCE = 600  # seconds until a thread counts as hanging


class Fake:
    """Remembers; does what its script says instead, where it says something."""

    def __init__(self, **script):
        self.script, self.calls, self.runs = script, [], []

    def _do(self, name, *given):
        self.calls.append((name, *given))
        if name in self.script:
            self.script[name]()

    def start(self, run):
        self.runs.append(run)
        self._do("start")

    def log(self, step, metrics):
        self._do("log", step, metrics)

    def finish(self, summary):
        self._do("finish", summary)


def fail():
    raise OSError("the disk\nis full")


@pytest.fixture
def directory(tmp_path):
    return RunDirectory.create(tmp_path / "r", config="steps: 1\n", manifest={"format": 1})


@pytest.fixture
def track(monkeypatch, directory):
    """`track(name=fake, ...)`: trackers that are these fakes, started."""

    def start(**fakes):
        entries = {name: lambda fake=fake: fake for name, fake in fakes.items()}
        monkeypatch.setattr(fan_out, "TRACKERS", entries)
        trackers = Trackers(tuple(fakes))
        trackers.start(directory, {"steps": 1}, step=0)
        return trackers

    return start


def test_each_tracker_gets_config_steps_and_summary_in_order(track):
    one, other = Fake(), Fake()
    with track(one=one, other=other) as trackers:
        trackers.log(1, {"a/b": 1.0})
        trackers.log(2, {"a/b": 2.0})
        trackers.finish({"steps": 2, "name": "r"})
    expected = [
        ("start",),
        ("log", 1, {"a/b": 1.0}),
        ("log", 2, {"a/b": 2.0}),
        ("finish", {"steps": 2.0}),
    ]
    assert one.calls == other.calls == expected
    assert one.runs[0].config == {"steps": 1} and one.runs[0].name == "r"


def test_a_run_that_ends_early_closes_its_trackers_without_a_summary(track):
    fake = Fake()
    with pytest.raises(ArithmeticError), track(fake=fake) as trackers:
        trackers.log(1, {})
        raise ArithmeticError
    assert fake.calls[-1] == ("finish", None)


def leave():
    sys.exit("not logged in")


@pytest.mark.parametrize("what", ["start", "log", "finish"])
@pytest.mark.parametrize("how", [fail, leave])
def test_an_error_is_told_once_and_switches_off_that_tracker_alone(track, capsys, what, how):
    broken, sound = Fake(**{what: how}), Fake()
    trackers = track(broken=broken, sound=sound)
    for step in (1, 2, 3):
        trackers.log(step, {})
    trackers.finish({})
    assert [call[0] for call in sound.calls] == ["start", "log", "log", "log", "finish"]
    assert [call[0] for call in broken.calls].count(what) == 1
    assert broken.calls[-1][0] == what
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and told.startswith("tracker broken: switched off")
    assert ("OSError: the disk is full" in told) or ("SystemExit: not logged in" in told)


def test_a_tracker_that_hangs_holds_up_neither_the_steps_nor_the_end(track, capsys, monkeypatch):
    released, ended, back = threading.Event(), threading.Event(), []
    monkeypatch.setattr(fan_out, "FINISH_SECONDS", 0.5)
    hanging = Fake(log=lambda: back.append(released.wait(PATIENCE)))
    sound = Fake(finish=ended.set)
    trackers = track(hanging=hanging, sound=sound)
    for step in (1, 2, 3):
        trackers.log(step, {})
    trackers.finish({})
    assert back == []  # it hangs still, and nobody waited for it
    assert capsys.readouterr().err.count("tracker hanging: not finished in time") == 1
    assert ended.wait(PATIENCE) and sound.calls[-1] == ("finish", {})
    released.set()


def test_steps_beyond_those_that_may_wait_are_dropped_and_counted(track, capsys, monkeypatch):
    monkeypatch.setattr(fan_out, "QUEUED", 2)
    released, begun = threading.Event(), threading.Event()

    def slow():
        begun.set()
        released.wait(PATIENCE)

    fake = Fake(log=slow)
    trackers = track(fake=fake)
    trackers.log(1, {})
    assert begun.wait(PATIENCE)
    for step in range(2, 8):  # 2 and 3 wait, 4 to 7 find no place
        trackers.log(step, {})
    released.set()
    trackers.finish({})
    assert [call[1] for call in fake.calls if call[0] == "log"] == [1, 2, 3]
    assert fake.calls[-1] == ("finish", {})
    assert "4 steps were dropped" in capsys.readouterr().err


def test_the_id_stays_with_a_run_and_differs_between_runs(track, tmp_path, directory):
    again, other = Fake(), Fake()
    for fake in (again, again):
        track(fake=fake).finish(None)
    assert again.runs[0].id == again.runs[1].id
    changed = RunDirectory.create(tmp_path / "s" / "r", config="seed: 1\n", manifest={"format": 1})
    trackers = track(fake=other)
    trackers.finish(None)
    trackers.start(changed, {}, step=0)
    trackers.finish(None)
    assert other.runs[0].id == again.runs[0].id != other.runs[1].id


def test_metrics_changed_later_are_sent_as_they_were(track):
    begun, released = threading.Event(), threading.Event()
    fake = Fake(start=lambda: (begun.set(), released.wait(PATIENCE)))
    trackers = track(fake=fake)
    metrics = {"a/b": 1.0}
    trackers.log(1, metrics)
    metrics["a/b"] = 2.0
    released.set()
    trackers.finish({})
    assert ("log", 1, {"a/b": 1.0}) in fake.calls
