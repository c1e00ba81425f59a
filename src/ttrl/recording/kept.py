"""The checkpoint that `keep: best` has chosen, and what the choice saw: keep.json in the folder of a run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ttrl.errors import CheckpointError
from ttrl.recording.forgiving import entries, finite, mapping, text, whole
from ttrl.recording.run_directory import RunDirectory

FILE = "keep.json"
_COLUMNS = ("step", "base", "itself", "score")
_FOLDER = re.compile(r"(checkpoints|candidates)/step-[0-9]{1,12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptCheckpoint:
    """A choice that is made."""

    step: int
    """The last step whose update is in the weights; 0 is the base."""
    folder: str
    """The checkpoint, relative to the run's folder."""
    scores: tuple[tuple[int, float, float, float], ...]
    """Of each candidate: step, agreement with the base, agreement with itself, and their product."""

    def to_json(self) -> dict[str, Any]:
        """Returns the form in keep.json."""
        rows = [dict(zip(_COLUMNS, each, strict=True)) for each in self.scores]
        return {"step": self.step, "checkpoint": self.folder, "candidates": rows}

    def path(self, run: Path) -> Path:
        """Returns the checkpoint's folder in that of the run."""
        return run / self.folder


def kept_from(value: Mapping[str, Any]) -> KeptCheckpoint | None:
    """Returns the choice that an object holds; None where it names no checkpoint of the run."""
    step, folder = whole(value.get("step")), text(value.get("checkpoint"))
    if step is None or folder is None or not _FOLDER.fullmatch(folder):
        return None
    rows = [mapping(each) for each in entries(value.get("candidates"))]
    scores = []
    for row in rows:
        at, base, itself, score = (finite(row.get(column)) for column in _COLUMNS)
        if at is not None and base is not None and itself is not None and score is not None:
            scores.append((int(at), base, itself, score))
    return KeptCheckpoint(step=step, folder=folder, scores=tuple(scores))


def read_kept(run: RunDirectory) -> KeptCheckpoint | None:
    """Returns the choice of a run; None if it has made none.

    Raises:
        CheckpointError: keep.json is damaged.
    """
    value = run.read_json(FILE)
    if value is None:
        return None
    if (kept := kept_from(value)) is None:
        raise CheckpointError(
            f"{run.path / FILE} is damaged: it names no checkpoint of this run. Restore it, or name one of "
            "the folders in checkpoints/ or candidates/ itself."
        )
    return kept
