"""The curves over the steps of training: which charts there are, and their numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ttrl.algorithm_settings import ALGORITHM_ROWS
from ttrl.evaluate.report.quantities import finite, number, percent, plain

MAX_POINTS = 1500


Quantity = Callable[[Mapping[str, Any]], float | None]


def right_label_right_reward(record: Mapping[str, Any]) -> float | None:
    """Share of completions that are rewarded as the true answer would, under a right label."""
    right, lucky = number(record, "labels/reward_accuracy"), number(record, "labels/lucky_rate")
    return None if right is None or lucky is None else max(0.0, right - lucky)


def wrong_reward(record: Mapping[str, Any]) -> float | None:
    """Share of completions that are rewarded as the true answer would not."""
    right, lucky = number(record, "labels/reward_accuracy"), number(record, "labels/lucky_rate")
    return None if right is None or lucky is None else 1 - right


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartKind:
    """A chart before it has data."""

    title: str
    unit: str
    lines: tuple[tuple[str, str | Quantity], ...]
    """(label, key in metrics.jsonl or what is computed from a record), the most important first."""
    share: bool = False
    """Recorded in [0, 1], drawn in percent from 0 to 100."""
    stacked: bool = False
    """The lines are parts of a whole, drawn as areas one on the other."""
    needs_labels: bool = False
    optional: bool = False
    """Of some tasks, settings or algorithms; no word about it in other runs."""


CHARTS = (
    ChartKind(
        title="Accuracy of the training samples",
        unit="% of votes",
        lines=(("correct votes", "labels/ground_truth_ratio"),),
        share=True,
        needs_labels=True,
    ),
    ChartKind(
        title="Label and reward accuracy",
        unit="%",
        lines=(
            ("rewards", "labels/reward_accuracy"),
            ("labels", "labels/label_accuracy"),
        ),
        share=True,
        needs_labels=True,
    ),
    ChartKind(
        title="Where rewards come from",
        unit="% of completions",
        lines=(
            ("right label", right_label_right_reward),
            ("lucky hit", "labels/lucky_rate"),
            ("wrong reward", wrong_reward),
        ),
        share=True,
        stacked=True,
        needs_labels=True,
    ),
    ChartKind(
        title="Majority ratio",
        unit="% of votes",
        lines=(
            ("majority", "consensus/majority_ratio"),
            ("no answer", "consensus/no_answer_rate"),
        ),
        share=True,
    ),
    ChartKind(
        title="Labels that changed since the last visit",
        unit="% of questions",
        lines=(("changed", "consensus/flip_rate"),),
        share=True,
        optional=True,
    ),
    ChartKind(
        title="Similarity of the answers to each other",
        unit="%",
        lines=(("similarity", "consensus/similarity"),),
        share=True,
        optional=True,
    ),
    ChartKind(
        title="Votes drawn",
        unit="per question",
        lines=(("votes", "sample/votes_per_question"),),
        optional=True,
    ),
    ChartKind(title="Entropy", unit="nats per token", lines=(("entropy", "sample/entropy"),)),
    ChartKind(
        title="Mean length",
        unit="tokens per completion",
        lines=(("length", "sample/mean_tokens"),),
    ),
    ChartKind(
        title="Gradient norm", unit="L2, before clipping", lines=(("norm", "train/grad_norm"),)
    ),
    ChartKind(
        title="KL to the base model",
        unit="nats per token",
        lines=(("KL", "train/kl"),),
        optional=True,
    ),
    *(
        ChartKind(
            title=chart.title,
            unit=chart.unit,
            lines=((chart.line, chart.metric),),
            share=chart.share,
            optional=True,
        )
        for row in ALGORITHM_ROWS.values()
        if (chart := row.chart)
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One series; None is a gap."""

    label: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One chart with its data."""

    title: str
    unit: str
    share: bool
    stacked: bool
    lines: tuple[Line, ...]
    summary: str
    """First and last values: what the chart says where it cannot be drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """All charts over one axis of steps."""

    steps: tuple[float, ...]
    charts: tuple[Chart, ...]
    left_out: tuple[str, ...]
    """One sentence per chart that has no data."""
    stride: int
    """Every n-th step is drawn."""
    silent_steps: int
    """Steps that recorded no training, for want of a gradient."""

    def as_json(self) -> dict[str, Any]:
        """What charts.js reads. Numbers and the words of this file, never a text of the model."""
        return {
            "steps": self.steps,
            "charts": [
                {
                    "unit": chart.unit,
                    "share": chart.share,
                    "stacked": chart.stacked,
                    "lines": [{"label": e.label, "values": e.values} for e in chart.lines],
                }
                for chart in self.charts
            ],
        }


def curves(records: Sequence[Mapping[str, Any]]) -> Curves:
    """Draws at most MAX_POINTS steps, evenly spaced, so that a long run keeps the file small."""
    stride = max(1, -(-len(records) // MAX_POINTS))
    drawn = records[::stride]
    charts, left_out = [], []
    for kind in CHARTS:
        chart = _chart(kind, drawn)
        if chart is None and kind.optional:
            continue
        if chart is None:
            needs_labels = kind.needs_labels and not any(map(_has_labels, records))
            reason = "needs labels" if needs_labels else "not recorded"
            left_out.append(f"{kind.title}: {reason}.")
        else:
            charts.append(chart)
    trained = [any(key.startswith("train/") for key in record) for record in records]
    return Curves(
        steps=tuple(step for r in drawn if (step := finite(r.get("step"))) is not None),
        charts=tuple(charts),
        left_out=tuple(left_out),
        stride=stride,
        silent_steps=trained.count(False),
    )


def _chart(kind: ChartKind, records: Sequence[Mapping[str, Any]]) -> Chart | None:
    lines = []
    for label, source in kind.lines:
        found = (
            number(record, source) if isinstance(source, str) else source(record)
            for record in records
        )
        values = tuple(_drawn(value, kind.share) for value in found)
        if any(value is not None for value in values):
            lines.append(Line(label=label, values=values))
    if not lines or (kind.stacked and len(lines) < len(kind.lines)):
        return None
    return Chart(
        title=kind.title,
        unit=kind.unit,
        share=kind.share,
        stacked=kind.stacked,
        lines=tuple(lines),
        summary="; ".join(_summary(kind, line, alone=len(kind.lines) == 1) for line in lines),
    )


def _has_labels(record: Mapping[str, Any]) -> bool:
    return number(record, "labels/label_accuracy") is not None


def _summary(kind: ChartKind, line: Line, *, alone: bool) -> str:
    known = [value for value in line.values if value is not None]
    if kind.share:
        first, last = percent(known[0] / 100), percent(known[-1] / 100)
    else:
        first, last = plain(known[0], 3), f"{plain(known[-1], 3)} {kind.unit}"
    return f"{first} to {last}" if alone else f"{line.label} {first} to {last}"


def _drawn(value: float | None, share: bool) -> float | None:
    if value is None:
        return None
    return float(f"{100 * value if share else value:.5g}")
