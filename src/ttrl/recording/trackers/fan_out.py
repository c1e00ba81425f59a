"""All trackers of a run as one. Each has its own thread: the run neither waits for it nor fails with it."""

from __future__ import annotations

import atexit
import hashlib
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Any

from ttrl.recording.console import say
from ttrl.recording.run_directory import RunDirectory
from ttrl.recording.trackers.registry import TRACKERS, TrackedRun, Tracker
from ttrl.types import Metrics

FINISH_SECONDS = 30.0
"""How long a finished run waits for its trackers, all together."""
QUEUED = 1000
"""Steps that wait for a slow tracker; beyond them, steps are dropped and counted."""
LONGEST_ERROR = 300
"""Characters of an error that are shown."""


class Trackers:
    """Nothing a tracker does reaches the run. As a context manager it closes them on every way out."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._workers: list[Worker] = []
        self.stuck = False
        """One of them did not end in time, so its library may keep the process from ending too."""

    def __enter__(self) -> Trackers:
        return self

    def __exit__(self, *error: object) -> None:
        self.finish(None)

    def start(self, directory: RunDirectory, config: Mapping[str, Any], *, step: int) -> None:
        """Opens all of them.

        Args:
            config: plain values by key.
            step: steps done already.
        """
        run = TrackedRun(
            name=directory.path.resolve().name,
            id=_id_of(directory),
            directory=directory.path,
            config=config,
            step=step,
        )
        self._workers = [Worker(name, TRACKERS[name]()) for name in self._names]
        for worker in self._workers:
            worker.start(run)

    def log(self, step: int, metrics: Metrics) -> None:
        """Sends the metrics of a step to each of them."""
        for worker in self._workers:
            worker.log(step, metrics)

    def finish(self, result: Mapping[str, Any] | None) -> None:
        """Closes them, with the numbers of a finished run's result. Does nothing the second time."""
        workers, self._workers = self._workers, []
        if not workers:
            return
        summary = None if result is None else flat_summary(result)
        for worker in workers:
            worker.finish(summary)
        until = time.monotonic() + FINISH_SECONDS
        try:
            self.stuck = not all([worker.wait(until) for worker in workers])
        except KeyboardInterrupt:  # the run itself is over and saved
            self.stuck = True
            say("interrupted: no longer waiting for trackers.")


class Worker:
    """Passes calls on to one tracker in their order. At the first error it is switched off for good."""

    def __init__(self, name: str, tracker: Tracker) -> None:
        self._name, self._tracker = name, tracker
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._off, self._dropped = False, 0
        self._thread = Thread(target=self._work, name=f"tracker-{name}", daemon=True)

    def start(self, run: TrackedRun) -> None:
        """Opens the tracker. Returns at once, as all calls but `wait` do."""
        self._calls.put(partial(self._tracker.start, run))
        self._thread.start()

    def log(self, step: int, metrics: Metrics) -> None:
        """Sends the metrics of a step, or drops them where too many steps wait already."""
        if self._off:
            return
        if self._calls.qsize() < QUEUED:
            self._calls.put(partial(self._tracker.log, step, dict(metrics)))
        else:
            self._dropped += 1

    def finish(self, summary: Metrics | None) -> None:
        """Closes the tracker: the last call, which is never dropped."""
        self._calls.put(partial(self._tracker.finish, summary))
        self._calls.put(None)

    def wait(self, until: float) -> bool:
        """Waits for the end, to a time of `time.monotonic`, and says what did not get through.

        Returns:
            Whether it came to an end.
        """
        self._thread.join(max(0.0, until - time.monotonic()))
        ended = not self._thread.is_alive()
        if not ended:
            self._off = True
            say(f"tracker {self._name}: not finished in time; what it has not sent may be lost.")
        if self._dropped:
            say(f"tracker {self._name}: too slow for the run; {self._dropped} steps were dropped.")
        return ended

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            try:
                call()
            # Trackers raise whatever their network, disk or login comes upon, and some end the process
            # themselves. None of it is the run's business: this is the one place for a broad except.
            except (Exception, SystemExit) as error:
                if not self._off:
                    self._off = True
                    text = " ".join(f"{type(error).__name__}: {error}".split())[:LONGEST_ERROR]
                    say(f"tracker {self._name}: switched off, the run goes on. {text}")
                return


def flat_summary(result: Mapping[str, Any]) -> dict[str, float]:
    """Returns every number of a result, nested keys joined by "/": sets/heldout/final/avg@64.

    The interval `avg@64_ci` becomes `avg@64_ci/low` and `avg@64_ci/high`. Texts are left out.
    """
    found: dict[str, float] = {}
    for key, value in result.items():
        if isinstance(value, list) and key.endswith("_ci") and len(value) == 2:
            value = dict(zip(("low", "high"), value, strict=True))
        if isinstance(value, Mapping):
            found |= {f"{key}/{inner}": number for inner, number in flat_summary(value).items()}
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[key] = float(value)
    return found


def end_with(code: int) -> None:
    """Makes this process end with that code, although libraries would wait for a stuck tracker.

    They register to be called at the end; this is registered after them, and so is called before.
    """
    atexit.register(_end, code)


def _end(code: int) -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # its reader is gone, or it is closed
            stream.flush()
    os._exit(code)


def _id_of(directory: RunDirectory) -> str:
    """Hashes what never changes in a run directory: its name, config and manifest with its time."""
    found = hashlib.sha256(directory.path.resolve().name.encode("utf-8", "backslashreplace"))
    for name in ("config.yaml", "manifest.json"):
        found.update((directory.path / name).read_bytes())
    return found.hexdigest()[:16]
