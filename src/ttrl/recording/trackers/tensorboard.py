"""TensorBoard: event files in the folder `tensorboard` of the run directory."""

from __future__ import annotations

import importlib
import json
from typing import Any

from ttrl.recording.trackers.interface import TrackedRun
from ttrl.types import Metrics


class TensorboardTracker:
    """Through torch's writer, which needs the package tensorboard; without that, tensorboardX."""

    def start(self, run: TrackedRun) -> None:
        """Events after the checkpoint that a run goes on from are hidden: they come again."""
        self._step = run.step
        self._writer = _writer_class()(
            log_dir=str(run.directory / "tensorboard"),
            purge_step=run.step + 1 if run.step else None,
        )
        if not run.step:
            config = json.dumps(dict(run.config), indent=2, ensure_ascii=False)
            self._writer.add_text("config", f"```json\n{config}\n```")

    def log(self, step: int, metrics: Metrics) -> None:
        """One scalar each."""
        self._step = step
        for key, value in metrics.items():
            self._writer.add_scalar(key, value, step)
        self._writer.flush()

    def finish(self, summary: Metrics | None) -> None:
        """The summary stands at the last step."""
        for key, value in (summary or {}).items():
            self._writer.add_scalar(key, value, self._step)
        self._writer.close()


def _writer_class() -> Any:
    """By name, since this package must not import torch, and a run has loaded it long ago."""
    try:
        return importlib.import_module("torch.utils.tensorboard").SummaryWriter
    except ImportError:
        return importlib.import_module("tensorboardX").SummaryWriter
