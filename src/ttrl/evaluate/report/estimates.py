"""An accuracy with its 95 % interval, and what may be said when there are two of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ttrl.evaluate.report.quantities import EN_DASH, NO_BREAK_SPACE, finite, number

Direction = Literal["rose", "fell", "unclear"]

SET_TITLES = {
    "unlabeled": "unlabeled questions",
    "heldout": "held-out questions",
    "out_of_prior": "out-of-prior questions",
    "fresh_generated": "fresh questions (generated)",
    "fresh_perturbed": "fresh questions (perturbed copies)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A share in [0, 1]; the interval is None where none was recorded."""

    value: float
    interval: tuple[float, float] | None


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
    found = (re.fullmatch(rf"{re.escape(prefix)}@(\d+)", key) for key in metrics)
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


def set_title(name: str) -> str:
    """What a question set is called in the report."""
    if name.startswith("transfer_"):
        return f"transfer: {name.removeprefix('transfer_')}"
    if name.startswith("fresh_") and name not in SET_TITLES:
        return f"fresh questions ({name.removeprefix('fresh_').replace('_', ' ')})"
    return SET_TITLES.get(name, name.replace("_", " ") + " questions")


def in_order(names: set[str]) -> list[str]:
    """Known sets first, in the order of the report."""
    known = [name for name in SET_TITLES if name in names]
    return known + sorted(names - SET_TITLES.keys())
