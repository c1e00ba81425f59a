"""Shows a run in progress on standard error: live on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from ttrl.recording.shown import CONSOLE
from ttrl.types import Metrics


class RunConsole:
    """A bar for the steps and one kept line per step. Use as a context manager."""

    def __init__(self, *, steps: int, done: int = 0) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._steps = steps
        self._progress = Progress(
            TextColumn("steps"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
            transient=True,
        )
        self._bar = self._progress.add_task("steps", total=steps, completed=done)

    def __enter__(self) -> RunConsole:
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def step(self, step: int, metrics: Metrics, *, skipped: str | None) -> None:
        """Prints the line of a step, which stays, and moves the bar on."""
        self._console.print(step_line(step, self._steps, metrics, skipped=skipped), markup=False)
        self._progress.update(self._bar, completed=step)


def step_line(step: int, steps: int, metrics: Metrics, *, skipped: str | None) -> str:
    """Formats those metrics of CONSOLE that the step has."""
    parts = [f"{name} {form.format(metrics[key])}" for name, key, form in CONSOLE if key in metrics]
    if skipped:
        parts.append(f"no update: {skipped}")
    seconds = sum(v for k, v in metrics.items() if k.endswith("/seconds"))
    return f"step {step:>{len(str(steps))}}/{steps}  " + "  ".join(parts) + f"  {seconds:.1f} s"


def say(text: str) -> None:
    """Prints a plain line on standard error."""
    print(text, file=sys.stderr, flush=True)
