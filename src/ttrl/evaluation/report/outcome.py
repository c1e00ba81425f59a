"""Holds the outcome of runs on a question set, [S, Q], and estimates changes with their intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ttrl.evaluation.estimators import LARGEST_K, pass_at_k
from ttrl.evaluation.pooling import pooled_mean
from ttrl.evaluation.report.reading import Run
from ttrl.evaluation.statistics import Contingency, Fate, fate, mean
from ttrl.interval import Direction, Interval
from ttrl.recording.evaluations import When
from ttrl.recording.question_record import QuestionKey, QuestionRecord

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = NDArray[np.float64]

Marks = Mapping[QuestionKey, QuestionRecord]
"""The questions of one evaluation whose completions are marked right or wrong."""
Value = Callable[[QuestionRecord], float]


def share_right(record: QuestionRecord) -> float:
    """Returns the share of right completions."""
    return record.share_right


def vote_value(record: QuestionRecord) -> float:
    """Returns 1 if the vote is right, else 0."""
    return float(record.vote_right is True)


def pass_rate(k: int) -> Value:
    """Returns a function that estimates a question's pass@k without bias; at most at all completions."""

    def value(record: QuestionRecord) -> float:
        n = record.completions
        return pass_at_k(n, record.correct or 0, min(k, n)) if n else 0.0

    return value


def fate_of(before: QuestionRecord | None, after: QuestionRecord | None) -> Fate | None:
    """Returns the fate of the vote; None if it was not marked both before and after."""
    early = None if before is None else before.vote_right
    late = None if after is None else after.vote_right
    return None if early is None or late is None else fate(early, late)


def tone_of(found: Interval | None) -> Direction:
    """Returns the tone of a change: clearly above 0, clearly below, or neither."""
    return "unclear" if found is None else found.supported.direction


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The labeled questions with exact answers of an arm's runs on one set, before and after training."""

    seeds: tuple[int | None, ...]
    """Seeds of the runs, in their order.   [S]"""
    before: tuple[Marks, ...]
    """Marks before training; empty for a run without that evaluation.   [S]"""
    after: tuple[Marks, ...]
    """Marks after training, likewise.   [S]"""
    keys: tuple[QuestionKey, ...]
    """The questions that every evaluation of them has, in the order of the first one.   [Q]"""

    @property
    def is_paired(self) -> bool:
        """Returns whether every run was evaluated before and after, with questions in common."""
        return bool(self.keys) and all(self.before) and all(self.after)

    @property
    def finished(self) -> list[int]:
        """Returns the rows of the runs that were evaluated after training."""
        return [row for row, marks in enumerate(self.after) if marks]

    @property
    def records(self) -> list[QuestionRecord]:
        """Returns one record of each question, from the first evaluation that exists."""
        first = next(marks for marks in (*self.before, *self.after) if marks)
        return [first[key] for key in self.keys]

    @property
    def samples(self) -> int:
        """Completions per question; 0 if they differ."""
        known = [marks for marks in (*self.before, *self.after) if marks]
        sizes = {marks[key].completions for marks in known for key in self.keys}
        return sizes.pop() if len(sizes) == 1 else 0

    @property
    def metric(self) -> str:
        """Returns the name of avg@n, the share of right ones among all completions."""
        return f"avg@{self.samples or 'n'}"

    @property
    def largest_k(self) -> int:
        """Returns the k of the reported pass@k."""
        return max(1, min(LARGEST_K, self.samples))

    def side(self, when: When) -> Outcome:
        """Returns one evaluation alone, with the questions that all runs have in it."""
        nothing: tuple[Marks, ...] = ({},) * len(self.seeds)
        sides = (self.before, nothing) if when == "base" else (nothing, self.after)
        return _of(self.seeds, *sides)

    def table(self, when: When, value: Value = share_right) -> Values:
        """Returns the values of the runs that were evaluated then.   [S, Q]"""
        rows = [marks for marks in (self.before if when == "base" else self.after) if marks]
        values = [[value(marks[key]) for key in self.keys] for marks in rows]
        return np.array(values, dtype=np.float64).reshape(len(rows), len(self.keys))

    def changes(self, late: Value = share_right, early: Value | None = None) -> Values:
        """Returns `late` after training minus `early` (the same if not given) before it.   [S, Q]

        Only runs that were evaluated both times have a row.
        """
        both = self.cut([row for row in self.finished if self.before[row]])
        found: Values = both.table("final", late) - both.table("base", early or late)
        return found

    def level(self, when: When, value: Value = share_right) -> Interval:
        """Returns the mean over runs and questions, of an evaluation that was made.

        Runs without a question in common have one without an interval.
        """
        rows = self.table(when, value)
        if rows.size:
            return pooled_mean(rows)
        each = self.run_means(when)
        return Interval(value=mean(each), seeds=len(each), questions=0)

    def run_means(self, when: When) -> list[float]:
        """Returns the share of right completions of each run evaluated then, over all its questions."""
        sides = self.before if when == "base" else self.after
        return [mean([r.share_right for r in marks.values()]) for marks in sides if marks]

    def change(self, late: Value = share_right, early: Value | None = None) -> Interval | None:
        """Returns the mean of `changes`, paired by question; None if there are none."""
        rows = self.changes(late, early)
        return pooled_mean(rows) if rows.size else None

    def change_of(self, metric: str) -> Interval | None:
        """Returns the change of 'avg@n', 'maj@n' or 'pass@k' if the records have it, else None."""
        prefix, _, size = metric.partition("@")
        k = int(size) if size.isascii() and size.isdigit() and len(size) < 5 else 0
        if prefix == "pass" and 0 < k <= self.samples:
            return self.change(pass_rate(k))
        values = {"avg": share_right, "maj": vote_value}
        return self.change(values[prefix]) if prefix in values and 0 < k == self.samples else None

    def contingencies(self) -> list[Contingency]:
        """Returns the fates of questions in each run that was evaluated both times."""
        both = self.cut([row for row in self.finished if self.before[row]])
        pairs = zip(both.table("base", vote_value), both.table("final", vote_value), strict=True)
        return [Contingency.of(list(early > 0), list(late > 0)) for early, late in pairs]

    def at_level(self, level: str) -> Outcome:
        """Returns the outcome on the questions of one level of difficulty."""
        return replace(self, keys=tuple(r.key for r in self.records if r.level == level))

    def cut(self, rows: Sequence[int], keys: Iterable[QuestionKey] | None = None) -> Outcome:
        """Returns the outcome of some runs on some questions."""
        seeds, before, after = (
            tuple(values[row] for row in rows) for values in (self.seeds, self.before, self.after)
        )
        known = self.keys if keys is None else tuple(keys)
        return Outcome(seeds=seeds, before=before, after=after, keys=known)  # type: ignore[arg-type]

    def shared_with(self, other: Outcome, *, in_order: bool = False) -> tuple[Outcome, Outcome]:
        """Returns both outcomes on the seeds and the questions that both have.

        Args:
            in_order: with no seed in common, their runs are paired in order.
        """
        own, others = ({o.seeds[row]: row for row in o.finished} for o in (self, other))
        pairs = [(own[seed], others[seed]) for seed in own if seed in others]
        if not pairs and in_order:
            pairs = list(zip(self.finished, other.finished, strict=False))
        known = set(other.keys)
        keys = [key for key in self.keys if key in known]
        return self.cut([row for row, _ in pairs], keys), other.cut([row for _, row in pairs], keys)

    def apart(self, other: Outcome) -> Interval | None:
        """Returns this outcome minus another after training, paired by question and by seed.

        None without a question or a seed that both have.
        """
        return difference(*self.shared_with(other))


def difference(first: Outcome, second: Outcome) -> Interval | None:
    """Returns the mean of `first` minus `second` after training, row by row of the same questions."""
    ours, theirs = first.table("final"), second.table("final")
    return pooled_mean(ours - theirs) if ours.size else None


def outcome(runs: Sequence[Run], name: str) -> Outcome | None:
    """Returns the outcome of runs on a set; None if nothing in it is marked right or wrong."""
    before, after = (tuple(_marks(run, name, when) for run in runs) for when in ("base", "final"))
    found = _of(tuple(run.result.seed for run in runs), before, after)
    return found if any(before) or any(after) else None


def _of(
    seeds: tuple[int | None, ...], before: tuple[Marks, ...], after: tuple[Marks, ...]
) -> Outcome:
    """With the questions that every evaluation has."""
    known = [marks for pair in zip(before, after, strict=True) for marks in pair if marks]
    keys = tuple(k for k in known[0] if all(k in marks for marks in known)) if known else ()
    return Outcome(seeds=seeds, before=before, after=after, keys=keys)


def paired_outcome(runs: Sequence[Run], name: str) -> Outcome | None:
    """Returns `outcome`, but None if a run lacks an evaluation or has no question in common."""
    found = outcome(runs, name)
    return found if found is not None and found.is_paired else None


def _marks(run: Run, name: str, when: When) -> dict[QuestionKey, QuestionRecord]:
    evaluation = run.evaluation(name, when)
    records = {} if evaluation is None else evaluation.by_key
    return {key: record for key, record in records.items() if record.correct is not None}
