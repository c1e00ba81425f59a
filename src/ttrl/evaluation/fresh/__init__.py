"""Questions made for this run, so that no model can have read them, with their answers."""

from __future__ import annotations

from dataclasses import dataclass

from ttrl.evaluation.answer_key import AnswerSheet
from ttrl.types import Question


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshQuestions:
    """The questions of one fresh set, their answers, and a note on how many there are."""

    questions: tuple[Question, ...]
    answers: AnswerSheet
    note: str | None = None
    """How many questions could be made, and why no more."""
