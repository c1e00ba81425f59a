"""Pooled figures as cells of a page and as text."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ttrl.evaluate.pooling import Pooled
from ttrl.evaluate.report.comparison import Cell
from ttrl.evaluate.report.comparison_tables import change_cell
from ttrl.evaluate.report.estimates import Estimate
from ttrl.evaluate.study.evidence import tone_of


def gain_cell(gain: Pooled | None, *, drawn: bool = True) -> Cell:
    """In percentage points, with the interval and, if drawn, a whisker on the column's scale."""
    if gain is None:
        return change_cell(None)
    told = Estimate(value=gain.value, interval=(gain.low, gain.high))
    return change_cell(told, drawn=drawn, tone=tone_of(gain))


def gain_scale(gains: Sequence[Pooled]) -> tuple[float, float]:
    """Ends of the line for whiskers, in points: 0 and every interval lie on it."""
    low = min([0, *(math.floor(100 * gain.low) for gain in gains)])
    high = max([1, *(math.ceil(100 * gain.high) for gain in gains)])
    return float(low), float(high)


def gain_text(gain: Pooled | None) -> str:
    """For Markdown: '+12.3 [+10.1, +14.5]'."""
    if gain is None:
        return "–"
    return f"{100 * gain.value:+.1f} [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]"


def share_text(share: float | None) -> str:
    """For Markdown, in percent without the sign."""
    return "–" if share is None else f"{100 * share:.1f}"
