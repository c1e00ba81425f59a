"""Defines what an evaluation records about one question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ttrl.recording.forgiving import count, entries, finite, text, whole

QuestionKey = tuple[str, str, str]
"""(id, prompt, true answer): what has to agree in two files for a question to be the same one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionRecord:
    """One question of an evaluation: its votes, and how they stand to the true answer."""

    id: str
    prompt: str = ""
    level: str | None = None
    pseudo_label: str | None = None
    tied: bool = False
    counts: tuple[int, ...] = ()
    """Votes of the largest classes, the elected one first unless the vote was tied."""
    labels: tuple[str, ...] = ()
    """One spelling per class of `counts`."""
    other: int = 0
    """Votes of the classes that are not listed."""
    abstained: int = 0
    answer: str | None = None
    """The true answer, or None if unlabeled."""
    correct: int | None = None
    """Right completions; None if unlabeled, or if answers are free text or code."""
    vote_right: bool | None = None
    """Whether the elected class is right; None as in `correct`."""
    right_class: int | None = None
    """Index of the right class in `labels`; None if it is not among them."""
    example: str = ""
    """A completion of the elected class, cut to some thousand characters."""

    @property
    def key(self) -> QuestionKey:
        """Returns a key that is equal for two records of the same question."""
        return self.id, self.prompt, str(self.answer)

    @property
    def completions(self) -> int:
        """Completions of the question, those without an answer included."""
        return sum(self.counts) + self.other + self.abstained

    @property
    def share_right(self) -> float:
        """Returns right completions / all completions, in [0, 1]; 0 if unlabeled or without any."""
        return (self.correct or 0) / self.completions if self.completions else 0.0

    @property
    def winner(self) -> int | None:
        """Returns the index of the elected class in `labels`; in a tie it need not be the first."""
        label = self.pseudo_label
        return self.labels.index(label) if label is not None and label in self.labels else None

    def to_json(self) -> dict[str, Any]:
        """Returns the form in an evaluation file."""
        return {
            "id": self.id,
            "prompt": self.prompt,
            "level": self.level,
            "pseudo_label": self.pseudo_label,
            "tied": self.tied,
            "counts": list(self.counts),
            "labels": list(self.labels),
            "other": self.other,
            "abstained": self.abstained,
            "answer": self.answer,
            "correct": self.correct,
            "vote_right": self.vote_right,
            "right_class": self.right_class,
            "example": self.example,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> QuestionRecord:
        """Returns the record that an object holds. Right completions are never more than there are."""
        found = cls(
            id=str(value.get("id")),
            prompt=text(value.get("prompt")) or "",
            level=text(value.get("level")),
            pseudo_label=text(value.get("pseudo_label")),
            tied=value.get("tied") is True,
            counts=tuple(count(each) for each in entries(value.get("counts"))),
            labels=tuple(str(each) for each in entries(value.get("labels"))),
            other=count(value.get("other")),
            abstained=count(value.get("abstained")),
            answer=text(value.get("answer")),
            right_class=whole(value.get("right_class")),
            example=text(value.get("example")) or "",
        )
        if finite(value.get("correct")) is None:
            written = value.get("vote_right")
            return replace(found, vote_right=written if isinstance(written, bool) else None)
        return replace(
            found,
            correct=min(count(value.get("correct")), found.completions),
            vote_right=_vote_right(value, found),
        )


def _vote_right(value: Mapping[str, Any], record: QuestionRecord) -> bool:
    """Files of older versions lack it: there it is read off the elected label."""
    written = value.get("vote_right")
    if isinstance(written, bool):
        return written
    return record.winner is not None and record.winner == record.right_class
