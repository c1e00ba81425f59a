"""Scores a checkpoint without labels, from what it and the base answer to the same questions.

    score = (votes that equal the base's) x (own votes that equal each other), both as shares

While training gathers a model's votes on answers that it gave before, the second factor grows and the first
stays. A model that drifts to answers of its own making loses the first faster than it gains the second. The
first alone would choose the base, the second alone a collapsed model.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ttrl.types import Question, Task

Answers = tuple[tuple[str | None, ...], ...]
"""Answers as spelled, by question and completion; None abstains.   [questions, votes]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What the choice sees of one checkpoint. Shares are in [0, 1]."""

    base: float
    """Probability that a vote equals one of the base on the same question, mean over questions."""
    itself: float
    """Probability that two of its own votes on a question are equal, mean over questions."""

    @property
    def value(self) -> float:
        """Returns the product, in [0, 1]; the checkpoint with the largest is kept."""
        return self.base * self.itself


def score_of(
    answers: Answers, base: Answers, *, questions: Sequence[Question], task: Task
) -> Score:
    """Scores a checkpoint by its answers to these questions. An abstention equals nothing.

    Args:
        answers: at least two to each question.
        base: the base's own; None of its votes is compared with itself, where both are the same.
    """
    with_base, with_itself = [], []
    is_base = answers == base
    for question, own, others in zip(questions, answers, base, strict=True):
        keys = task.for_question(question).keys([*own, *others]).keys
        counts, of_base = (
            Counter(key for key in each if key is not None)
            for each in (keys[: len(own)], keys[len(own) :])
        )
        pairs = sum(count * (count - 1) for count in counts.values())
        with_itself.append(pairs / (len(own) * (len(own) - 1)))
        equal = sum(count * of_base[key] for key, count in counts.items())
        with_base.append(with_itself[-1] if is_base else equal / (len(own) * len(others)))
    among = max(1, len(questions))
    return Score(base=math.fsum(with_base) / among, itself=math.fsum(with_itself) / among)
