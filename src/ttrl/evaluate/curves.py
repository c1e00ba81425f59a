"""Accuracy against the number of completions: what one more answer, or one more vote, is worth."""

from __future__ import annotations

from collections.abc import Sequence

from ttrl.consensus.vote import tie_order
from ttrl.evaluate.estimators import maj_at_k, pass_at_k
from ttrl.evaluate.grading import Graded
from ttrl.evaluate.statistics import mean_interval
from ttrl.recording.evaluations import Curves


def curve_sizes(n: int) -> list[int]:
    """1, 2, 4, ... below n, and n."""
    return [1 << power for power in range((n - 1).bit_length())] + [n]


def curves(graded: Sequence[Graded], *, n: int, tie_seed: int, seed: int) -> Curves | None:
    """pass@k and maj@k, without bias from n completions, with 95 % intervals over questions.

    Over the labeled questions with exact answers; None without any. At k = 1 both are avg@n, and at
    k = n maj@k is that of the metrics.

    Args:
        n: completions of each question.
        tie_seed: that of the vote.
        seed: of the intervals.
    """
    exact = [(item, item.correct) for item in graded if item.correct is not None]
    if not exact:
        return None
    ks = curve_sizes(n)
    passes = [[pass_at_k(n, sum(correct), k) for k in ks] for _, correct in exact]
    votes = [_votes(item, ks, tie_seed=tie_seed) for item, _ in exact]
    series = [
        tuple(mean_interval(column, seed=seed) for column in zip(*rows, strict=True))
        for rows in (passes, votes)
    ]
    return Curves(ks=tuple(ks), passes=series[0], maj=series[1])


def _votes(item: Graded, ks: Sequence[int], *, tie_seed: int) -> list[float]:
    consensus = item.consensus
    if not item.right:
        return [0.0] * len(ks)
    order = tie_order(consensus.keys, question_id=item.group.question.id, tie_seed=tie_seed)
    counts = [consensus.counts[place] for place in order]
    right = [rank for rank, place in enumerate(order) if place in item.right]
    return maj_at_k(counts, right, consensus.abstained, ks)
