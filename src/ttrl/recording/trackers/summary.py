"""A result as a flat table of numbers, as trackers hold them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def flat_summary(result: Mapping[str, Any]) -> dict[str, float]:
    """Every number of a result, nested keys joined by "/": sets/heldout/final/avg@64.

    The interval `avg@64_ci` becomes `avg@64_ci/low` and `avg@64_ci/high`. Texts are left out.
    """
    found: dict[str, float] = {}
    for key, value in result.items():
        if isinstance(value, list) and key.endswith("_ci") and len(value) == 2:
            value = dict(zip(("low", "high"), value, strict=True))
        if isinstance(value, Mapping):
            found |= {f"{key}/{inner}": number for inner, number in flat_summary(value).items()}
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[key] = float(value)
    return found
