"""The settings of a study and of a sweep, beside those of the runs they consist of."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ttrl.errors import ConfigError
from ttrl.evaluate.report.plan import ROLES, ArmName

Seed = Annotated[int, Field(ge=0)]
Settings = TypeVar("Settings", bound="ManyRuns")


class ManyRuns(BaseModel):
    """What every command has that makes several runs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seeds: tuple[Seed, ...] = Field(default=(0, 1, 2), min_length=1)
    jobs: int = Field(default=1, ge=1)

    @field_validator("seeds", "arms", mode="before", check_fields=False)
    @classmethod
    def _listed(cls, value: Any) -> Any:
        """A list, one value, or texts with commas: 0,1,2."""
        if not isinstance(value, list | tuple):
            value = [value]
        return [
            part.strip() if isinstance(part, str) else part
            for each in value
            for part in (each.split(",") if isinstance(each, str) else [each])
            if not isinstance(part, str) or part.strip()
        ]

    @field_validator("seeds", "arms", check_fields=False)
    @classmethod
    def _distinct(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(set(values)) < len(values):
            raise ValueError("wanted each of them once")
        return values


class StudySettings(ManyRuns):
    """TTRL, its upper bound and its controls."""

    arms: tuple[ArmName, ...] = Field(default=tuple(ROLES), min_length=1)

    @field_validator("arms")
    @classmethod
    def _with_ttrl(cls, arms: tuple[ArmName, ...]) -> tuple[ArmName, ...]:
        if "ttrl" not in arms:
            raise ValueError("wanted ttrl among them: the others are compared with it")
        return tuple(arm for arm in ROLES if arm in arms)


STUDY_OPTIONS: Mapping[str, dict[str, Any]] = {
    "arms": {
        "nargs": "+",
        "metavar": "ARM",
        "help": f"any of {', '.join(ROLES)}; leakage is rewarded by TRUE LABELS and needs them [all]",
    },
}
MANY_RUNS_OPTIONS: Mapping[str, dict[str, Any]] = {
    "seeds": {"nargs": "+", "metavar": "N", "help": "seeds to run with [0 1 2]"},
    "jobs": {"metavar": "N", "help": "runs at the same time, each with its share of the cores [1]"},
}


def add_options(
    parser: argparse.ArgumentParser, title: str, options: Mapping[str, dict[str, Any]]
) -> None:
    """Options that are no keys of a run."""
    section = parser.add_argument_group(title)
    for name, about in options.items():
        section.add_argument(f"--{name}", dest=name, **about)


def read_settings(kind: type[Settings], given: Mapping[str, Any]) -> Settings:
    """Checked settings.

    Raises:
        ConfigError: a bad value, by name.
    """
    try:
        return kind(**given)
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            where = ".".join(str(part) for part in problem["loc"])
            got = f"{where}={problem['input']!r}: " if where else ""
            lines.append(got + problem["msg"].removeprefix("Value error, ") + ".")
        raise ConfigError("\n".join(lines)) from None
