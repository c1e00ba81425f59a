"""Tasks with a fixed set of answers: multiple choice, and labels of a classification."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ttrl.answers.base import KeyedTask
from ttrl.answers.choice import choice_key, extract_choice, find_options
from ttrl.answers.label import extract_label, label_key
from ttrl.types import AnswerKey, Completion, Question


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceTask(KeyedTask):
    """Multiple choice. The options are those of the question, or found listed in its text."""

    name: str = "choice"
    instruction: str = (
        r"Please reason step by step, and put the letter of your choice within \boxed{}."
    )
    options: tuple[str, ...] = ()

    def for_question(self, question: Question) -> ChoiceTask:
        return replace(self, options=question.options or find_options(question.prompt))

    def extract(self, completion: Completion) -> str | None:
        return extract_choice(
            completion.text,
            options=self.options,
            truncated=completion.finish_reason == "length",
        )

    def key(self, answer: str) -> AnswerKey | None:
        return choice_key(answer, self.options)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelTask(KeyedTask):
    """Classification by a short label, one of those of the question where it lists them."""

    name: str = "label"
    labels: tuple[str, ...] = ()

    @property
    def instruction(self) -> str:
        among = f" It is one of: {', '.join(self.labels)}." if self.labels else ""
        return rf"Give the label that fits, within \boxed{{}}.{among}"

    def for_question(self, question: Question) -> LabelTask:
        return replace(self, labels=question.options)

    def extract(self, completion: Completion) -> str | None:
        return extract_label(
            completion.text, labels=self.labels, truncated=completion.finish_reason == "length"
        )

    def key(self, answer: str) -> AnswerKey | None:
        return label_key(answer)
