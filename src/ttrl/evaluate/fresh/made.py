"""What the makers of fresh questions return."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ttrl.evaluate.answer_key import AnswerSheet
from ttrl.types import Question


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeQuestions:
    """Questions that were made for this run, with their answers."""

    questions: tuple[Question, ...]
    answers: AnswerSheet
    note: str | None = None
    """How many could be made, and why no more."""


def same_text(prompt: str) -> str:
    """Prompts that differ only in case and white space have this in common."""
    return " ".join(prompt.casefold().split())


def texts_of(questions: Iterable[Question]) -> set[str]:
    """Of each question what trivially edited copies of it share."""
    return {same_text(question.prompt) for question in questions}
