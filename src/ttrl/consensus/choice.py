"""Scores checkpoints without labels, from what each answered to the same questions.

The vote of all checkpoints stands in for the true answer. It is better than that of any single one where they
err differently, and it does not follow the last ones if these have learned one wrong answer each.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from ttrl.types import Question, Task

Answers = tuple[tuple[str | None, ...], ...]
"""Answers as spelled, by question and completion; None abstains.   [questions, votes]"""
Classes = tuple[tuple[int | None, ...], ...]
"""The same with a number for each answer, equal for equal answers to a question.   [questions, votes]"""


def classes_of(
    answers: Sequence[Answers], questions: Sequence[Question], task: Task
) -> list[Classes]:
    """Returns the classes of equal answers, across all checkpoints.   [checkpoints]

    Args:
        answers: of each checkpoint to these questions, in their order.
    """
    found: list[list[tuple[int | None, ...]]] = [[] for _ in answers]
    for place, question in enumerate(questions):
        given = [each[place] for each in answers]
        keyed = task.for_question(question).keys([answer for votes in given for answer in votes])
        numbers: dict[object, int] = {}
        keys = iter(keyed.keys)
        for classes, votes in zip(found, given, strict=True):
            here = [next(keys) for _ in votes]
            classes.append(
                tuple(None if k is None else numbers.setdefault(k, len(numbers)) for k in here)
            )
    return [tuple(each) for each in found]


def agreement_with_all(candidates: Sequence[Classes]) -> list[float]:
    """Returns each checkpoint's share of votes, in [0, 1], for the answer that all together elect.

    Each question weighs the same. Where two answers have equally many votes in all, the mean over them
    counts; a question on which every vote abstains counts as 0.   [checkpoints]
    """
    scores: list[list[float]] = [[] for _ in candidates]
    for of_question in zip(*candidates, strict=True):
        pool = Counter(c for votes in of_question for c in votes if c is not None)
        most = max(pool.values(), default=0)
        elected = [c for c, count in pool.items() if count == most]
        for score, votes in zip(scores, of_question, strict=True):
            agreeing = sum(c in elected for c in votes if c is not None)
            score.append(agreeing / len(votes) / max(1, len(elected)))
    return [math.fsum(each) / max(1, len(each)) for each in scores]


def best_of(scores: Sequence[float]) -> int:
    """Returns the place of the highest score; of equal ones the latest."""
    return max(range(len(scores)), key=lambda place: (scores[place], place))
