"""An accuracy with its 95 % interval, and what may be said when there are two of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ttrl.evaluate.report.quantities import EN_DASH, NO_BREAK_SPACE, finite, number, signed

Direction = Literal["rose", "fell", "unclear"]

SET_TITLES = {
    "unlabeled": "unlabeled questions",
    "heldout": "held-out questions",
    "fresh_generated": "newly generated questions",
    "fresh_perturbed": "perturbed questions",
    "out_of_prior": "out-of-prior questions",
}
FRESH = "fresh_"
TRANSFER = "transfer_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A share in [0, 1]; the interval is None where none was recorded."""

    value: float
    interval: tuple[float, float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """One finding. `tone` picks the sign before it; 'unknown' means that labels are missing."""

    text: str
    tone: Direction | Literal["unknown"]


def estimate(metrics: Mapping[str, Any], name: str) -> Estimate | None:
    """The metric `name` with `name_ci`, or None if it was not measured."""
    value = number(metrics, name)
    if value is None:
        return None
    bounds = metrics.get(f"{name}_ci")
    if not isinstance(bounds, list) or len(bounds) != 2:
        return Estimate(value=value, interval=None)
    low, high = finite(bounds[0]), finite(bounds[1])
    interval = None if low is None or high is None else (low, high)
    return Estimate(value=value, interval=interval)


def sample_sizes(metrics: Mapping[str, Any], prefix: str) -> tuple[int, ...]:
    """Every k for which `prefix@k` was measured, smallest first."""
    found = (re.fullmatch(rf"{re.escape(prefix)}@(\d{{1,9}})", key) for key in metrics)
    return tuple(sorted(int(m[1]) for m in found if m and number(metrics, m[0]) is not None))


def direction(before: Estimate, after: Estimate) -> Direction:
    """'rose' or 'fell' only if the two intervals are apart.

    Both are taken over the same questions, so this asks for more than a paired test would.
    """
    if before.interval is None or after.interval is None:
        return "unclear"
    if after.interval[0] > before.interval[1]:
        return "rose"
    if after.interval[1] < before.interval[0]:
        return "fell"
    return "unclear"


def span(interval: tuple[float, float]) -> str:
    """(0.47, 0.548) -> '47.0 to 54.8', in percent, on one line."""
    low, high = (f"{100 * bound:.1f}" for bound in interval)
    return f"{low}{NO_BREAK_SPACE}to{NO_BREAK_SPACE}{high}"


def short_span(interval: tuple[float, float]) -> str:
    """As `span`, for tables."""
    return f"{100 * interval[0]:.1f}{EN_DASH}{100 * interval[1]:.1f}"


def points(value: float) -> str:
    """0.256 -> '+25.6 points'."""
    return f"{signed(100 * value)}{NO_BREAK_SPACE}points"


def signed_span(interval: tuple[float, float]) -> str:
    """(-0.01, 0.02) -> '−1.0 to +2.0', on one line."""
    low, high = (signed(100 * bound) for bound in interval)
    return f"{low}{NO_BREAK_SPACE}to{NO_BREAK_SPACE}{high}"


def set_title(name: str) -> str:
    """What a question set is called in the report, in the plural."""
    if name in SET_TITLES:
        return SET_TITLES[name]
    if name.startswith(TRANSFER):
        return f"{name.removeprefix(TRANSFER)} transfer questions"
    if name.startswith(FRESH):
        return f"fresh {name.removeprefix(FRESH).replace('_', ' ')} questions"
    return name.replace("_", " ") + " questions"


def heading(name: str) -> str:
    """As `set_title`, to begin a line with."""
    title = set_title(name)
    return title[:1].upper() + title[1:]


def in_order(names: set[str]) -> list[str]:
    """Known sets first, in the order of the report."""
    known = [name for name in SET_TITLES if name in names]
    return known + sorted(names - SET_TITLES.keys())


def direction_of(change: tuple[float, float] | None) -> Direction:
    """'rose' or 'fell' only if the interval of a change or a difference leaves out 0."""
    if change is None or change[0] <= 0 <= change[1]:
        return "unclear"
    return "rose" if change[0] > 0 else "fell"
