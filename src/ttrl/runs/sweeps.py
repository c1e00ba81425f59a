"""A sweep: how fragile is a setting? One run for each point of a grid or list, over seeds."""

from __future__ import annotations

import difflib
import itertools
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, field_validator, model_validator

from ttrl.config import (
    INVOCATION_KEYS,
    Layers,
    ResolvedConfig,
    key_names,
    keys_of_groups,
    resolve,
    settle,
)
from ttrl.consensus.rules import ANSWER_KEY, check_rule
from ttrl.errors import ConfigError
from ttrl.evaluation.report.plan import point_base_path, run_path
from ttrl.recording.trackers.registry import wanted
from ttrl.runs.calls import layers_of_call
from ttrl.runs.jobs import Failure, Job
from ttrl.runs.many import (
    PLAIN,
    Folder,
    ManyRuns,
    Plan,
    Say,
    StudyResult,
    carry_out,
    check_shared,
    read_settings,
    resumed,
    run_phase,
)
from ttrl.runs.resume import EVALUATION_KEYS

LARGEST_SWEEP = 500
"""Most points of a sweep; more are taken for a typing mistake."""
NOT_SWEPT = INVOCATION_KEYS | {"seed"}
Value = str | int | float | bool | list[Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One combination of values."""

    name: str
    """Its name, safe as a file name."""
    values: Mapping[str, Any]


class SweepSettings(ManyRuns):
    """The settings of a sweep beside those of its runs: a grid, or a list of points."""

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
    def _grid_or_points(self) -> SweepSettings:
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
    """Returns every combination of the grid, the last key fastest, or the list as it is.

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


def sweep(*, on_message: Callable[[str], object] | None = None, **settings: Any) -> StudyResult:
    """Runs every point of a grid or list of settings over seeds, and writes one table and one page.

    Every run is a process of its own, at most `jobs` at a time. Nothing is printed. Ctrl-C and SIGTERM are
    passed on to what is running, and rise as a KeyboardInterrupt that says how to go on.

    Args:
        on_message: called with each line that the command would show while it waits.
        **settings: those of `ttrl sweep`, such as grid={"temperature": [0.6, 1.0]}, or
            points=[{"temperature": 0.6, "steps": 80}, ...], seeds=[0, 1], jobs=2, out="s", and those that
            all runs share.

    Returns:
        The table, what it shows and the runs. A run that fails is named in `failures`.

    Raises:
        TtrlError: whatever ends the command without a report ends the call with the same error.
    """
    say = on_message or (lambda line: None)
    layers = layers_of_call("sweep", settings, own=SweepSettings.model_fields)
    return carry_out_sweep(plan_sweep(layers), say=say)


def plan_sweep(layers: Layers) -> Plan[SweepSettings]:
    """Checks every point before the first one runs.

    Raises:
        ConfigError: settings of a point that contradict each other, or no points.
        DataError: question files that cannot be read, or sets that overlap.
        CheckpointError: no sweep to resume, or one that was started with other settings.
    """
    check_shared(layers)
    if (begun := resumed("sweep", layers, SweepSettings)) is not None:
        return begun
    settings = read_settings(SweepSettings, layers.beside)
    resolved = settle(layers)
    configs = _checked(layers, settings)
    return Plan(
        command="sweep",
        resolved=resolved,
        settings=settings,
        about={"points": list(configs)},
        files={f"points/{name}.yaml": config.as_yaml() for name, config in configs.items()},
    )


def carry_out_sweep(plan: Plan[SweepSettings], *, say: Say) -> StudyResult:
    """Makes the runs of a sweep that are left and writes its report; `carry_out` lists the errors."""
    from ttrl.evaluation.report.pages import write_sweep_report

    return carry_out(
        plan,
        runs=lambda folder: _runs(folder, plan.settings, say),
        report=lambda path, failures: write_sweep_report(path),
        arms=[point.name for point in points_of(plan.settings)],
        say=say,
    )


def _resolved(layers: Layers, point: Point) -> ResolvedConfig:
    """The config of a point: its values lie above everything else."""
    merged = {**layers.merged, **point.values}
    sources = {**layers.sources, **dict.fromkeys(point.values, f"point {point.name}")}
    own = layers.own | point.values.keys()
    return settle(Layers(merged=merged, sources=sources, own=own, beside={}))


def _checked(layers: Layers, settings: SweepSettings) -> dict[str, ResolvedConfig]:
    """The config of every point, by name: all are checked before the first one runs."""
    from ttrl.data.sets import evaluated_sets
    from ttrl.evaluation.labels import build_sets

    found: dict[str, ResolvedConfig] = {}
    seen = set()
    for point in points_of(settings):
        resolved = found[point.name] = _resolved(layers, point)
        config = resolved.values
        check_rule(config)
        wanted(config.report_to)
        asked = tuple(
            str(getattr(config, key)) for key in keys_of_groups(["Questions", "Consensus"])
        )
        if asked in seen:  # the same questions
            continue
        seen.add(asked)
        sets = build_sets(config)
        evaluated_sets(sets.all, config)
        answers = sets.labels[sets.training.name].answers
        if config.reward == ANSWER_KEY and answers is None:
            raise ConfigError(f"point {point.name}: reward=answer-key needs --answers.")
    return found


def _runs(sweep: Folder, settings: SweepSettings, say: Say) -> list[Failure]:
    """Points that agree in all that an evaluation depends on share that of their base."""
    points = points_of(settings)
    first: dict[str, Point] = {}
    base_of = {point.name: first.setdefault(_evaluated(sweep, point), point) for point in points}
    bases = [_base_job(sweep, point, seed) for seed in settings.seeds for point in first.values()]
    failures = run_phase(bases, settings.jobs, say)
    trains = [
        _train_job(sweep, point, base_of[point.name], seed)
        for seed in settings.seeds
        for point in points
        if (point_base_path(sweep.path, base_of[point.name].name, seed) / "result.json").exists()
    ]
    return failures + run_phase(trains, settings.jobs, say)


def _evaluated(sweep: Folder, point: Point) -> str:
    """The settings of a point that the figures of its base depend on."""
    values = resolve({"config": [str(_config(sweep, point))]}, environment={}).as_dict()
    return json.dumps([values[key] for key in EVALUATION_KEYS if key != "seed"])


def _config(sweep: Folder, point: Point) -> Path:
    return sweep.path / "points" / f"{point.name}.yaml"


def _base_job(sweep: Folder, point: Point, seed: int) -> Job:
    out = point_base_path(sweep.path, point.name, seed)
    return sweep.job(
        out.name, ["eval", *PLAIN, "--seed", str(seed)], out=out, config=_config(sweep, point)
    )


def _train_job(sweep: Folder, point: Point, base: Point, seed: int) -> Job:
    out = run_path(sweep.path, point.name, seed)
    figures = ["--base-evaluations", str(point_base_path(sweep.path, base.name, seed))]
    arguments = ["train", "--seed", str(seed), *figures]
    return sweep.job(out.name, arguments, out=out, config=_config(sweep, point))


def _name(values: Mapping[str, Any]) -> str:
    text = "_".join(f"{key}-{value}" for key, value in values.items())
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", text)[:120]


def _read(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text
