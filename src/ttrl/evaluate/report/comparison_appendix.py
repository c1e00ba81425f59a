"""How the runs were made: where their settings differ, versions, seeds, and what they cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ttrl.evaluate.report.comparison import Arm, Cell, Column, Table, scalar
from ttrl.evaluate.report.cost import TIMES
from ttrl.evaluate.report.quantities import NOTHING, duration, mapping, memory, number
from ttrl.evaluate.report.run_files import (
    RunFiles,
    broken_line_notes,
    parsed_json,
    unreadable_notes,
)
from ttrl.evaluate.report.settings import settings_of
from ttrl.evaluate.statistics import mean

COSTS: dict[str, tuple[str, Callable[[float], str]]] = {
    "sampled_tokens": ("sampled tokens", "{:,.0f}".format),
    **{key: (title, duration) for key, title in TIMES.items()},
    "peak_rss_bytes": ("peak memory", memory),
    "energy_joules": ("energy, J", "{:,.0f}".format),
}


def run_table(arms: Sequence[Arm]) -> Table:
    """One row per run: its seed and how it ended."""
    rows = []
    for arm in arms:
        for name, link, run in zip(arm.run_names, arm.addresses, arm.runs, strict=True):
            told = (
                scalar(run.result[k]) if k in run.result else NOTHING for k in ("seed", "steps")
            )
            ended = str(run.result.get("stopped") or NOTHING)
            rows.append(
                (
                    Cell(text=name, arm=arm.name, link=link),
                    *(Cell(text=text) for text in (*told, ended)),
                )
            )
    columns = ("run", "seed", "steps", "ended")
    return Table(
        caption="Runs",
        columns=tuple(Column(title=title) for title in columns),
        rows=tuple(rows),
    )


def config_table(arms: Sequence[Arm]) -> Table | None:
    """Settings that are not the same in all runs; None if nothing but the seed differs."""
    settings = [[settings_of(run) for run in arm.runs] for arm in arms]
    keys = dict.fromkeys(key for arm in settings for run in arm for key in run if key != "seed")
    return _by_arm("Settings that differ", arms, settings, list(keys), only_differing=True)


def version_table(arms: Sequence[Arm]) -> Table | None:
    """Versions of ttrl and of what it stands on; None where no manifest tells them."""
    versions = [[mapping(manifest_of(run).get("versions")) for run in arm.runs] for arm in arms]
    keys = dict.fromkeys(key for arm in versions for run in arm for key in run)
    same = _by_arm("Versions", arms, versions, list(keys), only_differing=False)
    if same is not None and _by_arm("", arms, versions, list(keys), only_differing=True) is None:
        rows = tuple(row[:2] for row in same.rows)
        return Table(
            caption="Versions", columns=(Column(title=""), Column(title="all runs")), rows=rows
        )
    return same


def cost_table(arms: Sequence[Arm]) -> Table | None:
    """Cost of an arm as the mean over its runs, training and evaluations together."""
    keys = [
        key
        for key in COSTS
        if any(number(run.result, key) is not None for arm in arms for run in arm.runs)
    ]
    rows = []
    for arm in arms:
        cells = [Cell(text=arm.name, arm=arm.name), Cell(text=str(len(arm.runs)))]
        for key in keys:
            known = [v for run in arm.runs if (v := number(run.result, key)) is not None]
            cells.append(Cell(text=COSTS[key][1](mean(known)) if known else NOTHING))
        rows.append(tuple(cells))
    if not keys:
        return None
    titles = ("", "runs", *(COSTS[key][0] for key in keys))
    return Table(
        caption="Cost of a run",
        note="Mean over the runs of a row; votes, training and evaluations together.",
        columns=tuple(Column(title=title) for title in titles),
        rows=tuple(rows),
    )


def reading_notes(arms: Sequence[Arm]) -> tuple[str, ...]:
    """What could not be read, by run."""
    notes = []
    for arm in arms:
        for name, run in zip(arm.run_names, arm.runs, strict=True):
            notes += [f"{name}: {n}" for n in (*broken_line_notes(run), *unreadable_notes(run))]
    return tuple(notes)


def manifest_of(run: RunFiles) -> Mapping[str, Any]:
    """The run's manifest; empty if it cannot be read."""
    return mapping(parsed_json(run.manifest))


def _by_arm(
    caption: str,
    arms: Sequence[Arm],
    values: Sequence[Sequence[Mapping[str, Any]]],
    keys: Sequence[str],
    *,
    only_differing: bool,
) -> Table | None:
    """One row per key, one column per arm; what differs within an arm stands there with commas."""
    rows = []
    for key in keys:
        told = [
            list(dict.fromkeys(scalar(run[key]) if key in run else NOTHING for run in arm))
            for arm in values
        ]
        if only_differing and len({text for texts in told for text in texts}) == 1:
            continue
        cells = (Cell(text=", ".join(texts)) for texts in told)
        rows.append((Cell(text=key), *cells))
    if not rows:
        return None
    return Table(
        caption=caption,
        columns=(Column(title=""), *(Column(title=arm.name) for arm in arms)),
        rows=tuple(rows),
    )
