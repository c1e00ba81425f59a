"""Ours against a peer, run after run, so that both meet the same load of a shared machine.

One convention for all benchmarks: a ratio says how many times faster ours is.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from benchmarks.machine import Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a table. Figures are medians over the rounds."""

    name: str
    unit: str = "ms"
    """Of `ours`, `peer` and `limit`. Of units per second more is better, of others less."""
    ours: float
    peer: float | None = None
    ratio_median: float | None = None
    """How many times faster ours is: of the rounds, the median."""
    ratio_min: float | None = None
    ratio_max: float | None = None
    target: float | None = None
    """The ratio that ours should reach."""
    limit: float | None = None
    """What `ours` should not pass, where the target is no ratio."""


def pair(
    name: str,
    ours: Callable[[], float],
    peer: Callable[[], float] | None = None,
    *,
    rounds: int = 5,
    unit: str = "ms",
    target: float | None = None,
    limit: float | None = None,
) -> Row:
    """Alternates two measurements and takes medians; the order changes with every round."""
    pairs = [_round(ours, peer, ours_first=index % 2 == 0) for index in range(rounds)]
    own = [mine for mine, _ in pairs]
    if peer is None:
        return Row(name=name, unit=unit, ours=statistics.median(own), target=target, limit=limit)
    return paired(name, own, [theirs for _, theirs in pairs], unit=unit, target=target, limit=limit)


def race(
    name: str,
    ours: Callable[[], object],
    peer: Callable[[], object] | None = None,
    *,
    rounds: int = 5,
    limit: float | None = None,
) -> Row:
    """`pair` on the milliseconds of two calls."""
    return pair(
        name,
        lambda: milliseconds(ours),
        None if peer is None else lambda: milliseconds(peer),
        rounds=rounds,
        limit=limit,
    )


def paired(
    name: str,
    ours: Sequence[float],
    peer: Sequence[float],
    *,
    unit: str,
    target: float | None = None,
    limit: float | None = None,
) -> Row:
    """The row of figures that were taken in pairs."""
    rate = unit.endswith("/s")
    ratios = [a / b if rate else b / a for a, b in zip(ours, peer, strict=True)]
    return Row(
        name=name,
        unit=unit,
        ours=statistics.median(ours),
        peer=statistics.median(peer),
        ratio_median=statistics.median(ratios),
        ratio_min=min(ratios),
        ratio_max=max(ratios),
        target=target,
        limit=limit,
    )


def _round(
    ours: Callable[[], float], peer: Callable[[], float] | None, *, ours_first: bool
) -> tuple[float, float]:
    if peer is None:
        return ours(), 0.0
    if ours_first:
        mine = ours()
        return mine, peer()
    theirs = peer()
    return ours(), theirs


def seconds(call: Callable[[], object]) -> float:
    """Wall clock of one call."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def milliseconds(call: Callable[[], object]) -> float:
    """Wall clock of one call."""
    return seconds(call) * 1e3


def tell(rows: Sequence[Row], *, as_json: bool, watch: Watch, **more: object) -> None:
    """A table, and with `as_json` one object as the last line."""
    told = watch.told()
    width = max(len(row.name) for row in rows)
    print(
        f"{'':<{width}}  {'ours':>12}  {'peer':>12}  {'unit':<9}  {'times faster (min to max)':>25}"
        f"  {'target':>7}"
    )
    for row in rows:
        peer = "" if row.peer is None else _short(row.peer)
        ratio = (
            ""
            if row.ratio_median is None
            else f"{row.ratio_median:.2f} ({row.ratio_min:.2f} to {row.ratio_max:.2f})"
        )
        target = "" if row.target is None else f"{row.target:.1f}"
        if row.limit is not None:
            target = f"<{_short(row.limit)}"
        print(
            f"{row.name:<{width}}  {_short(row.ours):>12}  {peer:>12}  {row.unit:<9}  {ratio:>25}"
            f"  {target:>7}"
        )
    print(
        f"load {told['load']}, other processes took {told['others']:.0%} of the processors",
        flush=True,
    )
    if as_json:
        print(json.dumps({"rows": [asdict(row) for row in rows], "machine": told, **more}))


def _short(value: float) -> str:
    """Four significant digits."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
