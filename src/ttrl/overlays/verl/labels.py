"""The last pseudo-label of each question, for the flip rate."""

from __future__ import annotations

from collections.abc import Sequence

from ttrl.consensus.summary import mean, vote_records
from ttrl.types import Metrics, ScoredGroup, Task


class LastLabels:
    """Remembers pseudo-labels from step to step. A resumed run starts without any."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._labels: dict[str, str | None] = {}

    def flips(self, scored: Sequence[ScoredGroup], *, step: int) -> Metrics:
        """`consensus/flip_rate`, absent where no question was seen before."""
        records = vote_records(scored, step=step, task=self._task, previous=self._labels)
        self._labels |= {record["question"]: record["label"] for record in records}
        flips = [float(r["flipped"]) for r in records if r["flipped"] is not None]
        return {"consensus/flip_rate": mean(flips)} if flips else {}
