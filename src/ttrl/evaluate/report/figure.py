"""The main curves as one SVG for papers: light, self-contained, without scripts or fonts.

Several runs of one group are drawn as their mean and the band from the smallest to the largest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Literal

from ttrl.evaluate.report.figure_axis import Axis, fitting_axis
from ttrl.evaluate.report.quantities import finite, number
from ttrl.evaluate.statistics import mean

MAX_STEPS = 300
"""Drawn of one panel; more do not show at the width of a page."""
_LARGEST = 1e12
"""Beyond it, a value is taken for broken and left out."""
_COLUMNS = 3
_WIDTH, _HEIGHT = 300, 200
_LEFT, _TOP, _RIGHT, _BOTTOM = 48, 30, 14, 36
_INKS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#a67c00", "#56b4e9", "#4d4d4d")
"""Okabe and Ito's, told apart with colour blindness; the yellow is darkened for white paper."""
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One quantity over the steps."""

    title: str
    unit: str
    key: str
    """In metrics.jsonl."""
    share: bool = False
    """Recorded in [0, 1], drawn in percent from 0 to 100."""


PANELS = (
    Panel(
        title="Share of right votes", unit="% of votes", key="labels/ground_truth_ratio", share=True
    ),
    Panel(title="Label accuracy", unit="% of labels", key="labels/label_accuracy", share=True),
    Panel(title="Reward accuracy", unit="% of rewards", key="labels/reward_accuracy", share=True),
    Panel(title="Majority ratio", unit="% of votes", key="consensus/majority_ratio", share=True),
    Panel(title="Entropy", unit="nats per token", key="sample/entropy"),
    Panel(title="Mean length", unit="tokens per completion", key="sample/mean_tokens"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveGroup:
    """Runs that differ by their seed only."""

    name: str
    role: Literal["main", "control"]
    """A control is drawn dashed."""
    runs: Sequence[Sequence[Mapping[str, Any]]]
    """The records of metrics.jsonl of each run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Point:
    step: float
    mean: float
    low: float
    high: float


def figure_svg(groups: Sequence[CurveGroup], panels: Sequence[Panel] = PANELS) -> str:
    """The figure; panels that no run recorded are left out. Names may be any text."""
    drawn = [(panel, [_points(group, panel) for group in groups]) for panel in panels]
    drawn = [(panel, series) for panel, series in drawn if any(series)]
    rows = -(-len(drawn) // _COLUMNS) or 1
    columns = min(_COLUMNS, len(drawn)) or 1
    legend, legend_height = _legend(groups, width=columns * _WIDTH)
    width, height = columns * _WIDTH, rows * _HEIGHT + legend_height
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" aria-label="{_text(_summary(groups, drawn))}" '
        'font-family="Helvetica, Arial, sans-serif" font-size="11" fill="#1d2025">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    if not drawn:
        parts.append(f'<text x="{width / 2}" y="60" text-anchor="middle">No steps recorded</text>')
    for index, (panel, series) in enumerate(drawn):
        x, y = index % _COLUMNS * _WIDTH, index // _COLUMNS * _HEIGHT
        parts += [f'<g transform="translate({x} {y})">', *_panel(panel, series, groups), "</g>"]
    parts += [f'<g transform="translate(0 {rows * _HEIGHT})">', *legend, "</g>", "</svg>"]
    return "\n".join(parts) + "\n"


def _points(group: CurveGroup, panel: Panel) -> list[_Point]:
    by_step: dict[float, list[float]] = {}
    for records in group.runs:
        for record in records:
            step, value = finite(record.get("step")), number(record, panel.key)
            if step is None or value is None or max(abs(step), abs(value)) > _LARGEST:
                continue
            by_step.setdefault(step, []).append(100 * value if panel.share else value)
    steps = sorted(by_step)
    stride = max(1, -(-len(steps) // MAX_STEPS))
    kept = [*steps[::stride], *([steps[-1]] if (len(steps) - 1) % stride else [])] if steps else []
    return [
        _Point(step=step, mean=mean(by_step[step]), low=min(by_step[step]), high=max(by_step[step]))
        for step in kept
    ]


def _panel(panel: Panel, series: Sequence[list[_Point]], groups: Sequence[CurveGroup]) -> list[str]:
    points = [point for line in series for point in line]
    x_axis = fitting_axis(
        min(p.step for p in points),
        max(p.step for p in points),
        begin=_LEFT,
        end=_WIDTH - _RIGHT,
        whole=True,
    )
    y_axis = (
        Axis(low=0, high=100, begin=_HEIGHT - _BOTTOM, end=_TOP, ticks=(0, 25, 50, 75, 100))
        if panel.share
        else fitting_axis(
            min(0.0, *(p.low for p in points)),
            max(p.high for p in points),
            begin=_HEIGHT - _BOTTOM,
            end=_TOP,
            rounded=True,
        )
    )
    parts = [
        f'<text x="{_LEFT}" y="16" font-weight="bold">{_text(panel.title)}</text>',
        f'<text transform="translate(11 {(_HEIGHT - _BOTTOM + _TOP) / 2}) rotate(-90)" '
        f'text-anchor="middle" fill="#555">{_text(panel.unit)}</text>',
        f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{_HEIGHT - 6}" text-anchor="middle" '
        'fill="#555">step</text>',
    ]
    for tick in y_axis.ticks:
        y = y_axis.at(tick)
        parts.append(f'<path d="M{_LEFT} {y}H{_WIDTH - _RIGHT}" stroke="#e2e2e2"/>')
        parts.append(
            f'<text x="{_LEFT - 5}" y="{y + 3.5:.1f}" text-anchor="end" fill="#555">{tick:g}</text>'
        )
    for tick in x_axis.ticks:
        parts.append(
            f'<text x="{x_axis.at(tick)}" y="{_HEIGHT - _BOTTOM + 14}" text-anchor="middle" '
            f'fill="#555">{tick:g}</text>'
        )
    parts.append(f'<path d="M{_LEFT} {_HEIGHT - _BOTTOM}H{_WIDTH - _RIGHT}" stroke="#555"/>')
    for index, line in enumerate(series):
        parts += _curve(line, x_axis, y_axis, index, groups[index])
    return parts


def _curve(line: list[_Point], x: Axis, y: Axis, index: int, group: CurveGroup) -> list[str]:
    if not line:
        return []
    ink, parts = _INKS[index % len(_INKS)], []
    if any(point.low < point.high for point in line):
        upper = [f"{x.at(p.step)} {y.at(p.high)}" for p in line]
        lower = [f"{x.at(p.step)} {y.at(p.low)}" for p in reversed(line)]
        parts.append(f'<path d="M{"L".join(upper + lower)}Z" fill="{ink}" fill-opacity="0.15"/>')
    if len(line) == 1:
        only = line[0]
        return [f'<circle cx="{x.at(only.step)}" cy="{y.at(only.mean)}" r="2.5" fill="{ink}"/>']
    middle = "L".join(f"{x.at(p.step)} {y.at(p.mean)}" for p in line)
    parts.append(
        f'<path d="M{middle}" fill="none" stroke="{ink}" stroke-width="1.6" '
        f'stroke-linejoin="round"{_dash(group)}/>'
    )
    return parts


def _legend(groups: Sequence[CurveGroup], *, width: int) -> tuple[list[str], int]:
    """One entry per group, as many side by side as fit, and what bands are."""
    parts, x, y = [], float(_LEFT), 14
    for index, group in enumerate(groups):
        label = group.name if len(group.name) <= 60 else group.name[:59] + "\N{HORIZONTAL ELLIPSIS}"
        if len(group.runs) > 1:
            label += f" ({len(group.runs)} runs)"
        wide = 46 + 6.2 * len(label)
        if x > _LEFT and x + wide > width:
            x, y = float(_LEFT), y + 18
        parts.append(
            f'<path d="M{x:.0f} {y - 4}h24" stroke="{_INKS[index % len(_INKS)]}" stroke-width="2"'
            f"{_dash(group)}/>"
        )
        parts.append(f'<text x="{x + 30:.0f}" y="{y}">{_text(label)}</text>')
        x += wide
    if any(len(group.runs) > 1 for group in groups):
        y += 18
        told = "Lines are means over runs, bands reach from the smallest to the largest."
        parts.append(f'<text x="{_LEFT}" y="{y}" fill="#555">{told}</text>')
    return parts, y + 12


def _dash(group: CurveGroup) -> str:
    return ' stroke-dasharray="5 3"' if group.role == "control" else ""


def _summary(
    groups: Sequence[CurveGroup], drawn: Sequence[tuple[Panel, Sequence[list[_Point]]]]
) -> str:
    names = ", ".join(group.name for group in groups)
    titles = ", ".join(panel.title.lower() for panel, _ in drawn) or "nothing"
    return f"Curves over the steps of training of {names}: {titles}"


def _text(text: str) -> str:
    """Escaped, without the characters that no XML may hold."""
    return escape(_NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text))
