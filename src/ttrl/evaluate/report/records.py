"""What one question's record in `evaluations/` says, whatever version wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ttrl.evaluate.report.quantities import entries, finite, mapping, number

Record = Mapping[str, Any]


def by_id(evaluation: Mapping[str, Any]) -> dict[str, Record]:
    """The records of an evaluation; what is no record is left out."""
    questions = [mapping(entry) for entry in entries(evaluation.get("questions"))]
    return {str(question.get("id")): question for question in questions if question}


def correct(record: Record) -> int:
    """Correct completions, never more than there are."""
    return min(count(record.get("correct")), completions(record))


def share_right(record: Record) -> float:
    """Of the completions; 0 without any."""
    total = completions(record)
    return correct(record) / total if total else 0.0


def vote_right(record: Record) -> bool | None:
    """Whether the elected class is right; None if unlabeled, or of free text or code.

    Files of older versions do not say it: there it is read off the elected label.
    """
    told = record.get("vote_right")
    if isinstance(told, bool):
        return told
    if finite(record.get("correct")) is None:
        return None
    elected = winner(record)
    return elected is not None and elected == record.get("right_class")


def winner(record: Record) -> int | None:
    """Index of the elected class among the recorded labels. In a tie it need not be the first."""
    labels, label = entries(record.get("labels")), record.get("pseudo_label")
    return labels.index(label) if label is not None and label in labels else None


def count(value: object) -> int:
    """A count that was read, 0 for what is none."""
    return max(0, int(finite(value) or 0))


def completions(record: Record) -> int:
    """Completions of the question, those without an answer included."""
    voted = sum(count(value) for value in entries(record.get("counts")))
    return voted + count(record.get("other")) + count(record.get("abstained"))


def is_graded(record: Record) -> bool:
    """Whether each completion is marked right or wrong."""
    return number(record, "correct") is not None
