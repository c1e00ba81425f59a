"""Reads what a study or a sweep planned to run, and where its runs are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ttrl.errors import CheckpointError
from ttrl.recording.forgiving import count, mapping, read_object

Role = Literal["ttrl", "upper bound", "control", "run"]
ArmName = Literal["ttrl", "leakage", "random", "format"]
ROLES: dict[ArmName, Role] = {
    "ttrl": "ttrl",
    "leakage": "upper bound",
    "random": "control",
    "format": "control",
}
TITLES: dict[ArmName, str] = {
    "ttrl": "TTRL",
    "leakage": "answer key",
    "random": "random reward",
    "format": "format reward",
}


def run_path(folder: Path, name: str, seed: int) -> Path:
    """Returns the folder of one run of an arm or a point."""
    return folder / "runs" / f"{name}-seed-{seed}"


def base_path(study: Path, seed: int) -> Path:
    """Returns the folder of the base's evaluations."""
    return study / f"base-seed-{seed}"


def equal_tokens_path(study: Path, seed: int) -> Path:
    """Returns the folder of the base's votes with as many tokens as training sampled."""
    return study / f"equal-tokens-seed-{seed}"


def point_base_path(sweep: Path, point: str, seed: int) -> Path:
    """Returns the folder of the base's evaluations under the settings of a point."""
    return sweep / f"base-{point}-seed-{seed}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The arms of a study, or the points of a sweep, and their seeds."""

    path: Path
    names: tuple[str, ...]
    seeds: tuple[int, ...]
    questions: int
    """Number of questions that every run of a study trains on."""

    def run_names(self) -> list[str]:
        """Returns the names of all runs."""
        return [run_path(self.path, name, s).name for name in self.names for s in self.seeds]


def read_plan(folder: Path, kind: Literal["study", "sweep"] = "study") -> Plan:
    """Reads the manifest.json of a study or a sweep.

    Raises:
        CheckpointError: it is not that of one.
    """
    manifest = read_object(folder / "manifest.json")
    settings = mapping(manifest.get("settings"))
    names: Any = settings.get("arms") or [] if kind == "study" else manifest.get("points")
    seeds: Any = settings.get("seeds") or []
    known = isinstance(names, list) and isinstance(seeds, list)
    if not known or manifest.get("command") != kind or any(type(s) is not int for s in seeds):
        raise CheckpointError(
            f"{folder}: its manifest.json is not that of a {kind}. Give the folder of a `ttrl {kind}`."
        )
    return Plan(
        path=folder,
        names=tuple(n for n in ROLES if n in names) if kind == "study" else tuple(map(str, names)),
        seeds=tuple(seeds),
        questions=count(mapping(manifest.get("questions")).get("unlabeled")),
    )
