"""The kinds of questions by name, for a whole run or for each question of a file."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttrl.answers.exact import MathTask, NumberTask
from ttrl.answers.free_form import CodeTask, TextTask
from ttrl.answers.options import ChoiceTask, LabelTask
from ttrl.errors import ConfigError
from ttrl.types import AnswerKey, Completion, KeyedAnswers, Question, Task, TextMeasure

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ttrl.config import RunConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOptions:
    """What can be chosen about reading answers."""

    last_number: bool = False
    """Math and number: without a marked answer take the last number of the text."""
    text_measure: TextMeasure = "rouge-l"


TASKS: dict[str, Callable[[TaskOptions], Task]] = {
    "math": lambda o: MathTask(last_number=o.last_number),
    "number": lambda o: NumberTask(last_number=o.last_number),
    "choice": lambda o: ChoiceTask(),
    "label": lambda o: LabelTask(),
    "text": lambda o: TextTask(measure=o.text_measure),
    "code": lambda o: CodeTask(),
}


def get_task(name: str, options: TaskOptions | None = None) -> Task:
    """The task of that name. A question that names its own task is read by that one.

    Raises:
        ConfigError: there is none.
    """
    if name not in TASKS:
        near = difflib.get_close_matches(name, TASKS, n=1, cutoff=0.5)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise ConfigError(f"task={name!r} is not known.{hint} Choose one of: {', '.join(TASKS)}.")
    options = options or TaskOptions()
    return _TaskOfQuestion(default=TASKS[name](options), options=options)


def make_task(config: RunConfig) -> Task:
    """The task that `config.task` names, read as the config says."""
    options = TaskOptions(last_number=config.last_number, text_measure=config.text_measure)
    return get_task(config.task, options)


@dataclass(frozen=True, slots=True, kw_only=True)
class _TaskOfQuestion:
    """Reads by the run's task until a question says otherwise."""

    default: Task
    options: TaskOptions

    @property
    def name(self) -> str:
        return self.default.name

    @property
    def instruction(self) -> str:
        return self.default.instruction

    def for_question(self, question: Question) -> Task:
        named = self.default if question.task is None else TASKS[question.task](self.options)
        return named.for_question(question)

    def extract(self, completion: Completion) -> str | None:
        return self.default.extract(completion)

    def keys(self, answers: Sequence[str | None]) -> KeyedAnswers:
        return self.default.keys(answers)

    def key(self, answer: str) -> AnswerKey | None:
        return self.default.key(answer)

    def similarities(self, answers: Sequence[str]) -> NDArray[np.float64] | None:
        return self.default.similarities(answers)
