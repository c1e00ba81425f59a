"""Curves over the number of completions: how pass@k and maj@k grow with k, before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ttrl.evaluate.estimators import pass_at_k
from ttrl.evaluate.report.estimates import heading, in_order
from ttrl.evaluate.report.paired import Evaluations
from ttrl.evaluate.report.quantities import entries, finite, mapping, number, percent
from ttrl.evaluate.report.records import Record, by_id, completions, correct
from ttrl.evaluate.statistics import mean

_POWERS = tuple(2**exponent for exponent in range(11))
_LABELS = {"pass": "pass@k", "maj": "maj@k"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptLine:
    """One series over the k of its chart; None is a gap."""

    label: str
    when: str
    """'before' or 'after'."""
    values: tuple[float | None, ...]
    """In percent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptChart:
    """One set."""

    title: str
    ks: tuple[int, ...]
    lines: tuple[AttemptLine, ...]
    summary: str

    def as_json(self) -> dict[str, Any]:
        """What charts.js reads. Numbers and the words of this file, never a text of the model."""
        return {
            "ks": self.ks,
            "lines": [
                {"label": e.label, "before": e.when == "before", "values": e.values}
                for e in self.lines
            ],
        }


def attempt_charts(evaluations: Evaluations) -> tuple[AttemptChart, ...]:
    """A chart per labeled set with two different k.

    Files of older versions hold no curves: there pass@k is computed from their records, and maj@k,
    which these do not tell, is left out.
    """
    charts = []
    for name in in_order({name for name, _ in evaluations}):
        measured = {
            when: _measured(evaluations.get((name, when), {})) for when in ("base", "final")
        }
        ks = sorted({k for found in measured.values() for line in found.values() for k in line})
        lines = tuple(
            AttemptLine(
                label=f"{_LABELS[kind]} {when}",
                when=when,
                values=tuple(measured[side][kind].get(k) for k in ks),
            )
            for kind in ("pass", "maj")
            for side, when in (("base", "before"), ("final", "after"))
            if measured[side].get(kind)
        )
        if len(ks) > 1 and lines:
            charts.append(
                AttemptChart(
                    title=heading(name), ks=tuple(ks), lines=lines, summary=_summary(ks, lines)
                )
            )
    return tuple(charts)


def _measured(evaluation: Mapping[str, Any]) -> dict[str, dict[int, float]]:
    """By 'pass' and 'maj': percent by k."""
    curves = mapping(evaluation.get("curves"))
    ks = [finite(k) for k in entries(curves.get("k"))]
    found = {
        kind: {
            int(k): round(100 * share, 2)
            for k, value in zip(ks, entries(curves.get(kind)), strict=False)
            if k is not None and k >= 1 and (share := finite(value)) is not None
        }
        for kind in ("pass", "maj")
    }
    return found if any(found.values()) else _from_records(list(by_id(evaluation).values()))


def _from_records(records: Sequence[Record]) -> dict[str, dict[int, float]]:
    graded = [record for record in records if number(record, "correct") is not None]
    sizes = {completions(record) for record in graded}
    samples = sizes.pop() if len(sizes) == 1 else 0
    powers = [k for k in _POWERS if k <= samples]
    return {
        "pass": {
            k: round(100 * mean([pass_at_k(samples, correct(r), k) for r in graded]), 2)
            for k in powers
        }
    }


def _summary(ks: Sequence[int], lines: Sequence[AttemptLine]) -> str:
    """Values at the largest k, before and after."""
    parts = []
    for label in _LABELS.values():
        last = [
            value
            for when in ("before", "after")
            for line in lines
            if line.label == f"{label} {when}" and (value := line.values[-1]) is not None
        ]
        if len(last) == 2:
            told = label.replace("k", str(ks[-1]))
            parts.append(f"{told} {percent(last[0] / 100)} to {percent(last[1] / 100)}")
    return "; ".join(parts)
