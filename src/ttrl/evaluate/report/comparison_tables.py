"""The tables of several runs: what each group reached on each set, and how far groups are apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from ttrl.evaluate.report.before_after import Whisker
from ttrl.evaluate.report.comparison import Arm, Cell, Column, Table
from ttrl.evaluate.report.comparison_measures import FEW, Measure
from ttrl.evaluate.report.comparison_pairs import (
    LEVEL,
    Measured,
    Pair,
    differences,
    questions_told,
    role_told,
)
from ttrl.evaluate.report.estimates import (
    Direction,
    Estimate,
    direction_of,
    set_title,
    short_span,
    signed_span,
)
from ttrl.evaluate.report.quantities import NOTHING, signed

REACHES = (5.0, 10.0, 20.0, 50.0)
"""Ends of the scale of differences, in percentage points; 100 beyond."""


def tables(sets: dict[str, Measured]) -> tuple[Table, ...]:
    """Each set with its groups, and below it the differences between them."""
    found = []
    for name, groups in sets.items():
        found.append(_set_table(name, groups))
        pairs = differences(groups)
        if any(pair.interval != (0.0, 0.0) for pair in pairs):
            found.append(_pair_table(name, pairs))
    return tuple(found)


def _set_table(name: str, groups: Measured) -> Table:
    rows = []
    for arm, each in groups:
        spread = NOTHING
        if len(each.seeds) > 1:
            spread = f"{100 * min(each.seeds):.1f} to {100 * max(each.seeds):.1f}"
        rows.append(
            (
                Cell(text=arm.name, arm=arm.name, small=role_told(arm)),
                Cell(text=str(len(arm.runs))),
                _share_cell(each.before),
                _after_cell(arm, each),
                Cell(text=spread),
                change_cell(each.change),
            )
        )
    metrics = sorted({each.metric for _, each in groups})
    titles = ("", "runs", "before", "after", "lowest and highest run", "change, paired")
    scale = _scale(groups)
    over = ", and over seeds where a row has several runs" if _several(groups) else ""
    few = f"; {FEW}" if any(each.is_small for _, each in groups) else ""
    return Table(
        caption=f"{', '.join(metrics)} on {questions_told(name, groups)}",
        note=(
            "In percent and percentage points, mean over the runs of a row. Small figures are "
            f"{LEVEL} intervals over questions{over}{few}. On the line, a ring is before and a disc is after."
        ),
        columns=tuple(
            Column(title=title, scale=scale) if title == "after" else Column(title=title)
            for title in titles
        ),
        rows=tuple(rows),
    )


def _pair_table(name: str, pairs: Sequence[Pair]) -> Table:
    ends = [100 * abs(end) for pair in pairs for end in (pair.interval or (pair.value, pair.value))]
    reach = next((each for each in REACHES if max(ends) <= each), 100.0)
    many = (
        f" These are {len(pairs)} comparisons, and of 20 such intervals about one misses by chance."
        if len(pairs) > 1
        else ""
    )
    some = any(pair.chosen for pair in pairs)
    alone = " and all runs of both groups are compared" if some else ""
    few = f" {FEW[:1].upper()}{FEW[1:]}." if any(pair.interval is None for pair in pairs) else ""
    return Table(
        caption=f"Differences after training, {set_title(name)}",
        note=(
            f"Percentage points on the same questions, paired by question and by seed where both have "
            f"it, with {LEVEL} intervals; coloured where they leave out 0{alone}.{few}{many}"
        ),
        columns=(
            Column(title=""),
            Column(title="difference", scale=(-reach, reach)),
            Column(title="over"),
        ),
        rows=tuple(
            (
                Cell(text=f"{pair.higher.name} above {pair.lower.name}"),
                change_cell(
                    Estimate(value=pair.value, interval=pair.interval), drawn=True, tone=pair.tone
                ),
                Cell(text=pair.over, small=f"{pair.chosen} alone" if pair.chosen else ""),
            )
            for pair in pairs
        ),
    )


def _share_cell(found: Estimate | None) -> Cell:
    if found is None:
        return Cell(text=NOTHING)
    small = short_span(found.interval) if found.interval else ""
    return Cell(text=f"{100 * found.value:.1f}", small=small)


def _after_cell(arm: Arm, each: Measure) -> Cell:
    cell, found = _share_cell(each.after), each.after
    if found is None:
        return cell
    low, high = found.interval or (found.value, found.value)
    return replace(
        cell,
        whisker=Whisker(value=100 * found.value, low=100 * low, high=100 * high),
        start=None if each.before is None else 100 * each.before.value,
        arm=arm.name,
    )


def change_cell(
    found: Estimate | None, *, drawn: bool = False, tone: Direction | None = None
) -> Cell:
    """A change with its interval, in points; `tone` in place of what the interval alone says."""
    if found is None:
        return Cell(text=NOTHING)
    if found.interval is None:
        return Cell(text=signed(100 * found.value), small="no interval")
    low, high = found.interval
    return Cell(
        text=signed(100 * found.value),
        small=signed_span(found.interval),
        tone=tone or direction_of(found.interval),
        whisker=Whisker(value=100 * found.value, low=100 * low, high=100 * high) if drawn else None,
    )


def _scale(groups: Measured) -> tuple[float, float]:
    """Tens around everything that is drawn, in percent; from 0 to 100 at the most."""
    ends = [
        100 * end
        for _, each in groups
        for found in (each.before, each.after)
        if found is not None
        for end in (found.interval or (found.value,))
    ]
    low = min(80.0, max(0.0, 10.0 * math.floor((min(ends) - 2) / 10)))
    return low, min(100.0, max(low + 20, 10.0 * math.ceil((max(ends) + 2) / 10)))


def _several(groups: Measured) -> bool:
    return any(len(arm.runs) > 1 for arm, _ in groups)
