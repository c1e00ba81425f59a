"""The tables of docs/guard.md: what the guard, and each signal alone, says of recorded runs."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guard_cases import HEALTHY, PLANTED
from guard_truth import LOOKS, lost_after

from ttrl.training.guard import replay
from ttrl.training.guard_rules import RULES, History
from ttrl.training.signals import CONFIDENT, FEWEST_CHANGED, is_kl_step

Json = dict[str, Any]
NOTHING_TO_LOSE = 0.05
"""Accuracy at the start below which a run has no five points to lose."""
WINDOW = 6
"""Steps over which single metrics are averaged."""
METRICS = {
    "KL to the base, one level": ("guard/kl", 1),
    "U, high": ("consensus/unreliability", 1),
    "U, low": ("consensus/unreliability", -1),
    "flip rate": ("consensus/flip_rate", 1),
    "distinct labels, few": ("consensus/distinct_labels", -1),
    "majority ratio, high": ("consensus/majority_ratio", 1),
    "majority ratio, low": ("consensus/majority_ratio", -1),
    "entropy, high": ("sample/entropy", 1),
    "entropy, low": ("sample/entropy", -1),
    "length, long": ("sample/mean_tokens", 1),
    "length, short": ("sample/mean_tokens", -1),
    "no answer": ("consensus/no_answer_rate", 1),
    "repetition": ("guard/repetition", 1),
    "agreement across questions": ("guard/across", 1),
    "ignored numbers": ("guard/ignored_numbers", 1),
    "pay for the label": ("guard/pay_for_label", -1),
}
"""By name, a metric and which way it goes when a run collapses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A recorded run, with what true answers say of it."""

    kind: str
    seed: int
    metrics: Sequence[Json]
    lost: float | None
    """The step after which five points were lost; None if they never were."""
    from_zero: bool
    """Whether it had no five points to lose."""


Stops = Callable[[Recorded], int | None]
"""The step after which something would stop a run, or None."""


def read(folder: Path) -> list[Recorded]:
    """Reads the runs of a part."""
    found = []
    for file in sorted(folder.glob("*.json")):
        run = json.loads(file.read_text("utf-8"))
        if run["kind"] != HEALTHY and run["kind"] not in PLANTED:
            continue
        accuracy = [a for _, a in run["accuracy"]]
        found.append(
            Recorded(
                kind=run["kind"],
                seed=run["seed"],
                metrics=[_sound(*each) for each in zip(run["metrics"], run["votes"], strict=True)],
                lost=lost_after(run["accuracy"]),
                from_zero=sum(accuracy[:LOOKS]) / LOOKS < NOTHING_TO_LOSE,
            )
        )
    return found


def _sound(metrics: Json, votes: Sequence[Json]) -> Json:
    """Drops what a run would not report: numbers ignored in fewer than 3 questions, KL of some steps."""
    confident = [
        vote["counts"][0] / (sum(vote["counts"]) + vote["abstained"]) > CONFIDENT
        for vote in votes
        if vote["counts"]
    ]
    dropped = set() if sum(confident) >= FEWEST_CHANGED else {"guard/ignored_numbers"}
    if not is_kl_step(int(metrics["step"]) - 1):
        dropped.add("guard/kl")
    return {k: v for k, v in metrics.items() if k not in dropped}


def by_guard(run: Recorded) -> int | None:
    """What the guard does as it is."""
    decisions = replay(run.metrics)
    return decisions[0].step if decisions else None


def by_rules(wanted: Callable[[str], bool]) -> Stops:
    """What the guard would do with those of its signals alone."""

    def stops(run: Recorded) -> int | None:
        history = History()
        for row in run.metrics:
            history = history.with_step(row, step=row["step"])
            if any(rule.look(history) for rule in RULES if wanted(rule.signal)):
                return int(row["step"])
        return None

    return stops


def by_level(key: str, sign: int, runs: Sequence[Recorded]) -> Stops | None:
    """A limit on the mean of a metric over six steps that none of these healthy runs passed."""
    reached = [
        sign * value
        for run in runs
        if run.kind == HEALTHY and run.lost is None and not run.from_zero
        for _, value in _windows(run, key)
    ]
    if not reached:
        return None
    limit = max(reached)

    def stops(run: Recorded) -> int | None:
        return next((step for step, value in _windows(run, key) if sign * value > limit), None)

    return stops


def _windows(run: Recorded, key: str) -> list[tuple[int, float]]:
    width = 2 if key == "guard/ignored_numbers" else WINDOW
    rows = [(int(row["step"]), float(row[key])) for row in run.metrics if key in row]
    return [
        (rows[i][0], math.fsum(value for _, value in rows[i - width + 1 : i + 1]) / width)
        for i in range(width - 1, len(rows))
    ]


def wilson(hits: int, count: int) -> str:
    """Returns a share with its 95 % interval, in percent."""
    if not count:
        return "–"
    z, p = 1.96, hits / count
    middle = (p + z * z / (2 * count)) / (1 + z * z / count)
    half = z * math.sqrt(p * (1 - p) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    low, high = (100 * max(0.0, min(1.0, middle + sign * half)) for sign in (-1, 1))
    return f"{hits} of {count} ({low:.0f}–{high:.0f} %)"


def found_in_time(run: Recorded, stops: Stops) -> bool:
    """Returns whether a run that lost accuracy would have ended before."""
    step = stops(run)
    return step is not None and run.lost is not None and step <= run.lost


def by_kind(runs: Sequence[Recorded], stops: Stops = by_guard) -> str:
    """A row per kind: how many fell, how many of these were stopped in time, late, or never."""
    lines = [
        "| planted | runs | fell | found before 5 points were lost | found later | not found "
        "| did not fall | of these stopped | had nothing to lose | of these stopped |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for kind in (*PLANTED, HEALTHY):
        of_kind = [run for run in runs if run.kind == kind]
        fell = [run for run in of_kind if run.lost is not None and not run.from_zero]
        zero = [run for run in of_kind if run.from_zero]
        stood = [run for run in of_kind if run.lost is None and not run.from_zero]
        in_time = sum(found_in_time(run, stops) for run in fell)
        stopped = sum(stops(run) is not None for run in fell)
        cells = [
            kind, len(of_kind), len(fell), in_time, stopped - in_time, len(fell) - stopped,
            len(stood), sum(stops(run) is not None for run in stood),
            len(zero), sum(stops(run) is not None for run in zero),
        ]  # fmt: skip
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def totals(runs: Sequence[Recorded], stops: Stops) -> tuple[str, str, str]:
    """Found in time among those that fell, stopped among those from zero, stopped among healthy ones."""
    fell = [run for run in runs if run.lost is not None and not run.from_zero]
    zero = [run for run in runs if run.from_zero]
    well = [run for run in runs if run.kind == HEALTHY and run.lost is None and not run.from_zero]
    return (
        wilson(sum(found_in_time(run, stops) for run in fell), len(fell)),
        wilson(sum(stops(run) is not None for run in zero), len(zero)),
        wilson(sum(stops(run) is not None for run in well), len(well)),
    )


def table(select: Sequence[Recorded], report: Sequence[Recorded]) -> str:
    """Markdown: the guard by kind, then its parts, then single metrics."""
    rows: list[tuple[str, Stops | None]] = [
        ("the guard", by_guard),
        ("without `pay`", by_rules(lambda signal: signal != "pay")),
        ("without `kl`", by_rules(lambda signal: signal != "kl")),
        *((f"`{rule.signal}` alone", by_rules(rule.signal.__eq__)) for rule in RULES),
        *((f"{name}", by_level(*about, select)) for name, about in METRICS.items()),
    ]
    lines = [
        "| | found before 5 points were lost | found of those with nothing to lose | false stops |"
    ]
    lines += ["|---|---|---|---|"]
    lines += [
        f"| {name} | {' | '.join(totals(report, stops))} |"
        for name, stops in rows
        if stops is not None
    ]
    return by_kind(report) + "\n\n" + "\n".join(lines) + "\n"
