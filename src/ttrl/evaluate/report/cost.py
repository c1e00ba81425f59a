"""What the run cost, as rows of a small table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ttrl.evaluate.report.quantities import duration, energy_told, memory, number

TIMES = {
    "wall_seconds": "wall-clock time",
    "sampling_seconds": "of it sampling",
    "training_seconds": "of it training",
    "evaluation_seconds": "of it evaluation",
}


def cost_rows(result: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """(what, how much); whatever was not recorded is left out."""
    rows = []
    for key, label in TIMES.items():
        seconds = number(result, key)
        if seconds is not None:
            rows.append((label, duration(seconds)))
    tokens, sampling = number(result, "sampled_tokens"), number(result, "sampling_seconds")
    if tokens is not None:
        rows.append(("sampled tokens", f"{tokens:,.0f}"))
    if tokens is not None and sampling:
        rows.append(("sampled tokens per second of sampling", f"{tokens / sampling:,.0f}"))
    peak = number(result, "peak_rss_bytes")
    if peak is not None:
        rows.append(("peak memory of the process", memory(peak)))
    energy = number(result, "energy_joules")
    if energy is not None:
        rows.append(("energy", energy_told(energy)))
    return tuple(rows)
