"""The curves of a page: over the steps of one run or of several, and over the number of completions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ttrl.evaluation.estimators import pass_at_k
from ttrl.evaluation.report.arms import Arm, inks
from ttrl.evaluation.report.reading import Run
from ttrl.evaluation.report.text import NOTHING, heading, in_order, percent, plain, plural
from ttrl.evaluation.statistics import mean
from ttrl.recording.evaluations import WHENS, Evaluation
from ttrl.recording.forgiving import finite, number
from ttrl.recording.shown import CHARTS, PANELS, ChartKind, Panel

MAX_POINTS = 1500
"""Steps that are drawn of a run alone."""
MAX_COMPARED = 240
"""Steps that are drawn of each of several runs."""
MAX_NUMBERS = 30_000
"""Of all runs and charts together, so that many runs keep the file small."""
THINNED = "One step in {} is drawn; all of them are in metrics.jsonl."
INKS = ("--first", "--second", "--third")
STACK_INKS = ("--first", "--lucky", "--second")

Values = tuple[float | None, ...]
"""One number per step; None is a gap."""
Records = Mapping[float, Mapping[str, Any]]
"""The lines of metrics.jsonl by step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One curve. Names of arms are texts that nobody vouches for."""

    label: str
    """Empty for what has no place in the legend: a single run of several."""
    values: Values
    ink: str
    """A custom property of the style sheet."""
    dashed: bool = False
    arm: int | None = None
    """Which arm it belongs to, where arms can be switched off."""
    low: Values = ()
    """Edges of a band around it; empty if it has none."""
    high: Values = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One chart with its data, as charts.js reads it."""

    title: str
    unit: str
    share: bool
    lines: tuple[Line, ...]
    stacked: bool = False
    ks: tuple[int, ...] = ()
    """Its own axis, of completions; empty for the steps of the page."""
    summary: str = ""
    """First and last values: what the chart says where it cannot be drawn."""

    @property
    def legend(self) -> list[tuple[Line, str]]:
        """Lines with a label, and their last value as text."""
        return [(line, self._last(line.values)) for line in self.lines if line.label]

    def _last(self, values: Values) -> str:
        last = next((value for value in reversed(values) if value is not None), None)
        if last is None:
            return NOTHING
        return percent(last / 100) if self.share else plain(last, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """All charts over one axis of steps."""

    steps: tuple[float, ...] = ()
    charts: tuple[Chart, ...] = ()
    notes: tuple[str, ...] = ()
    """What is missing, thinned or silent, a sentence each."""


def run_curves(records: Sequence[Mapping[str, Any]]) -> Curves:
    """Returns the curves of one run: at most MAX_POINTS evenly spaced steps, so that the file stays small."""
    stride = max(1, -(-len(records) // MAX_POINTS))
    drawn = records[::stride]
    charts, notes = [], []
    for kind in CHARTS:
        chart = _chart(kind, drawn) if kind.drawn else None
        if chart is not None:
            charts.append(chart)
        elif kind.drawn and not kind.optional:
            unlabeled = kind.needs_labels and not any(
                number(record, "labels/label_accuracy") is not None for record in records
            )
            notes.append(f"{kind.title}: {'needs labels' if unlabeled else 'not recorded'}.")
    silent = sum(not any(key.startswith("train/") for key in record) for record in records)
    if silent:
        notes.append(
            f"{plural(silent, 'step')} had nothing to learn from: no gradient, a gap in the last curve."
        )
    notes += [THINNED.format(stride)] * (stride > 1)
    steps = tuple(step for r in drawn if (step := finite(r.get("step"))) is not None)
    return Curves(steps=steps, charts=tuple(charts), notes=tuple(notes))


def _chart(kind: ChartKind, records: Sequence[Mapping[str, Any]]) -> Chart | None:
    found = []
    for shown in kind.lines:
        values = _rounded([shown.value(record) for record in records], kind.share)
        if any(value is not None for value in values):
            found.append((shown.label, values))
    if not found or (kind.stacked and len(found) < len(kind.lines)):
        return None
    colours = STACK_INKS if kind.stacked else INKS
    return Chart(
        title=kind.title,
        unit=kind.unit,
        share=kind.share,
        stacked=kind.stacked,
        lines=tuple(
            Line(label=label, values=values, ink=ink, dashed=place > 0 and not kind.stacked)
            for place, ((label, values), ink) in enumerate(zip(found, colours, strict=False))
        ),
        summary="; ".join(_summary(kind, *each) for each in found),
    )


def _summary(kind: ChartKind, label: str, values: Values) -> str:
    known = [value for value in values if value is not None]
    if kind.share:
        first, last = percent(known[0] / 100), percent(known[-1] / 100)
    else:
        first, last = plain(known[0], 3), f"{plain(known[-1], 3)} {kind.unit}"
    return f"{first} to {last}" if len(kind.lines) == 1 else f"{label} {first} to {last}"


def arm_curves(arms: Sequence[Arm]) -> Curves:
    """Returns the curves of several runs: a thin line per run, the mean of each arm, controls as bands."""
    found = [[_by_step(run) for run in arm.runs] for arm in arms]
    steps = sorted({step for arm in found for run in arm for step in run})
    runs = sum(len(arm) for arm in found)
    room = max(40, min(MAX_COMPARED, MAX_NUMBERS // max(1, runs * len(PANELS))))
    stride = max(1, -(-len(steps) // room))
    drawn, charts, notes = tuple(steps[::stride]), [], []
    for panel in PANELS:
        lines = [
            line
            for place, (arm, ink) in enumerate(zip(arms, inks(arms), strict=True))
            for line in _arm_lines(panel, arm, place, found[place], drawn, *ink)
        ]
        if any(value is not None for line in lines for value in line.values):
            title, unit, share = panel.title, panel.unit, panel.share
            charts.append(Chart(title=title, unit=unit, share=share, lines=tuple(lines)))
        else:
            reason = "needs labels" if panel.key.startswith("labels/") else "not recorded"
            notes.append(f"{panel.title}: {reason}.")
    notes += [THINNED.format(stride)] * (stride > 1)
    for arm, records in zip(arms, found, strict=True):
        ends = [max(run, default=0.0) for run in records]
        if len(set(ends)) > 1:
            notes.append(
                f"The runs of {arm.name} ended at different steps "
                f"({', '.join(plain(end) for end in ends)}); their mean ends with the first."
            )
    return Curves(steps=drawn, charts=tuple(charts), notes=tuple(notes))


def _arm_lines(
    panel: Panel,
    arm: Arm,
    place: int,
    records: Sequence[Records],
    steps: Sequence[float],
    ink: str,
    dashed: bool,
) -> list[Line]:
    """Single runs first, which have no label, then their mean.

    The mean has a gap where a run of the arm has no value, so that no other choice of runs makes a jump.
    """
    rows = [[number(run.get(step, {}), panel.key) for step in steps] for run in records]
    runs = [row for row in rows if any(value is not None for value in row)]
    columns = [[v for v in column if v is not None] for column in zip(*runs, strict=True)]

    def over_runs(of: Callable[[Sequence[float]], float]) -> Values:
        whole = [of(column) if len(column) == len(runs) else None for column in columns]
        return _rounded(whole, panel.share)

    band = arm.role == "control" and len(runs) > 1
    singles = [
        Line(label="", values=_rounded(run, panel.share), ink=ink, arm=place)
        for run in (runs if len(runs) > 1 and not band else [])
    ]
    low, high = (over_runs(min), over_runs(max)) if band else ((), ())
    middle = Line(label=arm.name, values=over_runs(mean), ink=ink, dashed=dashed, arm=place)
    return [*singles, replace(middle, low=low, high=high)]


def attempt_charts(run: Run) -> tuple[Chart, ...]:
    """Returns charts of pass@k and maj@k over k, before and after, per labeled set with two different k.

    Files of older versions hold no curves: there pass@k is computed from their records, and maj@k,
    which these do not hold, is left out.
    """
    charts = []
    for name in in_order(name for name, _ in run.result.evaluations):
        measured = [_over_k(run.evaluation(name, when)) for when in WHENS]
        known = [
            (kind, when, ink, by_kind[kind])
            for kind, ink in (("pass", "--first"), ("maj", "--second"))
            for when, by_kind in zip(("before", "after"), measured, strict=True)
            if by_kind.get(kind)
        ]
        ks = tuple(sorted({k for *_, values in known for k in values}))
        if len(ks) < 2:
            continue
        lines = tuple(
            Line(
                label=f"{kind}@k {when}",
                values=tuple(values.get(k) for k in ks),
                ink=ink,
                dashed=when == "before",
            )
            for kind, when, ink, values in known
        )
        last = {line.label: line.values[-1] for line in lines}
        moves = [(k, last.get(f"{k}@k before"), last.get(f"{k}@k after")) for k in ("pass", "maj")]
        summary = "; ".join(
            f"{kind}@{ks[-1]} {percent(early / 100)} to {percent(late / 100)}"
            for kind, early, late in moves
            if early is not None and late is not None
        )
        whole = Chart(title=heading(name), unit="% of questions", share=True, lines=lines)
        charts.append(replace(whole, ks=ks, summary=summary))
    return tuple(charts)


def _over_k(evaluation: Evaluation | None) -> dict[str, dict[int, float]]:
    """Percent by k, of 'pass' and 'maj'."""
    if evaluation is None:
        return {}
    if (curves := evaluation.curves) is not None:
        both = (("pass", curves.passes), ("maj", curves.maj))
        return {
            kind: {k: round(100 * p.value, 2) for k, p in zip(curves.ks, ps, strict=True) if k >= 1}
            for kind, ps in both
        }
    graded = [record for record in evaluation.by_id.values() if record.correct is not None]
    sizes = {record.completions for record in graded}
    n = sizes.pop() if len(sizes) == 1 else 0
    powers = [2**exponent for exponent in range(11) if 2**exponent <= n]
    passes = {k: mean([pass_at_k(n, r.correct or 0, k) for r in graded]) for k in powers}
    return {"pass": {k: round(100 * value, 2) for k, value in passes.items()}}


def _by_step(run: Run) -> Records:
    found = ((finite(record.get("step")), record) for record in run.records)
    return {step: record for step, record in found if step is not None}


def _rounded(values: Sequence[float | None], share: bool) -> Values:
    factor = 100 if share else 1
    return tuple(None if value is None else float(f"{factor * value:.5g}") for value in values)
