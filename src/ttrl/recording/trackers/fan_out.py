"""All trackers of a run, as one."""

from __future__ import annotations

import atexit
import hashlib
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any

from ttrl.recording.console import say
from ttrl.recording.run_directory import RunDirectory
from ttrl.recording.trackers.interface import TrackedRun
from ttrl.recording.trackers.registry import TRACKERS
from ttrl.recording.trackers.summary import flat_summary
from ttrl.recording.trackers.worker import Worker
from ttrl.types import Metrics

FINISH_SECONDS = 30.0
"""That a finished run waits for its trackers, all together."""


class Trackers:
    """Nothing a tracker does reaches the run. As a context manager it closes them on every way out."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._workers: list[Worker] = []
        self.stuck = False
        """One of them did not end in time, so its library may keep the process from ending too."""

    def __enter__(self) -> Trackers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.finish(None)

    def start(self, directory: RunDirectory, config: Mapping[str, Any], *, step: int) -> None:
        """Opens them.

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
        self._workers = [Worker(name, TRACKERS[name].make()) for name in self._names]
        for worker in self._workers:
            worker.start(run)

    def log(self, step: int, metrics: Metrics) -> None:
        """The metrics of a step, to each."""
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
    """Of what never changes in a run directory: its name, config and manifest, which tells the time."""
    found = hashlib.sha256(directory.path.resolve().name.encode("utf-8", "backslashreplace"))
    for name in ("config.yaml", "manifest.json"):
        found.update((directory.path / name).read_bytes())
    return found.hexdigest()[:16]
