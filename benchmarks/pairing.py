"""Ours against a peer, run after run, so that both meet the same load of a shared machine."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a table. Times are medians in milliseconds, ratios are peer / ours."""

    name: str
    ours: float
    peer: float | None = None
    ratio_median: float | None = None
    ratio_min: float | None = None
    ratio_max: float | None = None
    target: float | None = None
    """What ours should stay under, in the unit of `ours`."""


def pair(
    name: str,
    ours: Callable[[], object],
    peer: Callable[[], object] | None = None,
    *,
    rounds: int = 5,
    target: float | None = None,
) -> Row:
    """Alternates the two and takes medians; the order changes with every round."""
    pairs = [_round(ours, peer, ours_first=index % 2 == 0) for index in range(rounds)]
    own = statistics.median(mine for mine, _ in pairs)
    if peer is None:
        return Row(name=name, ours=own, target=target)
    ratios = [theirs / mine for mine, theirs in pairs]
    return Row(
        name=name,
        ours=own,
        peer=statistics.median(theirs for _, theirs in pairs),
        ratio_median=statistics.median(ratios),
        ratio_min=min(ratios),
        ratio_max=max(ratios),
        target=target,
    )


def _round(
    ours: Callable[[], object], peer: Callable[[], object] | None, *, ours_first: bool
) -> tuple[float, float]:
    if peer is None:
        return milliseconds(ours), 0.0
    if ours_first:
        mine = milliseconds(ours)
        return mine, milliseconds(peer)
    theirs = milliseconds(peer)
    return milliseconds(ours), theirs


def milliseconds(call: Callable[[], object]) -> float:
    """Wall clock of one call."""
    begin = time.perf_counter()
    call()
    return (time.perf_counter() - begin) * 1e3


def machine() -> dict[str, object]:
    """Where figures come from, and what else ran there."""
    return {
        "platform": platform.platform(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load": [round(value, 2) for value in os.getloadavg()],
    }


def tell(rows: Sequence[Row], *, as_json: bool, **more: object) -> None:
    """A table, and with `as_json` one object as the last line."""
    width = max(len(row.name) for row in rows)
    print(f"{'':<{width}}  {'ours':>9}  {'peer':>10}  {'ratio (min to max)':>24}  {'target':>8}")
    for row in rows:
        peer = "" if row.peer is None else f"{row.peer:10.3f}"
        ratio = (
            ""
            if row.ratio_median is None
            else f"{row.ratio_median:.1f} ({row.ratio_min:.1f} to {row.ratio_max:.1f})"
        )
        target = "" if row.target is None else f"{row.target:8.1f}"
        print(f"{row.name:<{width}}  {row.ours:9.3f}  {peer:>10}  {ratio:>24}  {target:>8}")
    if as_json:
        print(json.dumps({"rows": [asdict(row) for row in rows], "machine": machine(), **more}))
