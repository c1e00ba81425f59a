"""Advantages expected over redrawn votes, with one scale for the whole step."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from ttrl.consensus.marginal import marginal
from ttrl.errors import ConfigError
from ttrl.rl.advantage_rules.interface import Advantages
from ttrl.rl.folding import FoldedGroup
from ttrl.types import ScoredGroup

LACKING = "in no group do two completions differ in their chance to be elected"


def expected_scores(groups: Sequence[FoldedGroup]) -> list[Advantages]:
    """Lambda A_i, A_i the expected z-score of `ttrl.consensus.marginal`, whatever was elected.   [groups][S]

    An expectation is smaller than the z-scores that it is one of. One factor for the step gives back the
    scale of those of the rewards, whose standard deviation is the population's here:

        lambda = max(1, rms of the rewards' z-scores / rms of A)    over all trained completions of the step

    Source: GMAE (arXiv:2609.36750), with the deviations of `ttrl.consensus.marginal`.

    Raises:
        ConfigError: a vote on answers that are similar and not equal.
    """
    own = [_expected(group.scored) for group in groups]
    hard = [z for group in groups for z in _z_scores(group.scored)]
    size = _rms([a for of_group in own for a in of_group])
    scale = max(1.0, _rms(hard) / size) if size else 1.0
    found = []
    for group, of_group in zip(groups, own, strict=True):
        class_of = group.scored.consensus.class_of
        by_class = dict(zip((class_of[i] for i in group.scored.kept), of_group, strict=True))
        found.append(tuple(scale * by_class[index] for index in group.classes))
    return found


def has_contrast(scored: ScoredGroup) -> bool:
    """Returns whether two trained completions of a group differ in their chance to be elected."""
    return not scored.skipped and any(_expected(scored))


def _expected(scored: ScoredGroup) -> Advantages:
    if scored.consensus.centrality is not None:
        raise ConfigError(
            f"advantage=marginal, question {scored.group.question.id!r}: its answers are similar and not "
            "equal, so no vote on them can be redrawn. Use advantage normalized, or leave them out."
        )
    return marginal(scored.consensus, scored.kept).advantages


def _z_scores(scored: ScoredGroup) -> list[float]:
    rewards = [reward for _, reward in scored.trained]
    mean, std = statistics.fmean(rewards), statistics.pstdev(rewards)
    return [(reward - mean) / std if std else 0.0 for reward in rewards]


def _rms(values: Sequence[float]) -> float:
    return math.sqrt(math.fsum(v * v for v in values) / len(values)) if values else 0.0
