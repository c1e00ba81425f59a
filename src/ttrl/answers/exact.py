"""Tasks whose answers are equal or different: mathematics, numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from ttrl.answers.bare_numbers import number_in
from ttrl.answers.base import KeyedTask
from ttrl.answers.extract import extract_answer
from ttrl.answers.key import SPELLING_LIMIT, answer_key
from ttrl.answers.slow_path import read_slowly
from ttrl.types import AnswerKey, Completion, KeyedAnswers, Question

UNREAD = "s"
"""Kind of the key of an answer that looks like mathematics and that the fast reader does not understand."""
READ_LIMIT = 16
"""Distinct answers of a group that are read slowly, the most frequent first."""
KILL_LIMIT = 2
"""Killed readings after which the rest of a group stays unread: hostile groups have a bounded cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _ExactTask(KeyedTask):
    """Short answers in a box or after a mark."""

    last_number: bool = False

    def for_question(self, question: Question) -> Self:
        return self

    def extract(self, completion: Completion) -> str | None:
        return extract_answer(
            completion.text,
            truncated=completion.finish_reason == "length",
            last_number=self.last_number,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MathTask(_ExactTask):
    """Questions with one short mathematical answer, asked for in a box."""

    name: str = "math"
    instruction: str = r"Please reason step by step, and put your final answer within \boxed{}."

    def keys(self, answers: Sequence[str | None]) -> KeyedAnswers:
        """Fast keys, then slow ones for what is left, the most frequent answers first."""
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

    name: str = "number"
    instruction: str = (
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
