"""The votes on each trained question through the steps, small enough to be embedded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ttrl.evaluate.report.paired import count
from ttrl.evaluate.report.quantities import entries, number
from ttrl.evaluate.report.strings import Strings, line

TOP_CLASSES = 4

Visit = list[int]
"""[step, votes for others, without an answer, label, votes, label, votes, ...]: the elected class
first, then the largest. Labels are indices of the interned strings; an abstaining group has none."""


def visits_by_question(
    records: Sequence[Mapping[str, Any]], strings: Strings, *, ids: Sequence[str], most: int
) -> dict[str, tuple[list[Visit], int]]:
    """At most `most` visits of each question, evenly spaced with the first and the last.

    Returns:
        By question id: the visits, and how many there were.
    """
    wanted = set(ids)
    found: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        if record["question"] in wanted:
            found.setdefault(record["question"], []).append(record)
    return {
        id: ([_visit(record, strings) for record in _thinned(visits, most)], len(visits))
        for id, visits in found.items()
    }


def _visit(record: Mapping[str, Any], strings: Strings) -> Visit:
    counts = [count(value) for value in entries(record.get("counts"))]
    labels = entries(record.get("labels"))
    shown = list(zip(labels, counts, strict=False))[:TOP_CLASSES]
    rest = sum(counts) - sum(votes for _, votes in shown)
    pairs = [part for label, votes in shown for part in (strings.index(line(label)), votes)]
    return [int(number(record, "step") or 0), rest, count(record.get("abstained")), *pairs]


def _thinned(visits: Sequence[Mapping[str, Any]], most: int) -> list[Mapping[str, Any]]:
    if len(visits) <= most:
        return list(visits)
    last = len(visits) - 1
    kept = sorted({round(index * last / (most - 1)) for index in range(most)})
    return [visits[index] for index in kept]
