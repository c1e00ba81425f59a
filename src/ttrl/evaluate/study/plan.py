"""What a study set out to run, as its manifest tells."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ttrl.errors import CheckpointError
from ttrl.evaluate.report.quantities import mapping, number
from ttrl.evaluate.report.run_files import read_object
from ttrl.evaluate.study.arms import Arm, read_arm
from ttrl.evaluate.study.layout import ROLES, ArmName, run_path


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The arms and seeds of a study."""

    path: Path
    arms: tuple[ArmName, ...]
    seeds: tuple[int, ...]
    questions: int
    """That every run trains on."""

    def arm(self, name: ArmName) -> Arm | None:
        """Its runs that have ended."""
        return read_arm(name, {seed: run_path(self.path, name, seed) for seed in self.seeds})

    def run_names(self) -> list[str]:
        """Of all runs."""
        return [run_path(self.path, arm, seed).name for arm in self.arms for seed in self.seeds]

    def missing(self, arms: dict[ArmName, Arm]) -> list[str]:
        """Names of the runs that did not end or cannot be read."""
        there = {path.name for arm in arms.values() for path in arm.paths}
        return [name for name in self.run_names() if name not in there]


def read_plan(study: Path) -> Plan:
    """Reads manifest.json.

    Raises:
        CheckpointError: it is not that of a study.
    """
    manifest = read_object(study / "manifest.json")
    settings = mapping(manifest.get("settings"))
    arms, seeds = settings.get("arms") or [], settings.get("seeds") or []
    questions = number(mapping(manifest.get("questions")), "unlabeled")
    if manifest.get("command") != "study" or not _listed(arms, str) or not _listed(seeds, int):
        raise CheckpointError(
            f"{study}: its manifest.json is not that of a study. Give the folder of a `ttrl study`."
        )
    return Plan(
        path=study,
        arms=tuple(name for name in ROLES if name in arms),
        seeds=tuple(seeds),
        questions=int(questions or 0),
    )


def _listed(value: object, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(each, kind) for each in value)
