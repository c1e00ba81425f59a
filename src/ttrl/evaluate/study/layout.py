"""The arms of a study, and where the runs of studies and sweeps lie."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

ArmName = Literal["ttrl", "leakage", "random", "format"]
ROLES: dict[ArmName, Literal["ttrl", "upper bound", "control"]] = {
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


def run_path(study: Path, arm: str, seed: int) -> Path:
    """The folder of one run."""
    return study / "runs" / f"{arm}-seed-{seed}"


def base_path(study: Path, seed: int) -> Path:
    """The folder of the base's evaluations."""
    return study / f"base-seed-{seed}"


def equal_tokens_path(study: Path, seed: int) -> Path:
    """The folder of the base's votes with as many tokens as training sampled."""
    return study / f"equal-tokens-seed-{seed}"


def point_path(sweep: Path, name: str, seed: int) -> Path:
    """The folder of one run."""
    return sweep / "runs" / f"{name}-seed-{seed}"


def point_base_path(sweep: Path, point: str, seed: int) -> Path:
    """The folder of the base's evaluations under the settings of a point."""
    return sweep / f"base-{point}-seed-{seed}"
