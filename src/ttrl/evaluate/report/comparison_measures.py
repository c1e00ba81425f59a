"""What a group of runs reached on a set: the mean over its seeds, with intervals over questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ttrl.evaluate.report.comparison import Arm, set_metrics
from ttrl.evaluate.report.comparison_fates import QuestionKey, questions_of, right_share
from ttrl.evaluate.report.estimates import Direction, Estimate, estimate, in_order, sample_sizes
from ttrl.evaluate.report.run_files import RunFiles
from ttrl.evaluate.statistics import bootstrap_interval, difference_interval, mean

SEED = 0
"""Of every bootstrap of a comparison, so that the same files give the same page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One group on one set."""

    metric: str
    """'avg@16', or 'similarity' of free text and code."""
    before: Estimate | None
    after: Estimate | None
    change: Estimate | None
    """Of the same questions before and after, so its interval is paired; in shares, signed."""
    seeds: tuple[float, ...]
    """`after` of each run, in order."""
    seed_changes: tuple[float, ...]
    """Change of each run that was measured before and after."""
    questions: int
    """How many the intervals are taken over."""
    shares: dict[QuestionKey, float]
    """Share of right completions after training by question, mean over the runs that have it."""


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
    before, after = (_shares(arm, name, when) for when in ("base", "final"))
    if not after and not before:
        return _from_results(arm, name)
    both = [key for key in before if key in after]
    change = None
    if both:
        early, late = [before[key] for key in both], [after[key] for key in both]
        change = Estimate(
            value=mean(late) - mean(early), interval=difference_interval(early, late, seed=SEED)
        )
    return Measure(
        metric=f"avg@{_samples(arm, name)}",
        before=_estimate(list(before.values())),
        after=_estimate(list(after.values())),
        change=change,
        seeds=tuple(
            mean(list(shares.values()))
            for run in arm.runs
            if (shares := _of_run(run, name, "final"))
        ),
        seed_changes=_changes(arm, name),
        questions=len(after or before),
        shares=after,
    )


def difference(first: Measure, second: Measure) -> Estimate | None:
    """`second` - `first` after training on the same questions, or None if they are not the same."""
    if not first.shares or first.shares.keys() != second.shares.keys():
        return None
    early = list(first.shares.values())
    late = [second.shares[key] for key in first.shares]
    return Estimate(
        value=mean(late) - mean(early), interval=difference_interval(early, late, seed=SEED)
    )


def seed_interval(first: Measure, second: Measure) -> tuple[float, float] | None:
    """95 % interval over seeds of the difference of two groups after training; None below two runs.

    Welch's: the runs of each group are draws of their own, with a variance of their own.
    """
    if min(len(first.seeds), len(second.seeds)) < 2:
        return None
    from scipy.stats import ttest_ind

    if len({*first.seeds}) == len({*second.seeds}) == 1:  # no variance to speak of
        return None
    test = ttest_ind(second.seeds, first.seeds, equal_var=False)
    interval = test.confidence_interval(0.95)
    return float(interval.low), float(interval.high)


def change_direction(each: Measure) -> Direction:
    """'rose' or 'fell' only if the interval over questions does and no run went the other way."""
    if each.change is None:
        return "unclear"
    judged = direction_of(each.change.interval)
    wanted = 1 if judged == "rose" else -1
    return judged if all(wanted * change > 0 for change in each.seed_changes) else "unclear"


def direction_of(*intervals: tuple[float, float] | None) -> Direction:
    """'rose' or 'fell' only if no interval of a difference reaches 0, and the first is known."""
    known = [each for each in intervals if each is not None]
    if not known or intervals[0] is None:
        return "unclear"
    if all(low > 0 for low, _ in known):
        return "rose"
    return "fell" if all(high < 0 for _, high in known) else "unclear"


def _shares(arm: Arm, name: str, when: str) -> dict[QuestionKey, float]:
    """By question, mean over the runs that have it."""
    found: dict[QuestionKey, list[float]] = {}
    for run in arm.runs:
        for key, share in _of_run(run, name, when).items():
            found.setdefault(key, []).append(share)
    return {key: mean(shares) for key, shares in found.items()}


def _of_run(run: RunFiles, name: str, when: str) -> dict[QuestionKey, float]:
    records = questions_of(run, name, when)
    return {
        key: share for key, record in records.items() if (share := right_share(record)) is not None
    }


def _changes(arm: Arm, name: str) -> tuple[float, ...]:
    found = []
    for run in arm.runs:
        before, after = _of_run(run, name, "base"), _of_run(run, name, "final")
        both = [key for key in before if key in after]
        if both:
            found.append(mean([after[key] - before[key] for key in both]))
    return tuple(found)


def _estimate(values: Sequence[float]) -> Estimate | None:
    if not values:
        return None
    return Estimate(value=mean(values), interval=bootstrap_interval(values, seed=SEED))


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
    before = [e for base, _ in pairs if (e := estimate(base, metric)) is not None]
    after = [e for _, final in pairs if (e := estimate(final, metric)) is not None]
    if not before and not after:
        return None
    first, last = _joined(before), _joined(after)
    change = None
    if first is not None and last is not None and len(before) == len(after):
        change = Estimate(value=last.value - first.value, interval=None)
    return Measure(
        metric=metric,
        before=first,
        after=last,
        change=change,
        seeds=tuple(each.value for each in after),
        seed_changes=tuple(
            late.value - early.value
            for base, final in pairs
            if (early := estimate(base, metric)) and (late := estimate(final, metric))
        ),
        questions=int(
            next((m["labeled"] for p in pairs for m in p if _is_count(m.get("labeled"))), 0)
        ),
        shares={},
    )


def _joined(found: Sequence[Estimate]) -> Estimate | None:
    if len(found) <= 1:
        return found[0] if found else None
    return Estimate(value=mean([each.value for each in found]), interval=None)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
