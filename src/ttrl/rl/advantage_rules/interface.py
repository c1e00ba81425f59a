"""Defines how an algorithm with a group baseline turns the rewards of a step into advantages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ttrl.algorithm_settings import AdvantageName
from ttrl.rl.folding import FoldedGroup
from ttrl.types import ScoredGroup

Advantages = tuple[float, ...]
"""One for each sample of a group.   [S]"""
NOTHING_DIFFERS = "no group has two different rewards"


def differs(scored: ScoredGroup) -> bool:
    """Returns whether two trained completions of a group have different rewards."""
    return scored.differs


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvantageRule:
    """A function of the groups of a step, and when there is nothing to learn by it."""

    name: AdvantageName
    compare: Callable[[Sequence[FoldedGroup]], list[Advantages]]
    """Advantages of every group of a step, in the order of the groups and of their samples."""
    teaches: Callable[[ScoredGroup], bool] = differs
    """Whether a trained completion of the group may have an advantage other than 0. Groups that the reward
    rule leaves out never do."""
    lacking: str = NOTHING_DIFFERS
    """Why a step is skipped where no group teaches."""


def each(
    compare: Callable[[FoldedGroup], Advantages],
) -> Callable[[Sequence[FoldedGroup]], list[Advantages]]:
    """Makes a comparison of whole steps of one that looks at each group alone."""
    return lambda groups: [compare(group) for group in groups]
