"""MLflow: where MLFLOW_TRACKING_URI says, in the experiment that MLFLOW_EXPERIMENT_NAME names."""

from __future__ import annotations

import os

from ttrl.recording.trackers.interface import PROJECT, TrackedRun
from ttrl.types import Metrics

TAG = "ttrl_run"
LONGEST = 500
"""Characters of a parameter that every store takes."""


class MlflowTracker:
    """MLflow makes up its own run ids, so the run is found again by a tag."""

    def start(self, run: TrackedRun) -> None:
        """Parameters cannot be written twice, so only a new run gets them."""
        import mlflow

        self._mlflow, self._step = mlflow, run.step
        experiment = mlflow.set_experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT))
        found = mlflow.search_runs(
            experiment_ids=[experiment.experiment_id],
            filter_string=f"tags.{TAG} = '{run.id}'",
            output_format="list",
        )
        if found:
            mlflow.start_run(run_id=found[0].info.run_id)
        else:
            mlflow.start_run(run_name=run.name, tags={TAG: run.id})
            mlflow.log_params({key: str(value)[:LONGEST] for key, value in run.config.items()})

    def log(self, step: int, metrics: Metrics) -> None:
        """One value each."""
        self._step = step
        self._mlflow.log_metrics(_spelled(metrics), step=step)

    def finish(self, summary: Metrics | None) -> None:
        """A run that ended early is KILLED until it is resumed."""
        if summary:
            self._mlflow.log_metrics(_spelled(summary), step=self._step)
        self._mlflow.end_run("KILLED" if summary is None else "FINISHED")


def _spelled(metrics: Metrics) -> Metrics:
    """MLflow's names know no @."""
    return {key.replace("@", "_at_"): value for key, value in metrics.items()}
