"""The tables of a study: every arm on every set, pooled over seeds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ttrl.evaluate.estimators import LARGEST_K
from ttrl.evaluate.levels import natural_order
from ttrl.evaluate.pooling import Pooled, pooled_mean
from ttrl.evaluate.report.estimates import set_title
from ttrl.evaluate.report.quantities import number
from ttrl.evaluate.statistics import mean
from ttrl.evaluate.study.arms import pass_rates
from ttrl.evaluate.study.cells import gain_text, share_text
from ttrl.evaluate.study.evidence import Evidence
from ttrl.evaluate.study.layout import TITLES, ArmName


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmOnSet:
    """One row: shares in [0, 1], means over seeds and questions with 95 % intervals over both."""

    arm: ArmName
    set: str
    samples: int
    seeds: int
    questions: int
    before: Pooled
    after: Pooled
    gain: Pooled
    vote_before: Pooled
    vote_after: Pooled
    pass_key: str
    """Such as pass@16."""
    pass_before: float
    pass_after: float
    entropy_before: float
    entropy_after: float


def rows(evidence: Evidence) -> list[ArmOnSet]:
    """Sets in order, arms within them; only where answers can be marked right or wrong."""
    found = []
    for name in evidence.sets:
        for arm in evidence.arms:
            outcome = evidence.outcomes.get((arm, name))
            if outcome is None:
                continue
            k = min(LARGEST_K, outcome.samples)
            runs = evidence.arms[arm]
            entropy = {
                when: mean(
                    [number(metrics, "entropy") or 0.0 for metrics in runs.metrics(name, when)]
                )
                for when in ("base", "final")
            }
            found.append(
                ArmOnSet(
                    arm=arm,
                    set=name,
                    samples=outcome.samples,
                    seeds=outcome.after.shape[0],
                    questions=outcome.after.shape[1],
                    before=pooled_mean(outcome.before),
                    after=pooled_mean(outcome.after),
                    gain=pooled_mean(outcome.gain),
                    vote_before=pooled_mean(outcome.vote_before.astype(float)),
                    vote_after=pooled_mean(outcome.vote_after.astype(float)),
                    pass_key=f"pass@{k}",
                    pass_before=float(pass_rates(outcome.before, outcome.samples, k).mean()),
                    pass_after=float(pass_rates(outcome.after, outcome.samples, k).mean()),
                    entropy_before=entropy["base"],
                    entropy_after=entropy["final"],
                )
            )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelRow:
    """TTRL on the questions of one level; as in `ArmOnSet`."""

    set: str
    level: str
    questions: int
    before: Pooled
    after: Pooled
    gain: Pooled
    vote_before: float
    vote_after: float


def level_rows(evidence: Evidence) -> list[LevelRow]:
    """TTRL by set and level, in natural order; nothing of sets without levels."""
    found = []
    for name in evidence.sets:
        outcome = evidence.outcomes.get(("ttrl", name))
        if outcome is None:
            continue
        known = {level for level in outcome.levels if level is not None}
        for level in sorted(known, key=natural_order):
            at = np.array([each == level for each in outcome.levels])
            found.append(
                LevelRow(
                    set=name,
                    level=level,
                    questions=int(at.sum()),
                    before=pooled_mean(outcome.before[:, at]),
                    after=pooled_mean(outcome.after[:, at]),
                    gain=pooled_mean(outcome.gain[:, at]),
                    vote_before=float(outcome.vote_before[:, at].mean()),
                    vote_after=float(outcome.vote_after[:, at].mean()),
                )
            )
    return found


def markdown(found: list[ArmOnSet]) -> str:
    """A table for a README: percent, gains in points."""
    if not found:
        return ""
    n = found[0].samples
    lines = [
        f"| questions | reward | avg@{n} before → after | gain, points | maj@{n} before → after "
        f"| {found[0].pass_key} |",
        "|---|---|---|---|---|---|",
    ]
    for row in found:
        lines.append(
            f"| {set_title(row.set).removesuffix(' questions')} ({row.questions}) | {TITLES[row.arm]} "
            f"| {share_text(row.before.value)} → {share_text(row.after.value)} "
            f"| {gain_text(row.gain)} "
            f"| {share_text(row.vote_before.value)} → {share_text(row.vote_after.value)} "
            f"| {share_text(row.pass_before)} → {share_text(row.pass_after)} |"
        )
    return "\n".join(lines) + "\n"
