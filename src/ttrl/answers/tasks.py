"""Defines the tasks, or kinds of questions, by name, for a whole run or for each question of a file."""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, Self

from ttrl.answers.choice import choice_key, extract_choice, find_options, own_letter
from ttrl.answers.extract import extract_answer, strip_reasoning
from ttrl.answers.key import SPELLING_LIMIT, answer_key, number_in
from ttrl.answers.label import extract_label, label_key
from ttrl.answers.slow.path import read_slowly
from ttrl.errors import ConfigError
from ttrl.types import AnswerKey, Completion, KeyedAnswers, Question, Task, TextMeasure

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ttrl.answers.similar.code import Program
    from ttrl.config import RunConfig

UNREAD = "s"
"""First item of the key of an answer that looks like mathematics but is not understood by the fast reader."""
READ_LIMIT = 16
"""Most distinct answers of a group to read slowly, the most frequent first."""
KILL_LIMIT = 2
"""Killed readings after which the rest of a group stays unread: hostile groups have a bounded cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOptions:
    """Options for reading answers."""

    last_number: bool = False
    """Whether math and number use the last number of a text without a marked answer."""
    text_measure: TextMeasure = "rouge-l"


def get_task(name: str, options: TaskOptions | None = None) -> Task:
    """Returns the task of that name. A question that names its own task is read by that one.

    Raises:
        ConfigError: there is none.
    """
    if name not in TASKS:
        near = difflib.get_close_matches(name, TASKS, n=1, cutoff=0.5)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise ConfigError(f"task={name!r} is not known.{hint} Choose one of: {', '.join(TASKS)}.")
    return TASKS[name](reading=options or TaskOptions())


def make_task(config: RunConfig) -> Task:
    """Returns the task that `config.task` names, with its options as the config sets them."""
    options = TaskOptions(last_number=config.last_number, text_measure=config.text_measure)
    return get_task(config.task, options)


class KeyedTask(ABC):
    """A task whose answers are keyed one by one and are either equal or different."""

    __slots__ = ()

    @abstractmethod
    def key(self, answer: str) -> AnswerKey | None:
        """Returns the canonical key of a single answer, or None if it says nothing."""

    def keys(self, answers: Sequence[str | None]) -> KeyedAnswers:
        """Returns the keys of one group's answers; None abstains.   [G]"""
        return KeyedAnswers(keys=tuple(None if a is None else self.key(a) for a in answers))

    def similarities(self, answers: Sequence[str]) -> NDArray[np.float64] | None:
        """Returns None: there is nothing between equal and different."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _NamedTask(KeyedTask):
    """One of those in `TASKS`, which gives way to the one that a question names."""

    name: ClassVar[str]
    reading: TaskOptions = TaskOptions()

    def for_question(self, question: Question) -> _NamedTask:
        """Returns the task that the question names, or else this one, with what the question says for it."""
        if question.task is None or question.task == self.name:
            return self._with(question)
        return TASKS[question.task](reading=self.reading)._with(question)

    def _with(self, question: Question) -> Self:
        """Most tasks are the same for every question."""
        return self

    @property
    @abstractmethod
    def instruction(self) -> str:
        """What the question is followed by in prompts that have no format of their own."""

    @abstractmethod
    def extract(self, completion: Completion) -> str | None:
        """Returns the answer as it is spelled, or None if the completion abstains."""


# Short answers, equal or different: mathematics, numbers ---------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _ExactTask(_NamedTask):
    """Short answers in a box or after a mark."""

    def extract(self, completion: Completion) -> str | None:
        return extract_answer(
            completion.text,
            truncated=completion.finish_reason == "length",
            last_number=self.reading.last_number,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MathTask(_ExactTask):
    """Questions with one short mathematical answer, asked for in a box."""

    name = "math"
    instruction = r"Please reason step by step, and put your final answer within \boxed{}."

    def keys(self, answers: Sequence[str | None]) -> KeyedAnswers:
        """Gives each answer its fast key, then reads slowly what is left, the most frequent answers first."""
        keys = [None if answer is None else _fast_key(answer) for answer in answers]
        unread = Counter(key for key in keys if key is not None and key[0] == UNREAD)
        killed = 0
        read: dict[AnswerKey, AnswerKey] = {}
        ranked = sorted(unread, key=lambda key: (-unread[key], repr(key)))
        for key in ranked[:READ_LIMIT]:
            if killed == KILL_LIMIT:
                break
            reading = None if len(key) > 2 else read_slowly(str(key[1]))  # a long one is hashed
            if reading is None:
                continue
            if reading.killed:
                killed += 1
            elif (found := _key_of_reading(reading.spelling, reading.values)) is not None:
                read[key] = found
        keys = [None if key is None else read.get(key, key) for key in keys]
        left = sum(key is not None and key[0] == UNREAD for key in keys)
        return KeyedAnswers(keys=tuple(keys), unread=left, killed=killed)

    def key(self, answer: str) -> AnswerKey | None:
        return self.keys([answer]).keys[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberTask(_ExactTask):
    """Questions whose answer is a number: units, currencies and percent signs around it are dropped."""

    name = "number"
    instruction = (
        "Please reason step by step, and put your final answer, "
        r"a number without a unit, within \boxed{}."
    )

    def key(self, answer: str) -> AnswerKey | None:
        return number_in(_fast_key(answer), answer)


def _fast_key(answer: str) -> AnswerKey | None:
    return answer_key(answer) if len(answer) > SPELLING_LIMIT else _remembered_key(answer)


@lru_cache(maxsize=50_000)
def _remembered_key(answer: str) -> AnswerKey | None:
    """Answers repeat across completions and steps. Long ones stay out: the cache counts entries."""
    return answer_key(answer)


def _key_of_reading(spelling: str | None, values: Sequence[str] | None) -> AnswerKey | None:
    if spelling is not None:
        key = answer_key(spelling)
        if key is not None and key[0] not in (UNREAD, "t"):
            return key
    return None if values is None else ("v", *values)


# One of a fixed set: multiple choice, and labels of a classification -----------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceTask(_NamedTask):
    """Multiple choice. The options are those of the question, or found listed in its text."""

    name = "choice"
    instruction = r"Please reason step by step, and put the letter of your choice within \boxed{}."
    options: tuple[str, ...] = ()

    def _with(self, question: Question) -> Self:
        return replace(self, options=question.options or find_options(question.prompt))

    def extract(self, completion: Completion) -> str | None:
        order, options = completion.order, self.options
        if order:  # what is known of the options, as they were shown
            options = tuple(options[place] if options else "" for place in order)
        letter = extract_choice(
            completion.text, options=options, truncated=completion.finish_reason == "length"
        )
        return own_letter(letter, order, options) if letter and order else letter

    def key(self, answer: str) -> AnswerKey | None:
        return choice_key(answer, self.options)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelTask(_NamedTask):
    """Classification by a short label, one of those of the question where it lists them."""

    name = "label"
    labels: tuple[str, ...] = ()

    @property
    def instruction(self) -> str:
        among = f" It is one of: {', '.join(self.labels)}." if self.labels else ""
        return rf"Give the label that fits, within \boxed{{}}.{among}"

    def _with(self, question: Question) -> Self:
        return replace(self, labels=question.options)

    def extract(self, completion: Completion) -> str | None:
        return extract_label(
            completion.text, labels=self.labels, truncated=completion.finish_reason == "length"
        )

    def key(self, answer: str) -> AnswerKey | None:
        return label_key(answer)


# Answers that are more or less similar: texts, and Python programs -------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTask(_NamedTask):
    """Free text. The whole completion is the answer, similar to others by ROUGE.

    It abstains if it was cut, or is empty, too short, a copy of the question or a loop: such texts resemble
    each other most and would win every vote.
    """

    name = "text"
    instruction = "Please answer in a few sentences."
    prompt: str = ""

    def _with(self, question: Question) -> Self:
        return replace(self, prompt=question.prompt)

    def extract(self, completion: Completion) -> str | None:
        from ttrl.answers.similar.degenerate import degenerate

        if completion.finish_reason == "length":
            return None
        text = strip_reasoning(completion.text).strip()
        return None if degenerate(text, prompt=self.prompt) else text

    def key(self, answer: str) -> AnswerKey | None:
        return label_key(answer)

    def similarities(self, answers: Sequence[str]) -> NDArray[np.float64]:
        from ttrl.answers.similar.text import text_similarity

        return text_similarity(answers, measure=self.reading.text_measure)


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeTask(_NamedTask):
    """Python programs, parsed and never run. Equal up to names, else similar by syntax tree.

    A completion without a program that parses abstains, and so does one that gives back the stub in the
    question.
    """

    name = "code"
    instruction = "Write the complete program in one ```python code block."
    stub: AnswerKey | None = None

    def _with(self, question: Question) -> Self:
        return replace(self, stub=self.key(question.prompt))

    def extract(self, completion: Completion) -> str | None:
        from ttrl.answers.similar.code import extract_program

        source = extract_program(
            strip_reasoning(completion.text), truncated=completion.finish_reason == "length"
        )
        if source is None or (self.stub is not None and self.key(source) == self.stub):
            return None
        return source

    def key(self, answer: str) -> AnswerKey | None:
        program = _program(answer)
        return None if program is None else program.key

    def similarities(self, answers: Sequence[str]) -> NDArray[np.float64]:
        from ttrl.answers.similar.code import code_similarity

        return code_similarity([program for a in answers if (program := _program(a)) is not None])


@lru_cache(maxsize=512)
def _program(source: str) -> Program | None:
    from ttrl.answers.similar.code import read_program

    return read_program(source)


TASKS: dict[str, type[_NamedTask]] = {
    task.name: task for task in (MathTask, NumberTask, ChoiceTask, LabelTask, TextTask, CodeTask)
}
