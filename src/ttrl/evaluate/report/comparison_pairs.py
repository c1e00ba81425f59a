"""Which groups differ after training, and how the numbers of a comparison are told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from ttrl.evaluate.report.comparison import Arm
from ttrl.evaluate.report.comparison_measures import Measure, difference, measure, sets_of
from ttrl.evaluate.report.estimates import Direction, direction_of, set_title
from ttrl.evaluate.report.quantities import NO_BREAK_SPACE

ALL_PAIRS_UP_TO = 4
"""Groups; more are compared with the first one alone."""
LEVEL = f"95{NO_BREAK_SPACE}%"

Measured = list[tuple[Arm, Measure]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two groups on the same questions after training."""

    lower: Arm
    higher: Arm
    value: float
    """Of `higher` minus `lower`, in shares."""
    interval: tuple[float, float] | None
    """None of too few questions."""
    over: str
    """What the interval speaks of."""
    chosen: str
    """The runs that were compared, where these are not all of both groups; else empty text."""

    @property
    def is_judged(self) -> bool:
        """Whether something can be said of the groups, be it that the difference is not clear."""
        return self.interval is not None and not self.chosen

    @property
    def tone(self) -> Direction:
        """A direction only where the interval of the groups does not reach 0."""
        return direction_of(self.interval) if self.is_judged else "unclear"


def measured_sets(arms: Sequence[Arm]) -> dict[str, Measured]:
    """By set, the groups that were measured on it; sets without any are left out."""
    found = {
        name: [(arm, each) for arm in arms if (each := measure(arm, name)) is not None]
        for name in sets_of(arms)
    }
    return {name: groups for name, groups in found.items() if groups}


def differences(groups: Measured) -> list[Pair]:
    """Of all pairs of groups, or of the first one with each other; those that can be paired."""
    if len(groups) <= ALL_PAIRS_UP_TO:
        chosen = list(combinations(groups, 2))
    else:
        chosen = [(groups[0], other) for other in groups[1:]]
    found = []
    for (first, before), (second, after) in chosen:
        between = difference(before, after)
        if between is None:
            continue
        turned, interval = between.value < 0, between.interval
        if turned and interval is not None:
            interval = (-interval[1], -interval[0])
        found.append(
            Pair(
                lower=second if turned else first,
                higher=first if turned else second,
                value=abs(between.value),
                interval=interval,
                over=between.over,
                chosen=between.chosen,
            )
        )
    return found


def questions_told(name: str, groups: Measured) -> str:
    """'512 unlabeled questions', or without the number where groups have different ones."""
    counts, title = {each.questions for _, each in groups}, set_title(name)
    if len(counts) != 1 or counts == {0}:
        return title
    count = counts.pop()
    return f"{count:,} {title.removesuffix('s') if count == 1 else title}"


def role_told(arm: Arm) -> str:
    """What has to stand next to the name of an arm that is not what is compared."""
    return arm.role if arm.role in ("upper bound", "control") else ""
