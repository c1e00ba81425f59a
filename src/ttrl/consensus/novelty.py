"""Rewards that rank completions of one side of the vote by how unlike the others they are written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ttrl.types import Consensus, Group

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Similarities = Callable[[Sequence[str]], "NDArray[np.float64]"]
"""Similarities of texts, in [0, 1].   [N, N]"""
ELECTED, OTHERS = (0.5, 1.0), (-1.0, -0.5)
"""The bands of rewards of completions with the elected answer, and with another one."""


def novel_rewards(
    group: Group, consensus: Consensus, *, similarities: Similarities
) -> tuple[float, ...]:
    """r_i in [0.5, 1] for the elected answer, [-1, -0.5] for any other, and -1 for none.   [M]

    The place in the band is the novelty of the completion, from the least to the largest of its band; the
    middle where all of a band are equally novel, as one alone is.

        novelty_i = 1 - (mean similarity to the others of its band + largest similarity to any other) / 2

    Source: EVOL-RL (arXiv:2509.15194). Deviations: similarities are those of words (`text_measure`), not of
    embeddings; the band of one completion, which is not described, gets its middle.
    """
    distinct = {text: row for row, text in enumerate({c.text: None for c in group.completions})}
    similar = similarities(list(distinct))
    rows = [distinct[completion.text] for completion in group.completions]
    full = similar[rows][:, rows]
    elected = [index is not None and index == consensus.winner for index in consensus.class_of]
    others = [index is not None and index != consensus.winner for index in consensus.class_of]
    rewards = [-1.0] * len(rows)
    for members, band in ((elected, ELECTED), (others, OTHERS)):
        places = [place for place, is_member in enumerate(members) if is_member]
        novelty = [_novelty(full, place, places) for place in places]
        for place, at in zip(places, _placed(novelty), strict=True):
            rewards[place] = band[0] + (band[1] - band[0]) * at
    return tuple(rewards)


def _novelty(similar: NDArray[np.float64], own: int, band: Sequence[int]) -> float:
    row = similar[own].copy()
    mates = [place for place in band if place != own]
    mean = float(row[mates].mean()) if mates else 0.0
    row[own] = 0.0
    return 1 - (mean + float(row.max())) / 2


def _placed(values: Sequence[float]) -> list[float]:
    """Places between the smallest and the largest value, in [0, 1].

    Rounded, for the mean of equal similarities depends on the order of adding.
    """
    values = [round(value, 12) for value in values]
    low, high = min(values, default=0.0), max(values, default=0.0)
    return [(value - low) / (high - low) if high > low else 0.5 for value in values]
