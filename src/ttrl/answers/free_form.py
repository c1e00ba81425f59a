"""Tasks whose answers are more or less similar: texts, and Python programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from ttrl.answers.base import KeyedTask
from ttrl.answers.extract import strip_reasoning
from ttrl.answers.label import label_key
from ttrl.types import AnswerKey, Completion, Question, TextMeasure

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ttrl.similarity.code import Program


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTask(KeyedTask):
    """Free text. The whole completion is the answer, similar to others by ROUGE.

    It abstains if it was cut, or is empty, too short, a copy of the question or a loop: such texts resemble
    each other most and would win every vote.
    """

    name: str = "text"
    instruction: str = "Please answer in a few sentences."
    measure: TextMeasure = "rouge-l"
    prompt: str = ""

    def for_question(self, question: Question) -> TextTask:
        return replace(self, prompt=question.prompt)

    def extract(self, completion: Completion) -> str | None:
        from ttrl.similarity.degenerate import degenerate

        if completion.finish_reason == "length":
            return None
        text = strip_reasoning(completion.text).strip()
        return None if degenerate(text, prompt=self.prompt) else text

    def key(self, answer: str) -> AnswerKey | None:
        return label_key(answer)

    def similarities(self, answers: Sequence[str]) -> NDArray[np.float64]:
        from ttrl.similarity.text import text_similarity

        return text_similarity(answers, measure=self.measure)


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeTask(KeyedTask):
    """Python programs, parsed and never run. Equal up to names, else similar by syntax tree.

    A completion without a program that parses abstains, and so does one that gives back the stub in the
    question.
    """

    name: str = "code"
    instruction: str = "Write the complete program in one ```python code block."
    stub: AnswerKey | None = None

    def for_question(self, question: Question) -> CodeTask:
        return replace(self, stub=self.key(question.prompt))

    def extract(self, completion: Completion) -> str | None:
        from ttrl.similarity.code_blocks import extract_program

        source = extract_program(
            strip_reasoning(completion.text), truncated=completion.finish_reason == "length"
        )
        if source is None or (self.stub is not None and self.key(source) == self.stub):
            return None
        return source

    def key(self, answer: str) -> AnswerKey | None:
        program = _read(answer)
        return None if program is None else program.key

    def similarities(self, answers: Sequence[str]) -> NDArray[np.float64]:
        from ttrl.similarity.code import code_similarity

        return code_similarity([program for a in answers if (program := _read(a)) is not None])


@lru_cache(maxsize=512)
def _read(source: str) -> Program | None:
    from ttrl.similarity.code import read_program

    return read_program(source)
