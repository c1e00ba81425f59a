"""The points of a sweep: a grid, or a list."""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import Field, field_validator, model_validator

from ttrl.cli.study_settings import ManyRuns
from ttrl.config import INVOCATION_KEYS, key_names
from ttrl.errors import ConfigError

LARGEST_SWEEP = 500
"""Points. More of them is a slip of the pen."""
NOT_SWEPT = INVOCATION_KEYS | {"seed"}
Value = str | int | float | bool | list[Any] | None

SWEEP_OPTIONS: Mapping[str, dict[str, Any]] = {
    "grid": {
        "nargs": "+",
        "metavar": "KEY=V,V",
        "help": "values of each key; every combination is run. In YAML: grid: {temperature: [0.6, 1.0]}, or "
        "a list of points: [{temperature: 0.6, steps: 80}, ...]",
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One combination."""

    name: str
    """Safe as a file name."""
    values: Mapping[str, Any]


class SweepSettings(ManyRuns):
    """What is varied."""

    grid: dict[str, list[Value]] = Field(default_factory=dict)
    points: list[dict[str, Value]] = Field(default_factory=list)

    @field_validator("grid", mode="before")
    @classmethod
    def _read_grid(cls, value: Any) -> Any:
        """The command line has KEY=V,V ...; what stands there is read as in YAML."""
        if isinstance(value, str):
            value = value.split()
        if not isinstance(value, list):
            return value
        grid = {}
        for part in value:
            key, equals, listed = str(part).partition("=")
            if not equals or not listed:
                raise ValueError(f"got {part!r}, wanted KEY=V,V such as temperature=0.6,1.0")
            grid[key.strip().replace("-", "_")] = [_read(text) for text in listed.split(",")]
        return grid

    @model_validator(mode="after")
    def _something(self) -> SweepSettings:
        if bool(self.grid) == bool(self.points):
            raise ValueError("wanted either a grid or points, and got both or none")
        keys = {key for point in self.points for key in point} | self.grid.keys()
        for key in sorted(keys):
            if key not in key_names() or key in NOT_SWEPT:
                near = difflib.get_close_matches(key, key_names(), n=1, cutoff=0.5)
                hint = f". Did you mean {near[0]}?" if near else ""
                known = key in key_names()
                why = "cannot be swept" if known else f"is not a key of a run{hint}"
                raise ValueError(f"{key!r} {why}")
        if not all(self.grid.values()) or not all(self.points):
            raise ValueError("wanted at least one value of each key")
        count = len(self.points)
        if self.grid:
            count = 1
            for values in self.grid.values():
                count *= len(values)
        if count > LARGEST_SWEEP:
            raise ValueError(f"got {count} points, wanted at most {LARGEST_SWEEP}")
        return self


def points_of(settings: SweepSettings) -> list[Point]:
    """Every combination of the grid, the last key fastest; or the list as it is.

    Raises:
        ConfigError: two points are the same.
    """
    if settings.grid:
        combinations = itertools.product(*settings.grid.values())
        found = [dict(zip(settings.grid, values, strict=True)) for values in combinations]
    else:
        found = [dict(point) for point in settings.points]
    for place, values in enumerate(found):
        if values in found[:place]:
            raise ConfigError(f"sweep: the point {_name(values)} is there twice. Leave one out.")
    points: list[Point] = []
    for values in found:
        name, number = _name(values), 1
        while name in {point.name for point in points}:  # spelled alike as file names
            number += 1
            name = f"{_name(values)}-{number}"
        points.append(Point(name=name, values=values))
    return points


def _name(values: Mapping[str, Any]) -> str:
    text = "_".join(f"{key}-{value}" for key, value in values.items())
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", text)[:120]


def _read(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text
