"""Questions become prompts: the model's chat template, its own template, or a plain one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from ttrl.errors import ModelError
from ttrl.types import Question, Task

PLAIN_TEMPLATE = "Question: {question}\n{instruction}\nAnswer:"


class Tokenizer(Protocol):
    """What is needed of a Hugging Face tokenizer."""

    chat_template: Any

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]: ...

    def apply_chat_template(self, conversation: Any, **options: Any) -> Any: ...


def user_message(question: Question, task: Task) -> str:
    """What the user of a chat says: the question, then how its answer is wanted."""
    return f"{question.prompt}\n{task.for_question(question).instruction}"


class Prompter:
    """Renders and encodes the prompts of one model and task, each question once.

    Args:
        template: text with {question} and, if wanted, {instruction}; None takes the tokenizer's chat
            template with the question and the instruction as the user's message, or a plain form.
        task: says how it wants its answers.
    """

    def __init__(self, tokenizer: Tokenizer, *, template: str | None, task: Task) -> None:
        self._tokenizer = tokenizer
        self._template = template
        self._task = task
        self._texts: dict[Question, str] = {}
        self._encoded: dict[Question, tuple[int, ...]] = {}

    def prompt(self, question: Question) -> str | list[dict[str, str]]:
        """As data sets of other engines hold it: a text, or a chat that gets the model's template there."""
        if self._is_chat:
            return [{"role": "user", "content": user_message(question, self._task)}]
        return self.render(question)

    def render(self, question: Question) -> str:
        """The prompt's text, special tokens included where the chat template writes them."""
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
        """Token ids. A chat template writes its own special tokens; other prompts get the tokenizer's."""
        if question not in self._encoded:
            text, special = self.render(question), not self._is_chat
            ids = self._tokenizer.encode(text, add_special_tokens=special)
            self._encoded[question] = tuple(ids)
        return self._encoded[question]

    def longest(self, questions: Iterable[Question]) -> int:
        """Tokens of the longest prompt of these questions."""
        return max(len(self.encode(question)) for question in questions)
