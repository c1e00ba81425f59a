"""The kinds of questions: how each is asked and how its answers are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from ttrl.answers.extract import extract_answer
from ttrl.answers.key import SPELLING_LIMIT, answer_key
from ttrl.errors import ConfigError
from ttrl.types import AnswerKey, Completion, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class MathTask:
    """Questions with one short answer, asked for in a box."""

    name: str = "math"
    instruction: str = r"Please reason step by step, and put your final answer within \boxed{}."

    def extract(self, completion: Completion) -> str | None:
        return extract_answer(completion.text, truncated=completion.finish_reason == "length")

    def key(self, answer: str) -> AnswerKey | None:
        if len(answer) > SPELLING_LIMIT:
            return answer_key(answer)
        return _remembered_key(answer)


TASKS: dict[str, Callable[[], Task]] = {"math": MathTask}


def get_task(name: str) -> Task:
    """The task of that name.

    Raises:
        ConfigError: there is none.
    """
    if name not in TASKS:
        known = ", ".join(sorted(TASKS))
        raise ConfigError(f"task={name!r} is not known. Choose one of: {known}.")
    return TASKS[name]()


@lru_cache(maxsize=50_000)
def _remembered_key(answer: str) -> AnswerKey | None:
    """Answers repeat across completions and steps. Long ones stay out: the cache counts entries."""
    return answer_key(answer)
