"""The records of a run under TRL: votes come with the rollout of a step, what it learned with TRL's log."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

from ttrl.cli.run_frame import RunFrame
from ttrl.config import RunConfig
from ttrl.consensus.summary import labels_of
from ttrl.overlays.trl.rollout import RolloutStep
from ttrl.overlays.trl.share import updates_of_step
from ttrl.recording.console import RunConsole
from ttrl.types import StepResult

PROGRESS = "trl/progress.json"


class TrlRecords:
    """On every process it counts silent steps; on the first it writes everything down.

    Args:
        frame: of the first process, None on the others.
        silent: steps without a gradient of the sittings before this one, on every process.
    """

    def __init__(
        self,
        config: RunConfig,
        frame: RunFrame | None,
        console: RunConsole | None,
        *,
        silent: Sequence[int] = (),
    ) -> None:
        self._config, self._frame, self._console = config, frame, console
        self._observers = frame.observers() if frame is not None else []
        self._rollout: RolloutStep | None = None
        self._begin = 0.0
        self._silent = list(silent)
        self.stopped = "all steps done"
        self.interrupted = False
        """Whether a process was asked to stop: all of them learn it at the same step."""

    def on_step(self, rollout: RolloutStep) -> None:
        """The votes are there, the updates are to come."""
        self._rollout, self._begin = rollout, time.perf_counter()

    def on_log(self, global_step: int, learned: dict[str, float]) -> bool:
        """The updates are done; returns whether to save and end."""
        rollout = self._rollout
        assert rollout is not None  # TRL logs after the updates of a rollout
        step = rollout.step + 1
        if not any(len(set(group.rewards)) > 1 for group in rollout.groups):
            self._silent.append(step)
        if self._frame is not None:
            self._record(step, rollout, learned)
        if self.ends_at(step):
            return True
        self.interrupted = rollout.stop
        return rollout.stop

    def ends_at(self, step: int) -> bool:
        """Whether too many steps in a row, up to this one, had no gradient; `stopped` then says so."""
        row, silent = 0, set(self._silent)
        while step - row in silent:
            row += 1
        if row < self._config.stop_after_silent_steps:
            return False
        self.stopped = (
            f"{row} steps in a row without a gradient, at last because no group has two different "
            "rewards"
        )
        return True

    def _record(self, step: int, rollout: RolloutStep, learned: dict[str, float]) -> None:
        assert self._frame is not None
        metrics = {
            **rollout.metrics,
            **learned,
            "train/updates": float(updates_of_step(self._config)),
            "train/seconds": time.perf_counter() - self._begin,
        }
        scored = tuple(group.scored for group in rollout.groups)
        result = StepResult(step=rollout.step, scored=scored, metrics=metrics)
        for observer in self._observers:
            metrics |= observer.on_step(result)
        self._frame.record(step, metrics, rollout.votes, None)
        if self._console is not None:
            self._console.step(step, metrics, skipped=None)
        self._frame.clock()
        progress = {"spent": dict(vars(self._frame.spent)), "silent": self._silent}
        self._frame.directory.write_json(PROGRESS, progress)


def last_labels(votes: Path) -> dict[str, str | None]:
    """The last pseudo-label of each question in votes.jsonl."""
    if not votes.exists():
        return {}
    rows = (json.loads(line) for line in votes.read_text("utf-8").split("\n") if line)
    return labels_of(rows)
