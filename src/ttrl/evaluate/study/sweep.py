"""What a sweep found: each point pooled over its seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ttrl.evaluate.pooling import Pooled, pooled_mean
from ttrl.evaluate.report.estimates import Sentence
from ttrl.evaluate.report.quantities import number, percent
from ttrl.evaluate.statistics import mean
from ttrl.evaluate.study.arms import Arm, ahead, common, outcome, read_arm
from ttrl.evaluate.study.evidence import TRAINED, points, tone_of
from ttrl.evaluate.study.layout import point_path

HELD_OUT = "heldout"


@dataclass(frozen=True, slots=True, kw_only=True)
class PointResult:
    """One row. Shares in [0, 1]; None where labels are missing."""

    arm: Arm
    samples: int | None
    before: Pooled | None
    after: Pooled | None
    gain: Pooled | None
    held_out_gain: Pooled | None
    majority_ratio: float
    entropy: float
    no_answer: float


def read_points(sweep: Path, names: Sequence[str], seeds: Sequence[int]) -> list[PointResult]:
    """Points of which at least one run has ended, in their order."""
    arms = [
        read_arm(name, {seed: point_path(sweep, name, seed) for seed in seeds}) for name in names
    ]
    return [_result(arm) for arm in arms if arm is not None]


def findings(found: Sequence[PointResult]) -> list[Sentence]:
    """Best against worst, and what fell."""
    sentences = []
    labeled = [(row, row.after) for row in found if row.after is not None]
    if not labeled:
        text = "Which point is best needs labels: agreement says nothing of being right."
        return [Sentence(text=text, tone="unknown")]
    best, worst = (
        choose(labeled, key=lambda pair: pair[1].value)[0] for choose in (max, min)
    )  # fmt: skip
    first, second = outcome(best.arm, TRAINED), outcome(worst.arm, TRAINED)
    if first is not None and second is not None and best is not worst:
        text = (
            f"{best.arm.name} ends highest ({percent(first.after.mean())}), {worst.arm.name} lowest"
        )
        text += f" ({percent(second.after.mean())})"
        apart = ahead(first, second)
        pair = common(first, second)
        if apart is not None and pair is not None and pair[0].questions == first.questions:
            text += (
                f": {points(apart)}. Chosen after the fact, so the first looks better than it is"
            )
        else:
            text += "; their questions differ, so they cannot be compared"
        sentences.append(Sentence(text=text + ".", tone="unclear"))
    for row in found:
        if row.gain is not None and tone_of(row.gain) == "fell":
            text = f"{row.arm.name} ends below the base: {points(row.gain)}."
            sentences.append(Sentence(text=text, tone="fell"))
    rose = [row for row in found if row.gain is not None and tone_of(row.gain) == "rose"]
    text = f"{len(rose)} of {len(labeled)} points rise clearly above the base."
    sentences.append(Sentence(text=text, tone="rose" if len(rose) == len(labeled) else "unclear"))
    return sentences


def _result(arm: Arm) -> PointResult:
    trained = outcome(arm, TRAINED)
    held = outcome(arm, HELD_OUT) if HELD_OUT in arm.sets() else None
    finals = arm.metrics(TRAINED, "final")

    def over_seeds(key: str) -> float:
        return mean([number(metrics, key) or 0.0 for metrics in finals])

    return PointResult(
        arm=arm,
        samples=trained.samples if trained else None,
        before=pooled_mean(trained.before) if trained else None,
        after=pooled_mean(trained.after) if trained else None,
        gain=pooled_mean(trained.gain) if trained else None,
        held_out_gain=pooled_mean(held.gain) if held else None,
        majority_ratio=over_seeds("majority_ratio"),
        entropy=over_seeds("entropy"),
        no_answer=over_seeds("no_answer_rate"),
    )
