"""One tracker on a thread of its own, so that the run neither waits for it nor fails with it."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from threading import Thread

from ttrl.recording.console import say
from ttrl.recording.trackers.interface import TrackedRun, Tracker
from ttrl.types import Metrics

QUEUED = 1000
"""Steps that wait for a slow tracker; beyond them, steps are dropped and counted."""
TOLD = 300
"""Characters of an error that are shown."""


class Worker:
    """Passes calls on in their order. At the first error the tracker is switched off for good."""

    def __init__(self, name: str, tracker: Tracker) -> None:
        self._name, self._tracker = name, tracker
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._off, self._dropped = False, 0
        self._thread = Thread(target=self._work, name=f"tracker-{name}", daemon=True)

    def start(self, run: TrackedRun) -> None:
        """Returns at once, as all calls but `wait` do."""
        self._calls.put(partial(self._tracker.start, run))
        self._thread.start()

    def log(self, step: int, metrics: Metrics) -> None:
        """Drops the step where too many wait already."""
        if self._off:
            return
        if self._calls.qsize() < QUEUED:
            self._calls.put(partial(self._tracker.log, step, dict(metrics)))
        else:
            self._dropped += 1

    def finish(self, summary: Metrics | None) -> None:
        """The last call; never dropped."""
        self._calls.put(partial(self._tracker.finish, summary))
        self._calls.put(None)

    def wait(self, until: float) -> bool:
        """Waits for the end, to a time of `time.monotonic`, and tells what did not get through.

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
                    text = " ".join(f"{type(error).__name__}: {error}".split())[:TOLD]
                    say(f"tracker {self._name}: switched off, the run goes on. {text}")
                return
