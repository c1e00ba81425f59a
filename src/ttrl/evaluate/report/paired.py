"""One set before and after training, question by question: what pairing lets us say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ttrl.evaluate.estimators import pass_at_k
from ttrl.evaluate.memorisation import Gain
from ttrl.evaluate.pooling import pooled_difference
from ttrl.evaluate.report.records import (
    Record,
    by_id,
    completions,
    correct,
    is_graded,
    share_right,
    vote_right,
)
from ttrl.evaluate.statistics import Contingency, difference_interval, mean

Evaluations = Mapping[tuple[str, str], Mapping[str, Any]]

FEWEST_QUESTIONS = 10
"""Below it, questions that agree by chance make a bootstrap interval far too narrow."""
_SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """The labeled questions with exact answers that were asked before and after."""

    before: tuple[Record, ...]
    after: tuple[Record, ...]

    def __len__(self) -> int:
        return len(self.before)

    @property
    def samples(self) -> int:
        """Completions per question; 0 if they differ."""
        counts = {completions(record) for record in (*self.before, *self.after)}
        return counts.pop() if len(counts) == 1 else 0

    def at_level(self, level: str) -> Pairs:
        """Those of one level of difficulty."""
        kept = [at for at, record in enumerate(self.before) if record.get("level") == level]
        return Pairs(
            before=tuple(self.before[at] for at in kept), after=tuple(self.after[at] for at in kept)
        )

    def contingency(self) -> Contingency | None:
        """Gained, kept, lost, never; None where no vote was graded."""
        known = [
            (right_before, right_after)
            for early, late in zip(self.before, self.after, strict=True)
            if (right_before := vote_right(early)) is not None
            and (right_after := vote_right(late)) is not None
        ]
        if not known:
            return None
        return Contingency.of([early for early, _ in known], [late for _, late in known])

    def change(self, value: Callable[[Record], float]) -> Gain | None:
        """Mean change of a value per question, with the interval of the paired difference."""
        return self.apart(value, value)

    def apart(
        self, early: Callable[[Record], float], late: Callable[[Record], float]
    ) -> Gain | None:
        """As `change`, of two different values: `late` after training minus `early` before it."""
        if len(self) < FEWEST_QUESTIONS:
            return None
        before = [early(record) for record in self.before]
        after = [late(record) for record in self.after]
        low, high = difference_interval(before, after, seed=_SEED)
        return Gain(value=mean(after) - mean(before), low=low, high=high)

    def change_of(self, metric: str) -> Gain | None:
        """Change of 'avg@n', 'maj@n' or 'pass@k' as records tell it, else None."""
        prefix, _, size = metric.partition("@")
        k = int(size) if size.isascii() and size.isdigit() and len(size) < 5 else 0
        samples = self.samples
        if prefix == "avg" and 0 < k == samples:
            return self.change(share_right)
        if prefix == "maj" and 0 < k == samples:
            return self.change(vote_value)
        if prefix == "pass" and 0 < k <= samples:
            return self.change(lambda record: pass_at_k(samples, correct(record), k))
        return None


def vote_value(record: Record) -> float:
    """1 if the vote is right, else 0."""
    return float(vote_right(record) is True)


def pairs(evaluations: Evaluations, name: str) -> Pairs:
    """Pairs the questions of a set by id. Questions without a label on either side are left out."""
    base, final = (by_id(evaluations.get((name, when), {})) for when in ("base", "final"))
    shared = [id for id in base if id in final and is_graded(base[id]) and is_graded(final[id])]
    return Pairs(before=tuple(base[id] for id in shared), after=tuple(final[id] for id in shared))


def difference(trained: Pairs, other: Pairs) -> Gain | None:
    """Gain in the share of right completions on the trained questions, minus that on others."""
    if min(len(trained), len(other)) < FEWEST_QUESTIONS:
        return None
    apart = pooled_difference([_gains(trained)], [_gains(other)], seed=_SEED)
    return Gain(value=apart.value, low=apart.low, high=apart.high)


def _gains(of: Pairs) -> Sequence[float]:
    return [
        share_right(late) - share_right(early)
        for early, late in zip(of.before, of.after, strict=True)
    ]
