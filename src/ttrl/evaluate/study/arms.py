"""What a study has run: arms, their seeds, and how each question fared."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ttrl.evaluate.report.records import by_id, is_graded, share_right, vote_right
from ttrl.evaluate.report.run_files import RunFiles, read_run
from ttrl.evaluate.study.layout import equal_tokens_path


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """Runs that differ by their seed alone, in the order of the seeds."""

    name: str
    seeds: tuple[int, ...]
    paths: tuple[Path, ...]
    runs: tuple[RunFiles, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """An arm on one question set: labeled questions with exact answers, the same for every seed."""

    ids: tuple[str, ...]
    before: NDArray[np.float64]
    """Share of correct completions of the base.   [S, Q]"""
    after: NDArray[np.float64]
    """The same after training.   [S, Q]"""
    vote_before: NDArray[np.bool_]
    """Whether the vote elects the right answer.   [S, Q]"""
    vote_after: NDArray[np.bool_]
    """[S, Q]"""
    levels: tuple[str | None, ...]
    """How hard each question is said to be.   [Q]"""
    samples: int
    """Completions per question behind each share and vote."""

    @property
    def gain(self) -> NDArray[np.float64]:
        """[S, Q]"""
        return self.after - self.before


def read_arm(name: str, paths: Mapping[int, Path]) -> Arm | None:
    """The runs that have ended, by seed; None without any."""
    found = {seed: path for seed, path in paths.items() if (path / "result.json").exists()}
    if not found:
        return None
    return Arm(
        name=name,
        seeds=tuple(found),
        paths=tuple(found.values()),
        runs=tuple(read_run(path) for path in found.values()),
    )


def set_names(arms: Sequence[Arm]) -> list[str]:
    """Sets that every run was evaluated on, in the order of the first one."""
    names = [list(run.result.get("sets", {})) for arm in arms for run in arm.runs]
    return [name for name in names[0] if all(name in others for others in names)] if names else []


def outcome(arm: Arm, name: str) -> Outcome | None:
    """How the arm fared on a set; None if nothing in it can be marked right or wrong."""
    tables = [
        (_marks(run.evaluations.get((name, "base"))), _marks(run.evaluations.get((name, "final"))))
        for run in arm.runs
    ]
    ids = [id for id in tables[0][0] if all(id in base and id in final for base, final in tables)]
    if not ids:
        return None
    levels = {
        id: record.get("level")
        for id, record in by_id(arm.runs[0].evaluations[name, "final"]).items()
    }
    return Outcome(
        ids=tuple(ids),
        levels=tuple(None if levels[id] is None else str(levels[id]) for id in ids),
        before=np.array([[base[id][0] for id in ids] for base, _ in tables]),
        after=np.array([[final[id][0] for id in ids] for _, final in tables]),
        vote_before=np.array([[base[id][1] for id in ids] for base, _ in tables]),
        vote_after=np.array([[final[id][1] for id in ids] for _, final in tables]),
        samples=_samples(arm.runs[0].evaluations[name, "final"]),
    )


def votes_at_equal_tokens(study: Path, seed: int) -> tuple[dict[str, bool], int] | None:
    """Whether the base's vote is right, by question, and of how many completions; None if not made."""
    path = equal_tokens_path(study, seed) / "evaluations" / "base-unlabeled.json"
    try:
        evaluation = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return {id: right for id, (_, right) in _marks(evaluation).items()}, _samples(evaluation)


def _marks(evaluation: Mapping[str, Any] | None) -> dict[str, tuple[float, bool]]:
    """Share of correct completions and whether the vote is right, by question with a label."""
    return {
        id: (share_right(record), vote_right(record) is True)
        for id, record in by_id(evaluation or {}).items()
        if is_graded(record)
    }


def _samples(evaluation: Mapping[str, Any]) -> int:
    return int(evaluation["sampling"]["samples"])
