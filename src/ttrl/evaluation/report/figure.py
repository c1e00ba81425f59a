"""The main curves as one SVG for papers: light, self-contained, without scripts or fonts.

Several runs of one arm are drawn as their mean and the band from the smallest to the largest.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from ttrl.evaluation.report.arms import Arm
from ttrl.evaluation.report.text import short
from ttrl.evaluation.statistics import mean
from ttrl.recording.forgiving import finite, number
from ttrl.recording.shown import FIGURE, Panel

MAX_STEPS = 300
"""Drawn of one panel; more do not show at the width of a page."""
_LARGEST = 1e12
"""Beyond it, a value is taken for broken and left out."""
_COLUMNS = 3
_WIDTH, _HEIGHT = 300, 200
_LEFT, _TOP, _RIGHT, _BOTTOM = 48, 30, 14, 36
_INKS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#a67c00", "#56b4e9", "#4d4d4d")
"""Okabe and Ito's, told apart with colour blindness; the yellow is darkened for white paper."""
_TICKS = (1.0, 2.0, 2.5, 5.0, 10.0)
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_GREY = 'fill="#555"'

Point = tuple[float, float, float, float]
"""Step, mean, smallest, largest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """Maps [low, high] to [begin, end], in the units of the drawing."""

    low: float
    high: float
    begin: float
    end: float
    ticks: tuple[float, ...]

    def at(self, value: float) -> float:
        """Returns the place of a value, to a tenth; values beyond the axis stand at its end."""
        share = min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)
        return round(self.begin + share * (self.end - self.begin), 1)


def fitting_axis(
    low: float, high: float, *, begin: float, end: float, whole: bool = False, rounded: bool = False
) -> Axis:
    """Returns an axis for these values with about four round ticks.

    Args:
        whole: ticks are whole numbers.
        rounded: the axis ends at a tick.
    """
    if high <= low:  # one value: something around it
        low, high = (low - 1, high + 1) if whole else (min(low, 0.0), max(high, 0.0) or 1.0)
    if high <= low:
        high = low + 1
    tick = _round_step((high - low) / 4)
    if whole:
        tick = max(1.0, math.ceil(tick))
    if rounded:
        low, high = math.floor(low / tick) * tick, math.ceil(high / tick) * tick
    first, last = math.ceil(low / tick), math.floor(high / tick)
    ticks = tuple(float(f"{index * tick:.10g}") for index in range(first, last + 1))
    return Axis(low=low, high=high, begin=begin, end=end, ticks=ticks)


def _round_step(least: float) -> float:
    """The smallest round number that is at least so large."""
    if not least > 0 or math.isinf(least):
        return 1.0
    power = 10.0 ** math.floor(math.log10(least))
    return next((s * power for s in _TICKS if s * power >= least * (1 - 1e-9)), 10 * power)


def figure_svg(arms: Sequence[Arm], panels: Sequence[Panel] = FIGURE) -> str:
    """Returns the figure; panels that no run recorded are left out. Names may be any text."""
    drawn = [(panel, [_points(arm, panel) for arm in arms]) for panel in panels]
    drawn = [(panel, series) for panel, series in drawn if any(series)]
    rows, columns = -(-len(drawn) // _COLUMNS) or 1, min(_COLUMNS, len(drawn)) or 1
    legend, legend_height = _legend(arms, width=columns * _WIDTH)
    width, height = columns * _WIDTH, rows * _HEIGHT + legend_height
    titles = ", ".join(panel.title.lower() for panel, _ in drawn) or "nothing"
    names = ", ".join(arm.name for arm in arms)
    about = _text(f"Curves over the steps of training of {names}: {titles}")
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" aria-label="{about}" '
        'font-family="Helvetica, Arial, sans-serif" font-size="11" fill="#1d2025">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    if not drawn:
        parts.append(f'<text x="{width / 2}" y="60" text-anchor="middle">No steps recorded</text>')
    for index, (panel, series) in enumerate(drawn):
        x, y = index % _COLUMNS * _WIDTH, index // _COLUMNS * _HEIGHT
        parts += [f'<g transform="translate({x} {y})">', *_panel(panel, series, arms), "</g>"]
    parts += [f'<g transform="translate(0 {rows * _HEIGHT})">', *legend, "</g>", "</svg>"]
    return "\n".join(parts) + "\n"


def _points(arm: Arm, panel: Panel) -> list[Point]:
    by_step: dict[float, list[float]] = {}
    for run in arm.runs:
        for record in run.records:
            step, value = finite(record.get("step")), number(record, panel.key)
            if step is not None and value is not None and max(abs(step), abs(value)) <= _LARGEST:
                by_step.setdefault(step, []).append(100 * value if panel.share else value)
    steps = sorted(by_step)
    stride = max(1, -(-len(steps) // MAX_STEPS))
    kept = [*steps[::stride], *([steps[-1]] if (len(steps) - 1) % stride else [])] if steps else []
    return [(s, mean(by_step[s]), min(by_step[s]), max(by_step[s])) for s in kept]


def _panel(panel: Panel, series: Sequence[list[Point]], arms: Sequence[Arm]) -> list[str]:
    points = [point for line in series for point in line]
    steps, bottom, right = [p[0] for p in points], _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    x_axis = fitting_axis(min(steps), max(steps), begin=_LEFT, end=right, whole=True)
    if panel.share:
        y_axis = Axis(low=0, high=100, begin=bottom, end=_TOP, ticks=(0, 25, 50, 75, 100))
    else:
        low, high = min(0.0, *(p[2] for p in points)), max(p[3] for p in points)
        y_axis = fitting_axis(low, high, begin=bottom, end=_TOP, rounded=True)
    parts = [
        f'<text x="{_LEFT}" y="16" font-weight="bold">{_text(panel.title)}</text>',
        f'<text transform="translate(11 {(bottom + _TOP) / 2}) rotate(-90)" text-anchor="middle" '
        f"{_GREY}>{_text(panel.unit)}</text>",
        f'<text x="{(_LEFT + right) / 2}" y="{_HEIGHT - 6}" text-anchor="middle" {_GREY}>step</text>',
    ]
    for tick in y_axis.ticks:
        y = y_axis.at(tick)
        parts.append(f'<path d="M{_LEFT} {y}H{right}" stroke="#e2e2e2"/>')
        parts.append(
            f'<text x="{_LEFT - 5}" y="{y + 3.5:.1f}" text-anchor="end" {_GREY}>{tick:g}</text>'
        )
    for tick in x_axis.ticks:
        x, y = x_axis.at(tick), bottom + 14
        parts.append(f'<text x="{x}" y="{y}" text-anchor="middle" {_GREY}>{tick:g}</text>')
    parts.append(f'<path d="M{_LEFT} {bottom}H{right}" stroke="#555"/>')
    for index, line in enumerate(series):
        parts += _curve(line, x_axis, y_axis, index, arms[index])
    return parts


def _curve(line: list[Point], x: Axis, y: Axis, index: int, arm: Arm) -> list[str]:
    ink, parts = _INKS[index % len(_INKS)], []
    if len(line) == 1:
        step, middle, _, _ = line[0]
        return [f'<circle cx="{x.at(step)}" cy="{y.at(middle)}" r="2.5" fill="{ink}"/>']
    if any(low < high for _, _, low, high in line):
        upper = [f"{x.at(step)} {y.at(high)}" for step, _, _, high in line]
        lower = [f"{x.at(step)} {y.at(low)}" for step, _, low, _ in reversed(line)]
        parts.append(f'<path d="M{"L".join(upper + lower)}Z" fill="{ink}" fill-opacity="0.15"/>')
    if line:
        way = "L".join(f"{x.at(step)} {y.at(middle)}" for step, middle, _, _ in line)
        parts.append(
            f'<path d="M{way}" fill="none" stroke="{ink}" stroke-width="1.6" '
            f'stroke-linejoin="round"{_dash(arm)}/>'
        )
    return parts


def _legend(arms: Sequence[Arm], *, width: int) -> tuple[list[str], int]:
    """One entry per arm, as many side by side as fit, and what bands are."""
    parts, x, y = [], float(_LEFT), 14
    for index, arm in enumerate(arms):
        label = short(arm.name, 60) + (f" ({len(arm.runs)} runs)" if len(arm.runs) > 1 else "")
        wide = 46 + 6.2 * len(label)
        if x > _LEFT and x + wide > width:
            x, y = float(_LEFT), y + 18
        ink = _INKS[index % len(_INKS)]
        parts.append(f'<path d="M{x:.0f} {y - 4}h24" stroke="{ink}" stroke-width="2"{_dash(arm)}/>')
        parts.append(f'<text x="{x + 30:.0f}" y="{y}">{_text(label)}</text>')
        x += wide
    if any(len(arm.runs) > 1 for arm in arms):
        y += 18
        words = "Lines are means over runs, bands reach from the smallest to the largest."
        parts.append(f'<text x="{_LEFT}" y="{y}" {_GREY}>{words}</text>')
    return parts, y + 12


def _dash(arm: Arm) -> str:
    return ' stroke-dasharray="5 3"' if arm.role == "control" else ""


def _text(text: str) -> str:
    """Escaped, without the characters that no XML may hold."""
    return escape(_NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text))
