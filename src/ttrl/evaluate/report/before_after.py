"""The table of what was measured before and after training, one block of rows per set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ttrl.evaluate.report.estimates import (
    Direction,
    Estimate,
    direction,
    direction_of,
    estimate,
    heading,
    in_order,
    sample_sizes,
    short_span,
    signed_span,
)
from ttrl.evaluate.report.paired import Evaluations, Pairs, pairs
from ttrl.evaluate.report.quantities import NOTHING, mapping, number, percent, plain, signed

SHARES = {
    "consensus_similarity": "consensus, similarity to the true answer",
    "self_similarity": "similarity to each other",
    "majority_ratio": "majority ratio",
    "no_answer_rate": "no answer",
    "truncated_rate": "cut at the limit",
}
AMOUNTS = {"mean_tokens": ("mean length", "tokens"), "entropy": ("entropy", "nats per token")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Whisker:
    """An estimate on a line from 0 to 100."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One measurement as text."""

    value: str = NOTHING
    interval: str = ""
    whisker: Whisker | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One metric."""

    name: str
    unit: str
    before: Cell
    after: Cell
    change: str
    change_interval: str = ""
    """95 %, paired by question; empty where records of the questions do not tell it."""
    direction: Direction | None
    """None where there is no interval to judge by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetRows:
    """One question set."""

    title: str
    name: str
    """As in result.json."""
    conditions: str
    """How many questions, how many labels, how it was sampled."""
    accuracies: tuple[Row, ...]
    behaviour: tuple[Row, ...]

    @property
    def headline(self) -> Row | None:
        """The accuracy that stands for the set: the first, which is of one completion."""
        return next(iter(self.accuracies), None)


def before_after(result: Mapping[str, Any], evaluations: Evaluations) -> tuple[SetRows, ...]:
    """The table of a result; sets without any evaluation are left out.

    Records of questions, if there are any, allow paired intervals of the changes.
    """
    sets = {name: mapping(value) for name, value in mapping(result.get("sets")).items()}
    blocks = []
    for name in in_order(set(sets)):
        base, final = mapping(sets[name].get("base")), mapping(sets[name].get("final"))
        if base or final:
            blocks.append(set_rows(name, base, final, pairs(evaluations, name)))
    return tuple(blocks)


def set_rows(
    name: str, base: Mapping[str, Any], final: Mapping[str, Any], paired: Pairs
) -> SetRows:
    """The rows of one set: accuracies need labels, the rest does not."""
    accuracies = [
        _accuracy_row(f"{prefix}@{k}", base, final, paired)
        for prefix in ("avg", "maj", "pass")
        for k in sorted({*sample_sizes(base, prefix), *sample_sizes(final, prefix)})
    ]
    if number(base or final, "similarity") is not None:
        accuracies.append(_accuracy_row("similarity", base, final, paired))
    behaviour = [_share_row(key, label, base, final) for key, label in SHARES.items()]
    behaviour += [_amount_row(key, *words, base, final) for key, words in AMOUNTS.items()]
    return SetRows(
        title=heading(name),
        name=name,
        conditions=_conditions(base, final),
        accuracies=tuple(accuracies),
        behaviour=tuple(row for row in behaviour if row is not None),
    )


def _accuracy_row(
    name: str, base: Mapping[str, Any], final: Mapping[str, Any], paired: Pairs
) -> Row:
    before, after = estimate(base, name), estimate(final, name)
    change, judged, interval = "", None, ""
    if before is not None and after is not None:
        change = signed(100 * (after.value - before.value))
        gain = paired.change_of(name)
        if gain is not None:
            bounds = (gain.low, gain.high)
            judged, interval = direction_of(bounds), signed_span(bounds)
        elif before.interval is not None and after.interval is not None:
            judged = direction(before, after)
    return Row(
        name=name,
        unit="%",
        before=_accuracy_cell(before),
        after=_accuracy_cell(after),
        change=change,
        change_interval=interval,
        direction=judged,
    )


def _accuracy_cell(measured: Estimate | None) -> Cell:
    if measured is None:
        return Cell()
    low, high = measured.interval or (measured.value, measured.value)
    return Cell(
        value=percent(measured.value),
        interval=short_span(measured.interval) if measured.interval else "",
        whisker=Whisker(value=_in_range(measured.value), low=_in_range(low), high=_in_range(high)),
    )


def _in_range(share: float) -> float:
    return round(min(max(100 * share, 0.0), 100.0), 2)


def _share_row(
    key: str, label: str, base: Mapping[str, Any], final: Mapping[str, Any]
) -> Row | None:
    before, after = number(base, key), number(final, key)
    if before is None and after is None:
        return None
    return Row(
        name=label,
        unit="%",
        before=Cell() if before is None else Cell(value=percent(before)),
        after=Cell() if after is None else Cell(value=percent(after)),
        change="" if before is None or after is None else signed(100 * (after - before)),
        direction=None,
    )


def _amount_row(
    key: str, label: str, unit: str, base: Mapping[str, Any], final: Mapping[str, Any]
) -> Row | None:
    before, after = number(base, key), number(final, key)
    if before is None and after is None:
        return None
    digits = 4 if key == "entropy" else 1
    return Row(
        name=label,
        unit=unit,
        before=Cell() if before is None else Cell(value=f"{before:,.{digits}f}"),
        after=Cell() if after is None else Cell(value=f"{after:,.{digits}f}"),
        change="" if before is None or after is None else signed(after - before, digits),
        direction=None,
    )


def _conditions(base: Mapping[str, Any], final: Mapping[str, Any]) -> str:
    parts = []
    count, labeled = number(base or final, "questions"), number(base or final, "labeled")
    if count is not None:
        parts.append(f"{count:,.0f} questions")
    if count is not None and labeled is not None and labeled < count:
        parts.append(f"{labeled:,.0f} with a label" if labeled else "no labels")
    for key, label in (("temperature", "temperature"), ("top_p", "top-p")):
        used = [v for v in (number(base, key), number(final, key)) if v is not None]
        if used and used[0] == used[-1]:
            parts.append(f"{label} {plain(used[0])}")
        elif used:
            parts.append(f"{label} {plain(used[0])} before, {plain(used[-1])} after")
    return ", ".join(parts)
