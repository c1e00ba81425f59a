"""Equal completions of one question are computed once and count as often as they came."""

from __future__ import annotations

from collections import Counter

from ttrl.types import ScoredGroup, TrainingSample


def fold(scored: ScoredGroup) -> list[TrainingSample]:
    """The distinct (completion, reward) pairs of a group in the order of their first appearance.

    Equal completions share their log-probabilities, so one of them, weighted by their number, has exactly
    their summed gradient whatever the probability ratio. Rewards may differ (the random control).
    """
    completions = scored.group.completions
    first = {c.token_ids: c for c in reversed(completions)}
    counts = Counter(zip((c.token_ids for c in completions), scored.rewards, strict=True))
    return [
        TrainingSample(completion=first[ids], reward=reward, weight=float(count))
        for (ids, reward), count in counts.items()
    ]
