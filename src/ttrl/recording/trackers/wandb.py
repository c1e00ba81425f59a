"""Weights & Biases. WANDB_PROJECT, WANDB_MODE=offline and its other variables hold."""

from __future__ import annotations

import os

from ttrl.recording.trackers.interface import PROJECT, TrackedRun
from ttrl.types import Metrics


class WandbTracker:
    """One wandb run per run directory, under the id of the run."""

    def start(self, run: TrackedRun) -> None:
        """Steps are an axis of their own: wandb's counter would refuse those that a resume repeats."""
        import wandb

        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            name=run.name,
            id=run.id,
            resume="allow",
            dir=str(run.directory),
            config=dict(run.config),
            settings={"console": "off"},  # it would put itself between the run and its output
        )
        self._run.define_metric("*", step_metric="step")

    def log(self, step: int, metrics: Metrics) -> None:
        """One row."""
        self._run.log({"step": step, **metrics})

    def finish(self, summary: Metrics | None) -> None:
        """Uploads what is left. A run that ended early is marked as failed until it is resumed."""
        self._run.summary.update(summary or {})
        self._run.finish(exit_code=1 if summary is None else 0)
