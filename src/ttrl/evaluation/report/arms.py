"""Runs that belong together, those of one setting under several seeds, and what they reached on a set."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ttrl.config import INVOCATION_KEYS
from ttrl.errors import CheckpointError
from ttrl.evaluation.report.outcome import Outcome, outcome
from ttrl.evaluation.report.plan import Plan, Role, run_path
from ttrl.evaluation.report.reading import Run, read_run
from ttrl.evaluation.report.text import in_order, scalar
from ttrl.evaluation.statistics import mean
from ttrl.interval import FEWEST_QUESTIONS, Interval
from ttrl.recording.evaluations import WHENS, SetMetrics, When
from ttrl.recording.question_record import QuestionKey

REWARD_ROLES: dict[str | None, Role] = {
    "answer-key": "upper bound",
    "random": "control",
    "format": "control",
}
"""By reward; every other one is a run."""
STRONG_INKS, QUIET_INKS = 6, 3
"""Colours of style.css: --arm-1 ... for what is compared, --control-1 ... for controls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """Runs that differ by their seed alone, drawn in one colour."""

    name: str
    role: Role = "run"
    runs: tuple[Run, ...]
    links: tuple[str, ...] = ()
    """Address of each run's own report, relative to the page; empty text where there is none."""

    @property
    def seeds(self) -> tuple[int | None, ...]:
        """Returns the seed of each run."""
        return tuple(run.result.seed for run in self.runs)

    @property
    def named_runs(self) -> list[tuple[str, str, Run]]:
        """Returns (name, link, run) of each run; a run without a name is named after its seed."""
        links = self.links + ("",) * (len(self.runs) - len(self.links))
        return [
            (run.result.name or f"{self.name}, seed {run.result.seed}", link, run)
            for link, run in zip(links, self.runs, strict=True)
        ]

    @property
    def shown_role(self) -> str:
        """Returns the role to show beside the arm's name, "upper bound" or "control"; else an empty text."""
        return self.role if self.role in ("upper bound", "control") else ""

    @property
    def sets(self) -> list[str]:
        """Sets that every run was evaluated on, in the order of the first one."""
        first = self.runs[0].result.metrics
        return [name for name in first if all(name in run.result.metrics for run in self.runs)]

    def metrics(self, name: str, when: When) -> list[SetMetrics]:
        """Returns the measures of a set in each run's result."""
        return [run.result.of(name, when) for run in self.runs]

    def average(self, key: str, name: str, when: When) -> float | None:
        """Returns the mean of a metric over the runs that have it; None if no run does."""
        found = [value for metrics in self.metrics(name, when) if (value := metrics.of(key))]
        return mean([each.value for each in found]) if found else None

    def from_to(self, key: str, name: str) -> tuple[float, float] | None:
        """Returns the mean of a metric before and after; None if either is unknown."""
        before, after = (self.average(key, name, when) for when in WHENS)
        return None if before is None or after is None else (before, after)


def inks(arms: Sequence[Arm]) -> list[tuple[str, bool]]:
    """Returns the colour of an arm (a custom property of the style sheet) and whether it is drawn dashed.

    Controls are drawn in quiet colours and dashed, everything else in strong ones, dashed where the
    colours have come round.
    """
    strong = quiet = 0
    found = []
    for arm in arms:
        if arm.role == "control":
            found.append((f"--control-{1 + quiet % QUIET_INKS}", True))
            quiet += 1
        else:
            found.append((f"--arm-{1 + strong % STRONG_INKS}", strong >= STRONG_INKS))
            strong += 1
    return found


def sets_of(arms: Sequence[Arm]) -> list[str]:
    """Returns every set that some run was evaluated on, in the order of the report."""
    return in_order({name for arm in arms for run in arm.runs for name in run.sets})


def arms_of(runs: Sequence[tuple[Run, str]]) -> tuple[Arm, ...]:
    """Groups runs that differ by their seed alone, in the order in which they were named.

    Args:
        runs: each with the address of its report (empty text if there is none).
    """
    groups: dict[str, list[tuple[Run, str]]] = {}
    for run, link in runs:
        groups.setdefault(_what_was_run(run), []).append((run, link))
    arms: dict[str, Arm] = {}
    for group in groups.values():
        members = tuple(run for run, _ in group)
        name, number = _name(members), 1
        candidate = name
        while candidate in arms:
            number += 1
            candidate = f"{name} ({number})"
        role = REWARD_ROLES.get(members[0].result.reward, "run")
        links = tuple(link for _, link in group)
        arms[candidate] = Arm(name=candidate, role=role, runs=members, links=links)
    return tuple(arms.values())


def _what_was_run(run: Run) -> str:
    """Equal for runs that differ by their seed alone: settings, inputs, and the version of ttrl."""
    settings = {k: v for k, v in run.settings.items() if k not in {"seed", *INVOCATION_KEYS}}
    version = run.result.ttrl_version or run.in_manifest("versions").get("ttrl")
    # A config that cannot be read is as good as another only if it is the same text.
    made_of = [settings if run.settings else run.config, dict(run.in_manifest("inputs")), version]
    return json.dumps(made_of, sort_keys=True)


def _name(runs: Sequence[Run]) -> str:
    """What the names of the runs share: 'grpo' for grpo-0 and grpo-1."""
    results = [run.result for run in runs]
    names = [each.name or (each.path.name if each.path else "run") for each in results]
    if len(names) == 1:
        return names[0]
    stems = {
        re.sub(rf"[-_. ]*(seed)?[-_. ]*{re.escape(str(each.seed))}$", "", name)
        for name, each in zip(names, results, strict=True)
    }
    return (stems.pop() if len(stems) == 1 else "") or results[0].algorithm or "runs"


def comparability(arms: Sequence[Arm]) -> tuple[str, ...]:
    """Returns what differs between the runs besides their settings and may explain a difference."""
    runs, notes = [run for arm in arms for run in arm.runs], []
    models = dict.fromkeys(
        (scalar(run.result.model), str(run.in_manifest("inputs").get("model") or "")[:12])
        for run in runs
    )
    if len(models) > 1:
        named = ", ".join(f"{name} (sha256 {hash})" if hash else name for name, hash in models)
        notes.append(f"The runs do not start from the same model: {named}.")
    for name in sets_of(arms):
        pairs = [[each for w in WHENS if (each := run.evaluation(name, w))] for run in runs]
        asked = [
            keys for pair in pairs if (keys := next((set(e.by_key) for e in pair[::-1]), None))
        ]
        if any(keys != asked[0] for keys in asked):
            shared = len(set.intersection(*asked))
            notes.append(
                f"The runs were not evaluated on the same questions of the set {name}: {shared} are in "
                "all of them."
            )
        heats = {e.temperature for pair in pairs for e in pair if e.temperature is not None}
        if len(heats) > 1:
            listed = ", ".join(f"{value:g}" for value in sorted(heats))
            notes.append(f"The set {name} was evaluated at different temperatures: {listed}.")
    if all(len(arm.runs) == 1 for arm in arms):
        notes.append("One seed each. The intervals are over questions; other seeds end elsewhere.")
    return tuple(notes)


def read_arm(plan: Plan, name: str, *, title: str = "", role: Role = "run") -> Arm | None:
    """Returns the runs of an arm or a point that have ended and can be read, by seed; None without any."""
    runs, links = [], []
    for seed in plan.seeds:
        path = run_path(plan.path, name, seed)
        if (run := _whole_run(path)) is not None:
            runs.append(replace(run, result=replace(run.result, seed=seed)))
            links.append(f"{path.relative_to(plan.path).as_posix()}/report.html")
    return (
        Arm(name=title or name, role=role, runs=tuple(runs), links=tuple(links)) if runs else None
    )


def missing(plan: Plan, arms: Sequence[Arm]) -> list[str]:
    """Names of the planned runs that did not end or cannot be read."""
    there = {run.result.path.name for arm in arms for run in arm.runs if run.result.path}
    return [name for name in plan.run_names() if name not in there]


def _whole_run(path: Path) -> Run | None:
    """The run, if it has ended and holds what a comparison reads."""
    try:
        run = read_run(path)
    except CheckpointError:
        return None
    for name in run.result.metrics:
        for when in WHENS:
            evaluation = run.evaluation(name, when)
            known = run.result.of(name, when).majority_ratio is not None
            if not known or evaluation is None or not evaluation.samples:
                return None
    return run if run.result.metrics else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """The measures of an arm on a set, with or without records of single questions."""

    arm: Arm
    set: str
    metric: str
    """'avg@16', or 'similarity' of free text and code."""
    before: Interval | None
    after: Interval | None
    change: Interval | None
    """Of the same questions before and after, so its interval is paired."""
    finals: Sequence[float]
    """`after` of each run, in order."""
    changes: Sequence[float]
    """Change of each run that was measured before and after."""
    questions: int
    """How many every run has."""
    outcome: Outcome | None = None
    """None without records of single questions."""

    @property
    def keys(self) -> frozenset[QuestionKey]:
        """Returns the questions that its runs can be compared on after training."""
        return frozenset(self.outcome.side("final").keys if self.outcome else ())

    @property
    def is_small(self) -> bool:
        """Returns whether there are too few questions for an interval."""
        return self.outcome is not None and 0 < self.questions < FEWEST_QUESTIONS


def measured_sets(arms: Sequence[Arm], *, uncut: bool = False) -> dict[str, list[Measure]]:
    """Returns the measures of the arms by set, as `measure` does; sets without any are left out."""
    measured = {name: [measure(arm, name, uncut=uncut) for arm in arms] for name in sets_of(arms)}
    found = {name: [each for each in groups if each] for name, groups in measured.items()}
    return {name: groups for name, groups in found.items() if groups}


def measure(arm: Arm, name: str, *, uncut: bool = False) -> Measure | None:
    """Returns the measures of an arm on a set, or None if nothing with labels was measured.

    From the records of single questions where they are there; else from result.json, whose figures
    cannot be paired.

    Args:
        uncut: the interval of the change may reach beyond 100 points, as in study.json and sweep.json.
    """
    found = outcome(arm.runs, name)
    if found is None:
        return _from_results(arm, name)
    ends, starts, change = found.side("final"), found.side("base"), found.change()
    if change is not None:
        change = change.supported if uncut else _within(-1.0, change)
    return Measure(
        arm=arm,
        set=name,
        metric=found.metric,
        before=_within(0.0, starts.level("base")) if any(found.before) else None,
        after=_within(0.0, ends.level("final")) if found.finished else None,
        change=change,
        finals=found.run_means("final"),
        changes=[mean(list(row)) for row in found.changes() if len(row)],
        questions=len(found.keys),
        outcome=found,
    )


def _within(least: float, found: Interval) -> Interval:
    """The interval ends where values can be no smaller or larger; of few questions it is none."""
    if (bounds := found.supported.bounds) is None:
        return found.supported
    return replace(found, low=max(least, bounds[0]), high=min(1.0, bounds[1]))


def _from_results(arm: Arm, name: str) -> Measure | None:
    """One run keeps its recorded intervals; a mean over several has none."""
    pairs = [[run.result.of(name, when) for when in WHENS] for run in arm.runs]
    sizes = [set(metrics.avg) for pair in pairs for metrics in pair if metrics]
    shared = set.intersection(*sizes) if sizes else set()
    metric = f"avg@{max(shared)}" if shared else "similarity"
    found = [(base.of(metric), final.of(metric)) for base, final in pairs]
    before = [early for early, _ in found if early is not None]
    after = [late for _, late in found if late is not None]
    if not before and not after:
        return None
    changes = [b.value - a.value for a, b in found if a is not None and b is not None]
    return Measure(
        arm=arm,
        set=name,
        metric=metric,
        before=_joined(before),
        after=_joined(after),
        change=Interval(value=mean(changes)) if changes else None,
        finals=[each.value for each in after],
        changes=changes,
        questions=next((m.labeled for pair in pairs for m in pair if m.labeled is not None), 0),
    )


def _joined(found: Sequence[Interval]) -> Interval | None:
    if len(found) <= 1:
        return found[0] if found else None
    return Interval(value=mean([each.value for each in found]))
