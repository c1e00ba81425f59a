"""The votes on each trained question through the steps, small enough to be embedded."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ttrl.evaluate.report.quantities import entries, number
from ttrl.evaluate.report.records import count
from ttrl.evaluate.report.strings import Strings, line

TOP_CLASSES = 4

Row = list[int]
"""[step, votes for others, without an answer, label, votes, label, votes, ...]: the elected class
first, then the largest. Labels are numbers of the interned strings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A line of votes.jsonl, cut to what is shown. A long run has very many."""

    step: int
    question: str
    labels: tuple[str, ...]
    """The elected one first, then those of the largest classes."""
    votes: tuple[int, ...]
    others: int
    abstained: int

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Visit:
        """Of a line that was read; what it lacks is empty."""
        counts = [count(value) for value in entries(record.get("counts"))]
        labels = tuple(line(label) for label in entries(record.get("labels"))[:TOP_CLASSES])
        shown = tuple(counts[: len(labels)])
        return cls(
            step=int(number(record, "step") or 0),
            question=str(record.get("question")),
            labels=labels[: len(shown)],
            votes=shown,
            others=sum(counts) - sum(shown),
            abstained=count(record.get("abstained")),
        )

    def as_row(self, strings: Strings) -> Row:
        """As the page has it."""
        pairs = zip(self.labels, self.votes, strict=True)
        told = [part for label, votes in pairs for part in (strings.index(label), votes)]
        return [self.step, self.others, self.abstained, *told]


def visits_by_question(
    visits: Sequence[Visit], strings: Strings, *, ids: Collection[str], most: int
) -> dict[str, tuple[list[Row], int]]:
    """At most `most` (2 or more) visits of each question, evenly spaced with first and last.

    Returns:
        By question id: the visits, and how many there were.
    """
    wanted = set(ids)
    found: dict[str, list[Visit]] = {}
    for visit in visits:
        if visit.question in wanted:
            found.setdefault(visit.question, []).append(visit)
    return {
        id: ([visit.as_row(strings) for visit in _thinned(all_of_it, most)], len(all_of_it))
        for id, all_of_it in found.items()
    }


def _thinned(visits: Sequence[Visit], most: int) -> Sequence[Visit]:
    if len(visits) <= most:
        return visits
    last = len(visits) - 1
    return [visits[at] for at in sorted({round(i * last / (most - 1)) for i in range(most)})]
