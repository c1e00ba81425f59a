"""What one question's record in `evaluations/` says, whatever version wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ttrl.evaluate.report.quantities import entries, finite, mapping, number
from ttrl.evaluate.statistics import Fate, fate

Record = Mapping[str, Any]
QuestionKey = tuple[str, str, str]
"""(id, prompt, true answer): what has to agree in two files for a question to be the same one."""


def by_id(evaluation: Mapping[str, Any]) -> dict[str, Record]:
    """The records of an evaluation; what is no record is left out."""
    return {str(record.get("id")): record for record in _records(evaluation)}


def by_key(evaluation: Mapping[str, Any]) -> dict[QuestionKey, Record]:
    """As `by_id`, for evaluations that need not be of the same questions."""
    keys = ("id", "prompt", "answer")
    return {
        tuple(str(record.get(key, "")) for key in keys): record  # type: ignore[misc]
        for record in _records(evaluation)
    }


def fate_of(before: Record | None, after: Record | None) -> Fate | None:
    """What became of the vote; None where it was not marked both before and after."""
    if before is None or after is None:
        return None
    early, late = vote_right(before), vote_right(after)
    return None if early is None or late is None else fate(early, late)


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


def _records(evaluation: Mapping[str, Any]) -> list[Record]:
    found = (mapping(entry) for entry in entries(evaluation.get("questions")))
    return [record for record in found if record]
