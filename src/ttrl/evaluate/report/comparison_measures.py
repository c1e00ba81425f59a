"""What a group of runs reached on a set, with intervals over questions and seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ttrl.evaluate.pooling import pooled_mean
from ttrl.evaluate.report.comparison import Arm, set_metrics
from ttrl.evaluate.report.estimates import Estimate, estimate, in_order, sample_sizes
from ttrl.evaluate.report.paired import FEWEST_QUESTIONS
from ttrl.evaluate.report.quantities import number, plural
from ttrl.evaluate.report.records import QuestionKey, by_key, is_graded, share_right
from ttrl.evaluate.report.run_files import RunFiles
from ttrl.evaluate.statistics import mean

Shares = dict[QuestionKey, float]
"""Share of right completions by question."""

FEW = f"fewer than {FEWEST_QUESTIONS} questions support no interval"
"""Why there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One group on one set."""

    metric: str
    """'avg@16', or 'similarity' of free text and code."""
    before: Estimate | None
    after: Estimate | None
    change: Estimate | None
    """Of the same questions before and after, so its interval is paired; in shares, signed."""
    over: str
    """What the intervals speak of: 'questions', or 'questions and seeds'."""
    seeds: tuple[float, ...]
    """`after` of each run, in order."""
    changes: tuple[float, ...]
    """Change of each run that was measured before and after."""
    questions: int
    """How many every run has."""
    runs: tuple[tuple[str, Shares], ...] = ()
    """Seed and shares after training of each run that recorded single questions."""

    @property
    def keys(self) -> set[QuestionKey]:
        """The questions that all its runs were measured on after training."""
        return set(_common([shares for _, shares in self.runs]))

    @property
    def is_small(self) -> bool:
        """Whether there are too few questions for an interval."""
        return bool(self.runs) and 0 < self.questions < FEWEST_QUESTIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Of two groups on the same questions after training."""

    value: float
    """In shares."""
    interval: tuple[float, float] | None
    """Paired by question; None of too few questions."""
    over: str
    """What value and interval speak of."""
    chosen: str
    """The runs that were compared, where these are not all; empty text where they are."""


def sets_of(arms: Sequence[Arm]) -> list[str]:
    """Every set that some run was evaluated on, in the order of the report."""
    found: set[str] = set()
    for arm in arms:
        for run in arm.runs:
            sets = run.result.get("sets")
            found |= {str(name) for name in sets} if isinstance(sets, dict) else set()
            found |= {name for name, _ in run.evaluations}
    return in_order(found)


def measure(arm: Arm, name: str) -> Measure | None:
    """What the arm reached on a set, or None if nothing with labels was measured.

    From the records of single questions where they are there; else from result.json, whose figures
    can be told but not paired.
    """
    before = [shares_of(run, name, "base") for run in arm.runs]
    after = [shares_of(run, name, "final") for run in arm.runs]
    if not any(before) and not any(after):
        return _from_results(arm, name)
    both = [(early, late) for early, late in zip(before, after, strict=True) if early and late]
    return Measure(
        metric=f"avg@{_samples(arm, name)}",
        before=_mean([each for each in before if each], least=0.0),
        after=_mean([each for each in after if each], least=0.0),
        change=_mean([_changes(early, late) for early, late in both], least=-1.0),
        over="questions and seeds" if len(both) > 1 else "questions",
        seeds=tuple(mean(list(each.values())) for each in after if each),
        changes=tuple(mean(list(_changes(*pair).values())) for pair in both if _changes(*pair)),
        questions=len(_common([each for each in (*before, *after) if each])),
        runs=tuple(
            (str(run.result.get("seed")), shares)
            for run, shares in zip(arm.runs, after, strict=True)
            if shares
        ),
    )


def difference(first: Measure, second: Measure) -> Difference | None:
    """`second` - `first` after training; None for other questions.

    Runs of one seed are paired where both groups have it; with no seed in common, runs in order. If
    runs are left over, it is a difference of those that are paired and not of the groups.
    """
    if not first.keys or first.keys != second.keys:
        return None
    keys = _common([shares for _, shares in first.runs])
    early, late = dict(first.runs), dict(second.runs)
    shared = [seed for seed in early if seed in late]
    pairs = (
        [(early[seed], late[seed]) for seed in shared]
        if shared
        else [(a, b) for (_, a), (_, b) in zip(first.runs, second.runs, strict=False)]
    )
    pooled = pooled_mean([[b[key] - a[key] for key in keys] for a, b in pairs])
    chosen = ""
    if not len(pairs) == len(first.runs) == len(second.runs):
        first_ones = f"the first {plural(len(pairs), 'run')} of each"
        chosen = f"the runs of {_seeds(shared)}" if shared else first_ones
    return Difference(
        value=pooled.value,
        interval=(pooled.low, pooled.high) if len(keys) >= FEWEST_QUESTIONS else None,
        over=pooled.over,
        chosen=chosen,
    )


def shares_of(run: RunFiles, name: str, when: str) -> Shares:
    """By labeled question of an evaluation; empty if it recorded none."""
    records = by_key(run.evaluations.get((name, when), {}))
    return {key: share_right(record) for key, record in records.items() if is_graded(record)}


def _changes(early: Shares, late: Shares) -> Shares:
    return {key: late[key] - early[key] for key in early if key in late}


def _common(runs: Sequence[Shares]) -> list[QuestionKey]:
    """Questions that all runs have, in the order of the first."""
    return [key for key in runs[0] if all(key in run for run in runs)] if runs else []


def _mean(runs: Sequence[Shares], *, least: float) -> Estimate | None:
    """Over runs and questions; the interval ends where values can be no smaller or larger.

    Runs with few questions in common have a mean but no interval.
    """
    keys = _common(runs)
    if len(keys) >= FEWEST_QUESTIONS:
        pooled = pooled_mean([[run[key] for key in keys] for run in runs])
        return Estimate(
            value=pooled.value, interval=(max(least, pooled.low), min(1.0, pooled.high))
        )
    means = [mean([run[key] for key in keys or run]) for run in runs if run]
    return Estimate(value=mean(means), interval=None) if means else None


def _seeds(seeds: Sequence[str]) -> str:
    """'seed 0', 'seeds 0, 1 and 2'."""
    short = [seed[:20] for seed in seeds[:6]] + ["more"] * (len(seeds) > 6)
    if len(short) == 1:
        return f"seed {short[0]}"
    return f"seeds {', '.join(short[:-1])} and {short[-1]}"


def _samples(arm: Arm, name: str) -> str:
    """n, the completions of a question; 'n' itself where runs differ."""
    sizes = {
        max(sample_sizes(metrics, "avg"))
        for run in arm.runs
        for when in ("base", "final")
        if sample_sizes(metrics := set_metrics(run, name, when), "avg")
    }
    return str(sizes.pop()) if len(sizes) == 1 else "n"


def _from_results(arm: Arm, name: str) -> Measure | None:
    """One run keeps its recorded intervals; a mean over several has none."""
    pairs = [(set_metrics(run, name, "base"), set_metrics(run, name, "final")) for run in arm.runs]
    sizes = [set(sample_sizes(metrics, "avg")) for pair in pairs for metrics in pair if metrics]
    shared = set.intersection(*sizes) if sizes else set()
    metric = f"avg@{max(shared)}" if shared else "similarity"
    found = [(estimate(base, metric), estimate(final, metric)) for base, final in pairs]
    before = [early for early, _ in found if early is not None]
    after = [late for _, late in found if late is not None]
    if not before and not after:
        return None
    changes = [b.value - a.value for a, b in found if a is not None and b is not None]
    counts = [v for pair in pairs for m in pair if (v := number(m, "labeled")) is not None]
    return Measure(
        metric=metric,
        before=_joined(before),
        after=_joined(after),
        change=Estimate(value=mean(changes), interval=None) if changes else None,
        over="questions",
        seeds=tuple(each.value for each in after),
        changes=tuple(changes),
        questions=int(counts[0]) if counts else 0,
    )


def _joined(found: Sequence[Estimate]) -> Estimate | None:
    if len(found) <= 1:
        return found[0] if found else None
    return Estimate(value=mean([each.value for each in found]), interval=None)
