"""Trackio: local files, or a Space that TRACKIO_SPACE_ID names. TRACKIO_PROJECT holds."""

from __future__ import annotations

import os

from ttrl.recording.trackers.interface import PROJECT, TrackedRun
from ttrl.types import Metrics


class TrackioTracker:
    """Trackio knows runs by name, so the id of the run is part of it."""

    def start(self, run: TrackedRun) -> None:
        """Goes on with the run of that name."""
        import trackio

        self._step = run.step
        self._run = trackio.init(
            project=os.environ.get("TRACKIO_PROJECT", PROJECT),
            name=f"{run.name}-{run.id[:6]}",
            resume="allow",
            config=dict(run.config),
        )

    def log(self, step: int, metrics: Metrics) -> None:
        """One row."""
        self._step = step
        self._run.log(dict(metrics), step=step)

    def finish(self, summary: Metrics | None) -> None:
        """It has no summaries: the numbers stand at the last step."""
        if summary:
            self._run.log(dict(summary), step=self._step)
        self._run.finish()
