"""What the runs of the rules study reached: one row for each arm on each base."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rules_arms import ARMS, TTRL, Arm

from ttrl.evaluation.report.outcome import (
    Outcome,
    paired_outcome,
    pass_rate,
    share_right,
    vote_value,
)
from ttrl.evaluation.report.reading import Run, read_run
from ttrl.evaluation.statistics import mean
from ttrl.interval import Interval

LAST = 10
"""Steps of the second figure of label accuracy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """A model that all arms start from."""

    name: str
    model: str
    peer: str | None
    """A sibling that votes beside it in the arms that need one, if there is one."""
    number: int
    """Its pretraining seed."""


def trial_path(out: Path, base: Base, arm: Arm, seed: int) -> Path:
    """Returns the folder of one run."""
    return out / base.name / f"{arm.name}-{seed}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The runs of one arm on one base, at least one."""

    arm: Arm
    runs: Sequence[Run]
    trained: Outcome
    """On the unlabeled questions."""
    held: Outcome
    """On the held-out questions."""

    @property
    def seeds(self) -> tuple[int | None, ...]:
        """Returns the seeds of the runs."""
        return self.trained.seeds

    @property
    def after(self) -> Interval:
        """Returns avg@n after training."""
        return self.trained.level("final")

    @property
    def each(self) -> list[float]:
        """Returns avg@n after training of each run."""
        return self.trained.run_means("final")

    @property
    def maj(self) -> Interval:
        """Returns maj@n after training."""
        return self.trained.level("final", vote_value)

    @property
    def passes(self) -> Interval:
        """Returns pass@k after training."""
        return self.trained.level("final", pass_rate(self.trained.largest_k))

    @property
    def above_vote(self) -> Interval:
        """Returns avg@n after training minus maj@n of the base."""
        found = self.trained.change(share_right, vote_value)
        assert found is not None  # the outcome is paired
        return found

    @property
    def gain(self) -> Interval:
        """Returns the change of avg@n."""
        found = self.trained.change()
        assert found is not None  # the outcome is paired
        return found

    @property
    def fates(self) -> tuple[float, float]:
        """Returns the numbers of votes gained and lost, means over runs."""
        found = self.trained.contingencies()
        return mean([each.gained for each in found]), mean([each.lost for each in found])

    @property
    def label_accuracy(self) -> tuple[float, float] | None:
        """Returns the share of right labels over all steps and in the last ten; None if unknown."""
        curves = [_values(run, "labels/label_accuracy") for run in self.runs]
        if not all(curves):
            return None
        return mean([mean(curve) for curve in curves]), mean([mean(c[-LAST:]) for c in curves])

    @property
    def tokens(self) -> float:
        """Returns the tokens sampled in training, the further votes' with them; a mean over runs."""
        return mean([_sum(run, lambda key: key in TOKENS) for run in self.runs])

    @property
    def seconds(self) -> float:
        """Returns wall clock of training, evaluations and start left out; a mean over runs."""
        return mean([_sum(run, lambda key: key.endswith("/seconds")) for run in self.runs])


TOKENS = frozenset({"sample/tokens", "sample/further_tokens"})
"""Metrics that add up to all tokens sampled in a step."""


def _values(run: Run, key: str) -> list[float]:
    return [float(record[key]) for record in run.records if _is_number(record.get(key))]


def _sum(run: Run, wanted: Callable[[str], bool]) -> float:
    return math.fsum(
        value
        for record in run.records
        for key, value in record.items()
        if wanted(key) and _is_number(value)
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def read_rows(out: Path, base: Base, seeds: Sequence[int]) -> dict[str, Row]:
    """Returns the rows of a base by arm, of those with a finished run."""
    found = {}
    for name, arm in ARMS.items():
        paths = [trial_path(out, base, arm, seed) for seed in seeds]
        runs = [read_run(path) for path in paths if (path / "result.json").exists()]
        trained, held = (paired_outcome(runs, each) for each in ("unlabeled", "heldout"))
        if trained is not None and held is not None:
            found[name] = Row(arm=arm, runs=runs, trained=trained, held=held)
    return found


def apart(rows: Mapping[str, Row], first: str, second: str = TTRL) -> Interval | None:
    """Returns avg@n of one arm minus another's, paired by question and seed; None if that cannot be."""
    if first == second or first not in rows or second not in rows:
        return None
    return rows[first].trained.apart(rows[second].trained)


def over_bases(found: Sequence[Interval | None]) -> Interval | None:
    """Returns the mean of the same difference on several bases, which are taken as they are.

    Runs on different bases are independent given the questions, so squared half-widths add:
    sqrt(sum h_b^2) / B. The shared questions make that somewhat too narrow, the largest half of a skewed
    interval somewhat too wide.
    """
    known = [each for each in found if each is not None and each.bounds is not None]
    if not known:
        return None
    if len(known) == 1:
        return known[0]
    halves = [max(e.value - e.bounds[0], e.bounds[1] - e.value) for e in known if e.bounds]
    value, reach = mean([each.value for each in known]), math.hypot(*halves) / len(known)
    return Interval(
        value=value,
        low=value - reach,
        high=value + reach,
        seeds=min(each.seeds for each in known),
        questions=known[0].questions,
    )
