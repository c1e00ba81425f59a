"""How each level of difficulty fared, as a table per set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ttrl.evaluate.memorisation import Gain
from ttrl.evaluate.report.estimates import (
    Direction,
    Estimate,
    direction,
    direction_of,
    estimate,
    heading,
    in_order,
    sample_sizes,
    short_span,
)
from ttrl.evaluate.report.paired import Evaluations, Pairs, pairs
from ttrl.evaluate.report.quantities import NOTHING, entries, mapping, number, percent, signed

MAX_LEVELS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelRow:
    """One level of one set, as text."""

    level: str
    questions: str
    cells: tuple[tuple[str, str], ...]
    """(value, interval) before and after, for each metric of the table."""
    changes: tuple[tuple[str, Direction | None], ...]
    """Change and its direction, for each metric."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelTable:
    """The levels of one set."""

    title: str
    metrics: tuple[str, ...]
    rows: tuple[LevelRow, ...]
    left_out: int


def levels(evaluations: Evaluations) -> tuple[LevelTable, ...]:
    """The tables; sets whose questions have no level are left out."""
    tables = []
    for name in in_order({name for name, _ in evaluations}):
        base, final = (_by_level(evaluations.get((name, when), {})) for when in ("base", "final"))
        names = list(dict.fromkeys([*base, *final]))
        if not names:
            continue
        metrics = _metrics([*base.values(), *final.values()])
        paired = pairs(evaluations, name)
        tables.append(
            LevelTable(
                title=heading(name),
                metrics=metrics,
                rows=tuple(
                    _row(
                        level,
                        base.get(level, {}),
                        final.get(level, {}),
                        metrics,
                        paired.at_level(level),
                    )
                    for level in names[:MAX_LEVELS]
                ),
                left_out=max(0, len(names) - MAX_LEVELS),
            )
        )
    return tuple(tables)


def _by_level(evaluation: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    found = [mapping(entry) for entry in entries(evaluation.get("by_level"))]
    return {str(entry["level"]): entry for entry in found if entry.get("level") is not None}


def _metrics(found: list[Mapping[str, Any]]) -> tuple[str, ...]:
    """The smallest avg@k and the largest maj@n that any level has, else the majority ratio."""
    sizes = {
        prefix: sorted({k for entry in found for k in sample_sizes(entry, prefix)})
        for prefix in ("avg", "maj")
    }
    names = [f"avg@{sizes['avg'][0]}"] if sizes["avg"] else []
    names += [f"maj@{sizes['maj'][-1]}"] if sizes["maj"] else []
    return tuple(names) or ("majority_ratio",)


def _row(
    level: str,
    base: Mapping[str, Any],
    final: Mapping[str, Any],
    metrics: tuple[str, ...],
    paired: Pairs,
) -> LevelRow:
    cells, changes = [], []
    for metric in metrics:
        before, after = estimate(base, metric), estimate(final, metric)
        cells += [_cell(before), _cell(after)]
        changes.append(_change(before, after, paired.change_of(metric)))
    questions, labeled = number(base or final, "questions"), number(base or final, "labeled")
    told = NOTHING if questions is None else f"{questions:,.0f}"
    if questions is not None and labeled is not None and labeled < questions:
        told += f", {labeled:,.0f} with a label"
    return LevelRow(level=level[:80], questions=told, cells=tuple(cells), changes=tuple(changes))


def _cell(measured: Estimate | None) -> tuple[str, str]:
    if measured is None:
        return NOTHING, ""
    return percent(measured.value), short_span(measured.interval) if measured.interval else ""


def _change(
    before: Estimate | None, after: Estimate | None, gain: Gain | None
) -> tuple[str, Direction | None]:
    if before is None or after is None:
        return "", None
    judged = None if None in (before.interval, after.interval) else direction(before, after)
    if gain is not None:
        judged = direction_of((gain.low, gain.high))
    return signed(100 * (after.value - before.value)), judged
