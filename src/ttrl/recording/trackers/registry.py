"""The experiment trackers that a run can send copies of its metrics to, and which of them are wanted.

They are named as Hugging Face names them. Each is told where to send by its own environment variables.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from ttrl.errors import ConfigError
from ttrl.types import Metrics

PROJECT = "ttrl"
"""Where a tracker files runs if its own environment variable names no project."""
LONGEST_PARAMETER = 500
"""Characters of a parameter that every store of MLflow takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedRun:
    """The facts about a run that a tracker gets."""

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
    (`ttrl.recording.trackers.fan_out`).
    """

    packages: ClassVar[tuple[str, ...]]
    """Any of them serves; the first is the one to install."""

    def start(self, run: TrackedRun) -> None:
        """Opens the tracker's own run, or the one of that id again, and leaves the config there."""

    def log(self, step: int, metrics: Metrics) -> None:
        """Sends the metrics of a step. A run that goes on may send a step again, with the same values."""

    def finish(self, summary: Metrics | None) -> None:
        """Sends what is left and closes. Without a summary the run ended early."""


class TensorboardTracker(Tracker):
    """Writes event files into the folder `tensorboard` of the run directory.

    It takes torch's writer, which needs the package tensorboard; without that, tensorboardX.
    """

    packages = ("tensorboard", "tensorboardX")

    def start(self, run: TrackedRun) -> None:
        self._step = run.step
        self._writer = _event_writer()(
            log_dir=str(run.directory / "tensorboard"),
            # Hides events after the checkpoint that a run goes on from: they come again.
            purge_step=run.step + 1 if run.step else None,
        )
        if not run.step:
            config = json.dumps(dict(run.config), indent=2, ensure_ascii=False)
            self._writer.add_text("config", f"```json\n{config}\n```")

    def log(self, step: int, metrics: Metrics) -> None:
        self._step = step
        for key, value in metrics.items():
            self._writer.add_scalar(key, value, step)
        self._writer.flush()

    def finish(self, summary: Metrics | None) -> None:
        for key, value in (summary or {}).items():
            self._writer.add_scalar(key, value, self._step)
        self._writer.close()


class WandbTracker(Tracker):
    """Keeps one Weights & Biases run per run directory, under the id of the run.

    WANDB_PROJECT, WANDB_MODE=offline and its other variables hold.
    """

    packages = ("wandb",)

    def start(self, run: TrackedRun) -> None:
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
        # Steps are an axis of their own: wandb's counter would refuse those that a resume repeats.
        self._run.define_metric("*", step_metric="step")

    def log(self, step: int, metrics: Metrics) -> None:
        self._run.log({"step": step, **metrics})

    def finish(self, summary: Metrics | None) -> None:
        self._run.summary.update(summary or {})
        # A run that ended early counts as failed until it is resumed.
        self._run.finish(exit_code=1 if summary is None else 0)


class TrackioTracker(Tracker):
    """Writes local files, or into a Space that TRACKIO_SPACE_ID names. TRACKIO_PROJECT holds.

    Trackio knows runs by name, so the id of the run is part of it. It has no summaries: they stand at the
    last step.
    """

    packages = ("trackio",)

    def start(self, run: TrackedRun) -> None:
        import trackio

        self._step = run.step
        self._run = trackio.init(
            project=os.environ.get("TRACKIO_PROJECT", PROJECT),
            name=f"{run.name}-{run.id[:6]}",
            resume="allow",
            config=dict(run.config),
        )

    def log(self, step: int, metrics: Metrics) -> None:
        self._step = step
        self._run.log(dict(metrics), step=step)

    def finish(self, summary: Metrics | None) -> None:
        if summary:
            self._run.log(dict(summary), step=self._step)
        self._run.finish()


class MlflowTracker(Tracker):
    """Sends to where MLFLOW_TRACKING_URI says, into the experiment that MLFLOW_EXPERIMENT_NAME names.

    MLflow makes up its own run ids, so the run is found again by a tag.
    """

    packages = ("mlflow",)

    def start(self, run: TrackedRun) -> None:
        import mlflow

        self._mlflow, self._step = mlflow, run.step
        experiment = mlflow.set_experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT))
        found = mlflow.search_runs(
            experiment_ids=[experiment.experiment_id],
            filter_string=f"tags.ttrl_run = '{run.id}'",
            output_format="list",
        )
        if found:
            mlflow.start_run(run_id=found[0].info.run_id)
        else:  # parameters cannot be written twice
            mlflow.start_run(run_name=run.name, tags={"ttrl_run": run.id})
            mlflow.log_params({k: str(v)[:LONGEST_PARAMETER] for k, v in run.config.items()})

    def log(self, step: int, metrics: Metrics) -> None:
        self._step = step
        # MLflow's names know no @.
        spelled = {key.replace("@", "_at_"): value for key, value in metrics.items()}
        self._mlflow.log_metrics(spelled, step=step)

    def finish(self, summary: Metrics | None) -> None:
        if summary:
            self.log(self._step, summary)
        # A run that ended early is KILLED until it is resumed.
        self._mlflow.end_run("KILLED" if summary is None else "FINISHED")


TRACKERS: Mapping[str, type[Tracker]] = {
    "tensorboard": TensorboardTracker,
    "wandb": WandbTracker,
    "trackio": TrackioTracker,
    "mlflow": MlflowTracker,
}


def wanted(report_to: Sequence[str]) -> tuple[str, ...]:
    """Returns names of trackers for the key `report_to`: as given, all that are installed, or none.

    Raises:
        ConfigError: a package is not installed, or none is asked for along with others.
    """
    if "none" in report_to and len(set(report_to)) > 1:
        raise ConfigError(
            f"report_to={list(report_to)}: none and others contradict each other. Leave one out."
        )
    if not report_to or "none" in report_to:
        return ()
    installed = [name for name in TRACKERS if any(map(_is_package, TRACKERS[name].packages))]
    named = [name for name in TRACKERS if name in report_to]
    for name in named:
        if name not in installed:
            raise ConfigError(
                f"report_to={name}: the package {TRACKERS[name].packages[0]} is not installed. "
                f"pip install {TRACKERS[name].packages[0]}, or leave {name} out."
            )
    return tuple(installed if "all" in report_to else named)


def _is_package(name: str) -> bool:
    """Whether there is a package, and not just a folder, such as the one that wandb leaves where it runs."""
    if name in sys.modules:
        return True
    spec = importlib.util.find_spec(name)
    return spec is not None and spec.origin is not None


def _event_writer() -> Any:
    """Imports the class by name: this package must not import torch, which a run has loaded long ago."""
    try:
        return importlib.import_module("torch.utils.tensorboard").SummaryWriter
    except ImportError:
        return importlib.import_module("tensorboardX").SummaryWriter
