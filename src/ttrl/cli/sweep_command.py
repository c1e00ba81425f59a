"""`ttrl sweep`: how fragile is a setting? One run for each point of a grid or list, over seeds."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ttrl.cli.interrupts import Interrupts
from ttrl.cli.many_runs import Layout, open_many, run_phase, start_many
from ttrl.cli.options import make_parser, parse
from ttrl.cli.side_by_side import Failure, Job
from ttrl.cli.study_settings import MANY_RUNS_OPTIONS, add_options, read_settings
from ttrl.cli.sweep_settings import SWEEP_OPTIONS, Point, SweepSettings, points_of
from ttrl.config import Layers, ResolvedConfig, read_layers, settle
from ttrl.consensus.rules import check_rule
from ttrl.errors import EXIT_DONE, EXIT_INTERRUPTED, CheckpointError
from ttrl.evaluate.study.layout import point_path
from ttrl.recording.console import say

SUMMARY = (
    "How fragile is a setting? One run for each point of a grid (or of a list in a YAML file), over "
    "seeds, from one config; one table and one picture."
)
KEYS = (*SWEEP_OPTIONS, "points", *MANY_RUNS_OPTIONS)


def run(arguments: Sequence[str]) -> int:
    """The whole of a sweep; returns its exit code."""
    parser = make_parser("sweep", SUMMARY, without={"seed", "base_evaluations"})
    add_options(parser, "Sweep", {**SWEEP_OPTIONS, **MANY_RUNS_OPTIONS})
    layers = read_layers(parse(parser, arguments), command_keys=KEYS)
    as_json = bool(layers.merged.get("json"))
    if layers.merged.get("resume") is not None:
        sweep, settings, _ = open_many("sweep", layers, SweepSettings)
    else:
        settings = read_settings(SweepSettings, layers.beside)
        resolved = settle(layers)
        _check(layers, settings)
        if resolved.values.dry_run:
            return _dry_run(resolved, settings, as_json=as_json)
        sweep = start_many("sweep", resolved, settings)
        _write_points(sweep, layers, settings)
    with Interrupts():
        try:
            failures = _runs(sweep, settings)
        except KeyboardInterrupt:
            say(f"\ninterrupted; nothing is lost. Go on with: ttrl sweep --resume {sweep.path}")
            return EXIT_INTERRUPTED
        finally:
            sweep.directory.unlock()
    from ttrl.evaluate.study.sweep_page import write_sweep_report

    result = write_sweep_report(
        sweep.path,
        [point.name for point in points_of(settings)],
        settings.seeds,
        failed=[each.name for each in failures],
    )
    lines = [*result["told"], f"report      {sweep.path / 'report.html'}"]
    print("\n".join(lines), file=sys.stderr if as_json else sys.stdout)
    if as_json:
        print(json.dumps(result))
    return failures[0].exit_code if failures else EXIT_DONE


def _resolved(layers: Layers, point: Point) -> ResolvedConfig:
    """The config of a point: its values lie above everything else."""
    merged = {**layers.merged, **point.values}
    sources = {**layers.sources, **dict.fromkeys(point.values, f"point {point.name}")}
    own = layers.own | point.values.keys()
    return settle(Layers(merged=merged, sources=sources, own=own, beside={}))


def _check(layers: Layers, settings: SweepSettings) -> None:
    """Every point is checked before the first one runs."""
    from ttrl.evaluate.sets import build_sets, evaluated_sets

    for point in points_of(settings):
        config = _resolved(layers, point).values
        check_rule(config)
    evaluated_sets(build_sets(config), config)


def _write_points(sweep: Layout, layers: Layers, settings: SweepSettings) -> None:
    folder = sweep.path / "points"
    try:
        folder.mkdir()
        for point in points_of(settings):
            text = _resolved(layers, point).as_yaml()
            (folder / f"{point.name}.yaml").write_text(text, "utf-8")
    except OSError as error:
        raise CheckpointError(f"{folder} cannot be written: {error}.") from None


def _runs(sweep: Layout, settings: SweepSettings) -> list[Failure]:
    jobs = [
        _job(sweep, point, seed) for seed in settings.seeds for point in points_of(settings)
    ]  # fmt: skip
    return run_phase(jobs, settings.jobs)


def _job(sweep: Layout, point: Point, seed: int) -> Job:
    out = point_path(sweep.path, point.name, seed)
    config = sweep.path / "points" / f"{point.name}.yaml"
    return sweep.job(out.name, ["train", "--seed", str(seed)], out=out, config=config)


def _dry_run(resolved: ResolvedConfig, settings: SweepSettings, *, as_json: bool) -> int:
    points = points_of(settings)
    if as_json:
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
