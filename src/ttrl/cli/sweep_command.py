"""`ttrl sweep`: how fragile is a setting? One run for each point of a grid or list, over seeds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ttrl.cli.many_runs import (
    Layout,
    check_shared,
    open_many,
    run_and_report,
    run_phase,
    start_many,
)
from ttrl.cli.options import make_parser, parse
from ttrl.cli.side_by_side import Failure, Job
from ttrl.cli.study_settings import MANY_RUNS_OPTIONS, add_options, read_settings
from ttrl.cli.sweep_settings import SWEEP_OPTIONS, Point, SweepSettings, points_of
from ttrl.config import Layers, ResolvedConfig, keys_of_groups, read_layers, resolve, settle
from ttrl.consensus.rules import ANSWER_KEY, check_rule
from ttrl.errors import EXIT_DONE, ConfigError
from ttrl.evaluate.report.plan import point_base_path, run_path
from ttrl.recording.trackers.registry import wanted
from ttrl.runs.base_evaluations import EVALUATION_KEYS

SUMMARY = (
    "How sensitive is a setting? Run each point of a grid (or of a list in a YAML file) from one config, "
    "over several seeds, and put the results in one table and one figure."
)
KEYS = (*SWEEP_OPTIONS, "points", *MANY_RUNS_OPTIONS)


def run(arguments: Sequence[str]) -> int:
    """The whole of a sweep; returns its exit code."""
    parser = make_parser("sweep", SUMMARY)
    add_options(parser, "Sweep", {**SWEEP_OPTIONS, **MANY_RUNS_OPTIONS})
    layers = read_layers(parse(parser, arguments), command_keys=KEYS)
    check_shared(layers)
    if layers.merged.get("resume") is not None:
        sweep, settings, resolved = open_many("sweep", layers, SweepSettings)
    else:
        settings = read_settings(SweepSettings, layers.beside)
        resolved = settle(layers)
        configs = _checked(layers, settings)
        if resolved.values.dry_run:
            return _dry_run(resolved, settings)
        names = [point.name for point in points_of(settings)]
        files = {f"points/{name}.yaml": config.as_yaml() for name, config in configs.items()}
        sweep = start_many("sweep", resolved, settings, about={"points": names}, files=files)
    from ttrl.evaluate.report.pages import write_sweep_report

    return run_and_report(
        "sweep",
        sweep,
        runs=lambda: _runs(sweep, settings),
        report=lambda failures: write_sweep_report(sweep.path),
        as_json=resolved.values.json_output,
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
    from ttrl.evaluate.labels import build_sets

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


def _runs(sweep: Layout, settings: SweepSettings) -> list[Failure]:
    """Points that agree in all that an evaluation depends on share that of their base."""
    points = points_of(settings)
    first: dict[str, Point] = {}
    base_of = {point.name: first.setdefault(_evaluated(sweep, point), point) for point in points}
    bases = [_base_job(sweep, point, seed) for seed in settings.seeds for point in first.values()]
    failures = run_phase(bases, settings.jobs)
    trains = [
        _train_job(sweep, point, base_of[point.name], seed)
        for seed in settings.seeds
        for point in points
        if (point_base_path(sweep.path, base_of[point.name].name, seed) / "result.json").exists()
    ]
    return failures + run_phase(trains, settings.jobs)


def _evaluated(sweep: Layout, point: Point) -> str:
    """The settings of a point that the figures of its base depend on."""
    values = resolve({"config": [str(_config(sweep, point))]}, environment={}).as_dict()
    return json.dumps([values[key] for key in EVALUATION_KEYS if key != "seed"])


def _config(sweep: Layout, point: Point) -> Path:
    return sweep.path / "points" / f"{point.name}.yaml"


def _base_job(sweep: Layout, point: Point, seed: int) -> Job:
    out = point_base_path(sweep.path, point.name, seed)
    return sweep.job(out.name, ["eval", "--seed", str(seed)], out=out, config=_config(sweep, point))


def _train_job(sweep: Layout, point: Point, base: Point, seed: int) -> Job:
    out = run_path(sweep.path, point.name, seed)
    figures = ["--base-evaluations", str(point_base_path(sweep.path, base.name, seed))]
    arguments = ["train", "--seed", str(seed), *figures]
    return sweep.job(out.name, arguments, out=out, config=_config(sweep, point))


def _dry_run(resolved: ResolvedConfig, settings: SweepSettings) -> int:
    points = points_of(settings)
    if resolved.values.json_output:
        named: Mapping[str, Any] = {point.name: dict(point.values) for point in points}
        print(json.dumps({"config": resolved.as_dict(), "points": named, "seeds": settings.seeds}))
        return EXIT_DONE
    print(resolved.as_yaml())
    print(
        f"sweep       {len(points)} points x {len(settings.seeds)} seeds, {settings.jobs} at a time"
    )
    for point in points:
        print(f"            {point.name}")
    return EXIT_DONE
