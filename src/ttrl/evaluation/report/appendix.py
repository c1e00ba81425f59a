"""Describes how runs were made: settings that differ, versions, seeds, and cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ttrl.evaluation.report.arms import Arm
from ttrl.evaluation.report.reading import Run
from ttrl.evaluation.report.tables import Cell, Table
from ttrl.evaluation.report.text import NOTHING, duration, energy, memory, percent, scalar
from ttrl.evaluation.statistics import mean

COSTS: dict[str, tuple[str, Callable[[float], str]]] = {
    "wall_seconds": ("wall-clock time", duration),
    "sampling_seconds": ("of it sampling", duration),
    "training_seconds": ("of it training", duration),
    "evaluation_seconds": ("of it evaluation", duration),
    "sampled_tokens": ("sampled tokens", "{:,.0f}".format),
    "peak_rss_bytes": ("peak memory of the process", memory),
    "energy_joules": ("energy", energy),
}


def run_cost_table(run: Run) -> Table | None:
    """Returns a table of one run's cost, without what was not recorded."""
    rows = _costs(run.result.costs)
    tokens, seconds = (run.result.costs.get(k) for k in ("sampled_tokens", "sampling_seconds"))
    if tokens is not None and seconds:
        rows.append(("sampled tokens per second of sampling", f"{tokens / seconds:,.0f}"))
    return Table("Cost", ("", ""), rows) if rows else None


def kept_tables(run: Run) -> list[Table]:
    """Returns a table of what `keep: best` saw of each candidate; none where nothing was chosen."""
    kept = run.kept
    if kept is None:
        return []
    rows = [
        (
            f"step {step}" if step else "base",
            *map(percent, shares),
            "kept" if step == kept.step else "",
        )
        for step, *shares in kept.scores
    ]
    note = (
        "Chosen without labels, by answers to copies of the questions with other numbers: the score is the "
        "product of two shares of equal votes."
    )
    heads = ("", "votes equal to the base's", "votes equal to each other", "score", "")
    return [Table("Which checkpoint", heads, rows, note=note)]


def _costs(known: Mapping[str, float]) -> list[tuple[str, str]]:
    return [(title, form(known[key])) for key, (title, form) in COSTS.items() if key in known]


def appendix_tables(arms: Sequence[Arm]) -> list[Table]:
    """Settings that differ, runs, versions and cost; without those of which nothing is known."""
    settings = [[run.settings for run in arm.runs] for arm in arms]
    tables = [
        _by_arm("Settings that differ", arms, settings, without={"seed"}, only_differing=True),
        _run_table(arms),
        _version_table(arms),
        _cost_table(arms),
    ]
    return [table for table in tables if table is not None]


def reading_notes(arms: Sequence[Arm]) -> tuple[str, ...]:
    """Returns notes on what could not be read, by run."""
    named = [(name, run) for arm in arms for name, _, run in arm.named_runs]
    return tuple(f"{name}: {n}" for name, run in named for n in (*run.line_notes, *run.file_notes))


def _run_table(arms: Sequence[Arm]) -> Table:
    """One row per run: its seed and how it ended."""
    rows: list[list[Cell | str]] = []
    for arm in arms:
        for name, link, run in arm.named_runs:
            ends = run.result.seed, run.result.steps, run.result.stopped
            texts = [NOTHING if value is None else scalar(value) for value in ends]
            rows.append([Cell(name, arm=arm.name, link=link), *texts])
    return Table("Runs", ("run", "seed", "steps", "ended"), rows)


def _version_table(arms: Sequence[Arm]) -> Table | None:
    """Versions of ttrl and of what it stands on; None where no manifest has them."""
    versions = [[run.in_manifest("versions") for run in arm.runs] for arm in arms]
    found = _by_arm("Versions", arms, versions)
    if found is None or _by_arm("", arms, versions, only_differing=True) is not None:
        return found
    return Table("Versions", ("", "all runs"), [row[:2] for row in found.rows])


def _cost_table(arms: Sequence[Arm]) -> Table | None:
    """Cost of an arm as the mean over its runs, training and evaluations together."""
    keys = [key for key in COSTS if any(key in r.result.costs for arm in arms for r in arm.runs)]
    rows = []
    for arm in arms:
        cells: list[Cell | str] = [Cell(arm.name, arm=arm.name), str(len(arm.runs))]
        for key in keys:
            known = [run.result.costs[key] for run in arm.runs if key in run.result.costs]
            cells.append(COSTS[key][1](mean(known)) if known else NOTHING)
        rows.append(cells)
    heads = ("", "runs", *(COSTS[key][0] for key in keys))
    note = "Mean over the runs of a row; votes, training and evaluations together."
    return Table("Cost of a run", heads, rows, note=note) if keys else None


def _by_arm(
    caption: str,
    arms: Sequence[Arm],
    values: Sequence[Sequence[Mapping[str, Any]]],
    *,
    without: set[str] | None = None,
    only_differing: bool = False,
) -> Table | None:
    """One row per key, one column per arm; what differs within an arm stands there with commas."""
    rows = []
    for key in dict.fromkeys(key for arm in values for run in arm for key in run):
        texts = [
            list(dict.fromkeys(scalar(run[key]) if key in run else NOTHING for run in arm))
            for arm in values
        ]
        differs = len({text for each in texts for text in each}) > 1
        if key not in (without or ()) and (differs or not only_differing):
            rows.append((key, *(", ".join(each) for each in texts)))
    return Table(caption, ("", *(arm.name for arm in arms)), rows) if rows else None
