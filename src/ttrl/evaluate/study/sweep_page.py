"""What a sweep leaves: sweep.json, results.md and report.html."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ttrl.errors import CheckpointError
from ttrl.evaluate.pooling import Pooled
from ttrl.evaluate.report.comparison import Cell, Column, Table
from ttrl.evaluate.report.estimates import short_span
from ttrl.evaluate.report.quantities import NOTHING, mapping, percent, plain
from ttrl.evaluate.report.run_files import read_object
from ttrl.evaluate.study.cells import gain_cell, gain_scale, gain_text, share_text
from ttrl.evaluate.study.layout import point_path
from ttrl.evaluate.study.sweep import PointResult, findings, read_points
from ttrl.evaluate.study.written import drawn, write_all

COLUMNS = (
    "point",
    "before",
    "after",
    "gain, points",
    "held-out gain",
    "majority ratio",
    "no answer",
    "entropy",
)


def write_sweep_report(sweep: Path) -> dict[str, Any]:
    """Reads the runs that have ended and writes everything anew; returns what sweep.json holds.

    Raises:
        CheckpointError: it is no sweep, no run has ended, or a file cannot be written.
    """
    names, seeds = _plan(sweep)
    found = read_points(sweep, names, seeds)
    if not found:
        raise CheckpointError(
            f"{sweep}: no run has ended, so there is nothing to report. See its logs, or go on with: "
            f"ttrl sweep --resume {sweep}"
        )
    there = {path.name for row in found for path in row.arm.paths}
    runs = [point_path(sweep, name, seed).name for name in names for seed in seeds]
    failed = [name for name in runs if name not in there]
    told = findings(found)
    result = {
        "format": 1,
        "points": [_plain(row) for row in found],
        "seeds": list(seeds),
        "failed": list(failed),
        "told": [*_text_table(found), *(f"- {sentence.text}" for sentence in told)],
    }
    write_all(
        sweep,
        command="sweep",
        result=result,
        markdown=_markdown(found),
        facts=[("points", str(len(found))), ("seeds", ", ".join(map(str, seeds)))],
        quote=told[0].text,
        findings=told[1:],
        tables=[_table(found)],
        arms=[drawn(row.arm, sweep, name=row.arm.name, role="run") for row in found],
        notes=[f"Runs that did not end: {', '.join(failed)}."] if failed else [],
    )
    return result


def _plan(sweep: Path) -> tuple[list[str], list[int]]:
    """Names of the points and the seeds, as the manifest tells."""
    manifest = read_object(sweep / "manifest.json")
    names, seeds = manifest.get("points"), mapping(manifest.get("settings")).get("seeds")
    if (
        manifest.get("command") != "sweep"
        or not isinstance(names, list)
        or not isinstance(seeds, list)
    ):
        raise CheckpointError(
            f"{sweep}: its manifest.json is not that of a sweep. Give the folder of a `ttrl sweep`."
        )
    return [str(name) for name in names], [int(seed) for seed in seeds]


def _table(found: Sequence[PointResult]) -> Table:
    scale = gain_scale([row.gain for row in found if row.gain is not None])
    seeds = max(len(row.arm.seeds) for row in found)
    return Table(
        caption="Every point on the unlabeled questions",
        note=f"Accuracies are avg@{found[0].samples}; 95 % intervals over questions"
        + (" and seeds." if seeds > 1 else "; one seed, and seeds differ by more.")
        if found[0].samples
        else "Accuracy needs labels.",
        columns=tuple(
            Column(title=title, scale=scale) if "gain, " in title else Column(title=title)
            for title in COLUMNS
        ),
        rows=tuple(
            (
                Cell(text=row.arm.name, arm=row.arm.name),
                _share(row.before),
                _share(row.after),
                gain_cell(row.gain),
                gain_cell(row.held_out_gain, drawn=False),
                Cell(text=percent(row.majority_ratio)),
                Cell(text=percent(row.no_answer)),
                Cell(text=plain(row.entropy, 2)),
            )
            for row in found
        ),
    )


def _share(pooled: Pooled | None) -> Cell:
    if pooled is None:
        return Cell(text=NOTHING)
    return Cell(text=percent(pooled.value), small=short_span((pooled.low, pooled.high)))


def _value(pooled: Pooled | None) -> float | None:
    return None if pooled is None else pooled.value


def _cells(row: PointResult) -> list[str]:
    return [
        row.arm.name,
        share_text(_value(row.before)),
        share_text(_value(row.after)),
        gain_text(row.gain),
        gain_text(row.held_out_gain),
        share_text(row.majority_ratio),
        share_text(row.no_answer),
        f"{row.entropy:.3f}",
    ]


def _markdown(found: Sequence[PointResult]) -> str:
    lines = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    lines += [f"| {' | '.join(_cells(row))} |" for row in found]
    return "\n".join(lines) + "\n"


def _text_table(found: Sequence[PointResult]) -> list[str]:
    """Aligned for a terminal."""
    table = [list(COLUMNS), *(_cells(row) for row in found)]
    widths = [max(len(line[column]) for line in table) for column in range(len(COLUMNS))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in table
    ]


def _plain(row: PointResult) -> dict[str, Any]:
    def told(pooled: Pooled | None) -> dict[str, Any] | None:
        return None if pooled is None else {"value": pooled.value, "ci": [pooled.low, pooled.high]}

    return {
        "name": row.arm.name,
        "seeds": list(row.arm.seeds),
        "before": told(row.before),
        "after": told(row.after),
        "gain": told(row.gain),
        "held_out_gain": told(row.held_out_gain),
        "majority_ratio": row.majority_ratio,
        "no_answer": row.no_answer,
        "entropy": row.entropy,
    }
