"""Keeps what a run remembers from step to step, makes its records, and ends it after silent steps."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from ttrl.config import RunConfig
from ttrl.consensus.summary import step_record
from ttrl.types import StepResult, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """All that a run has to remember besides weights and optimizer. No generator state: seeds are paths."""

    step: int = 0
    """Steps done."""
    silent_steps: int = 0
    """Steps in a row, up to now, without a gradient."""
    silence: str | None = None
    """Why the last step had none."""
    labels: dict[str, str | None] = field(default_factory=dict)
    """Last pseudo-label of each question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReport:
    """The record of a step."""

    result: StepResult
    metrics: dict[str, float]
    votes: list[dict[str, Any]]
    progress: Progress


def report_of(result: StepResult, before: Progress, *, task: Task) -> StepReport:
    """Puts together the metrics, the vote records and the progress after a step."""
    record = step_record(
        result.scored, result.metrics, step=result.step, task=task, previous=before.labels
    )
    after = replace(
        before,
        step=result.step + 1,
        silent_steps=before.silent_steps + 1 if result.skipped else 0,
        silence=result.skipped,
        labels=before.labels | record.labels,
    )
    return StepReport(
        result=result,
        metrics=record.metrics,
        votes=record.votes,
        progress=after,
    )


def end_of_silence(silent_steps: int, reason: str | None, config: RunConfig) -> str | None:
    """Says why a run ends after so many steps in a row without a gradient; None while it goes on.

    Args:
        reason: why the last of them had none.
    """
    if silent_steps < config.stop_after_silent_steps:
        return None
    return f"{silent_steps} steps in a row without a gradient, at last because {reason}"
