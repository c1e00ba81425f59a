"""Turns questions into prompts, by the model's chat template, the user's template, or a plain one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from ttrl.errors import ModelError
from ttrl.types import Question, Task

PLAIN_TEMPLATE = "Question: {question}\n{instruction}\nAnswer:"


class Tokenizer(Protocol):
    """The part of a Hugging Face tokenizer that prompts need."""

    chat_template: Any

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]: ...

    def apply_chat_template(self, conversation: Any, **options: Any) -> Any: ...


def user_message(question: Question, task: Task) -> str:
    """Returns the user's message in a chat: the question, then how to answer it."""
    return f"{question.prompt}\n{task.for_question(question).instruction}"


class Prompter:
    """Renders and encodes the prompts of one model and task, each question once.

    Args:
        template: a text with {question} and optionally {instruction}; None means the tokenizer's chat
            template with the question and the instruction as the user's message, or `PLAIN_TEMPLATE` if
            there is none.
        task: its instruction says how to answer.
    """

    def __init__(self, tokenizer: Tokenizer, *, template: str | None, task: Task) -> None:
        self._tokenizer = tokenizer
        self._template = template
        self._task = task
        self._texts: dict[Question, str] = {}
        self._encoded: dict[Question, tuple[int, ...]] = {}

    def prompt(self, question: Question) -> str | list[dict[str, str]]:
        """Returns the prompt for another engine's data set: a text, or a chat that the engine renders."""
        if self._is_chat:
            return [{"role": "user", "content": user_message(question, self._task)}]
        return self.render(question)

    def render(self, question: Question) -> str:
        """Returns the text of the prompt, including special tokens that the chat template writes."""
        if question not in self._texts:
            self._texts[question] = self._render(question)
        return self._texts[question]

    def _render(self, question: Question) -> str:
        if self._is_chat:
            return self._chat(user_message(question, self._task))
        instruction = self._task.for_question(question).instruction
        # replace() and not format(): questions are full of braces
        template = self._template or PLAIN_TEMPLATE
        text = template.replace("{instruction}", instruction)
        return text.replace("{question}", question.prompt)

    @property
    def _is_chat(self) -> bool:
        return self._template is None and bool(self._tokenizer.chat_template)

    def _chat(self, message: str) -> str:
        from jinja2 import TemplateError

        try:
            return str(
                self._tokenizer.apply_chat_template(
                    [{"role": "user", "content": message}],
                    tokenize=False,
                    add_generation_prompt=True,
                )
            )
        except (TemplateError, TypeError, ValueError) as error:
            raise ModelError(
                f"the model's chat template fails: {error}. Mend it, or give a --prompt-template."
            ) from None

    def encode(self, question: Question) -> tuple[int, ...]:
        """Returns token ids. Only prompts without a chat template get the tokenizer's special tokens."""
        if question not in self._encoded:
            text, special = self.render(question), not self._is_chat
            ids = self._tokenizer.encode(text, add_special_tokens=special)
            self._encoded[question] = tuple(ids)
        return self._encoded[question]

    def longest(self, questions: Iterable[Question]) -> int:
        """Returns the number of tokens of the longest prompt of these questions."""
        return max(len(self.encode(question)) for question in questions)
