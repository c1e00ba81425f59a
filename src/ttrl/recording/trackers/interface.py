"""What an experiment tracker is to a run: a place that copies of its metrics are sent to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ttrl.types import Metrics

PROJECT = "ttrl"
"""Where a tracker files runs if its own environment variable names no project."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedRun:
    """A run as trackers are told of it."""

    name: str
    id: str
    """The same whenever the run goes on, another for every other run; 16 hexadecimal digits."""
    directory: Path
    config: Mapping[str, Any]
    """Plain values by key, as in config.yaml."""
    step: int
    """Steps done already: over 0 where a run goes on."""


class Tracker(Protocol):
    """One service or file format. All calls come from one thread, which is not the run's.

    Any of them may raise or hang: the run notes the first and outlives the second
    (`ttrl.recording.trackers.worker`).
    """

    def start(self, run: TrackedRun) -> None:
        """Opens the tracker's own run, or the one of that id again, and leaves the config there."""

    def log(self, step: int, metrics: Metrics) -> None:
        """The metrics of a step. A run that goes on may tell a step again, with the same values."""

    def finish(self, summary: Metrics | None) -> None:
        """Sends what is left and closes. None: the run ended early."""
