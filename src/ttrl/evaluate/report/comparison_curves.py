"""The curves of all runs over the steps: one thin line per run, the mean of each arm, controls as bands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ttrl.evaluate.report.comparison import Arm, inks
from ttrl.evaluate.report.figure import PANELS, Panel
from ttrl.evaluate.report.quantities import NOTHING, finite, number, percent, plain
from ttrl.evaluate.statistics import mean

MAX_POINTS = 240
"""Steps that are drawn of a run."""
MAX_NUMBERS = 30_000
"""Of all runs and charts together, so that many runs keep the file small."""


KINDS = (
    *PANELS[:4],
    Panel(title="Flip rate", unit="% of labels", key="consensus/flip_rate", share=True),
    *PANELS[4:],
)
"""Those of the figure and one more."""

Values = tuple[float | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One arm in one chart; empty where none of its runs has recorded the metric."""

    runs: tuple[Values, ...]
    """Empty for one run, which is its mean, and for a control."""
    mean: Values
    """None where a run of the arm has no value, so that no other choice of runs makes a jump."""
    low: Values
    high: Values
    """Least and largest value of a control's runs, the edges of its band; empty otherwise."""
    last: str
    """The last mean as text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One chart with its data."""

    title: str
    unit: str
    share: bool
    series: tuple[Series, ...]
    """One per arm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """All charts over one axis of steps."""

    steps: tuple[float, ...]
    charts: tuple[Chart, ...]
    notes: tuple[str, ...]


def curves(arms: Sequence[Arm]) -> Curves:
    """The curves of every run, at steps that are evenly spaced."""
    steps = sorted({step for arm in arms for run in arm.runs for step in _by_step(run.records)})
    runs = sum(len(arm.runs) for arm in arms)
    room = max(40, min(MAX_POINTS, MAX_NUMBERS // max(1, runs * len(KINDS))))
    stride = max(1, -(-len(steps) // room))
    drawn = tuple(steps[::stride])
    charts, notes = [], []
    for kind in KINDS:
        series = tuple(_series(kind, arm, drawn) for arm in arms)
        if any(each.mean for each in series):
            charts.append(Chart(title=kind.title, unit=kind.unit, share=kind.share, series=series))
        else:
            reason = "needs labels" if kind.key.startswith("labels/") else "not recorded"
            notes.append(f"{kind.title}: {reason}.")
    if stride > 1:
        notes.append(f"One step in {stride} is drawn; all of them are in metrics.jsonl.")
    for arm in arms:
        ends = [max(_by_step(run.records), default=0.0) for run in arm.runs]
        if len(set(ends)) > 1:
            notes.append(
                f"The runs of {arm.name} ended at different steps "
                f"({', '.join(plain(end) for end in ends)}); their mean ends with the first."
            )
    return Curves(steps=drawn, charts=tuple(charts), notes=tuple(notes))


def as_json(arms: Sequence[Arm], found: Curves) -> dict[str, Any]:
    """What comparison.js reads. Names of arms are texts that nobody vouches for."""
    return {
        "steps": found.steps,
        "arms": [
            {
                "name": arm.name,
                "colour": ink.colour,
                "dashed": ink.dashed,
                "band": arm.role == "control",
            }
            for arm, ink in zip(arms, inks(arms), strict=True)
        ],
        "charts": [
            {
                "unit": chart.unit,
                "share": chart.share,
                "series": [
                    {"runs": each.runs, "mean": each.mean, "low": each.low, "high": each.high}
                    for each in chart.series
                ],
            }
            for chart in found.charts
        ],
    }


def _series(kind: Panel, arm: Arm, steps: Sequence[float]) -> Series:
    lines = []
    for run in arm.runs:
        by_step = _by_step(run.records)
        values = [number(by_step.get(step, {}), kind.key) for step in steps]
        if any(value is not None for value in values):
            lines.append(values)
    columns = list(zip(*lines, strict=True))
    whole = [_known(column) for column in columns]
    average = [None if known is None else mean(known) for known in whole]
    band = arm.role == "control" and len(lines) > 1
    last = next((value for value in reversed(average) if value is not None), None)
    return Series(
        runs=tuple(_drawn(line, kind) for line in lines) if len(lines) > 1 and not band else (),
        mean=_drawn(average, kind),
        low=_drawn([known and min(known) for known in whole], kind) if band else (),
        high=_drawn([known and max(known) for known in whole], kind) if band else (),
        last=NOTHING if last is None else percent(last) if kind.share else plain(last, 3),
    )


def _known(values: Sequence[float | None]) -> Any:
    """The values if there are all of them, else None."""
    known = [value for value in values if value is not None]
    return known if len(known) == len(values) else None


def _by_step(records: Sequence[Mapping[str, Any]]) -> dict[float, Mapping[str, Any]]:
    found = ((finite(record.get("step")), record) for record in records)
    return {step: record for step, record in found if step is not None}


def _drawn(values: Sequence[float | None], kind: Panel) -> Values:
    factor = 100 if kind.share else 1
    return tuple(None if value is None else float(f"{factor * value:.4g}") for value in values)
