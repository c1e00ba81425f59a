"""Finds the question of a prompt, since TRL passes a rollout only the prompts and no other column."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ttrl.data.questions import ANSWER_COLUMNS, last_user_message, read_questions
from ttrl.data.tables import Table
from ttrl.errors import ConfigError, DataError
from ttrl.types import Question

PROMPT = "prompt"


def prompt_key(prompt: object) -> str:
    """Returns a text that is the same for equal prompts, be they texts or lists of chat messages."""
    return json.dumps(prompt, sort_keys=True, default=str)


def questions_of_dataset(
    dataset: Any, *, task: str, task_column: str | None = None, options_column: str | None = None
) -> dict[str, Question]:
    """Reads the questions of a map-style data set with a column "prompt", by `prompt_key`.

    Ids are those of a column id, question_id, ..., else the numbers of the rows. The text of a chat is that
    of the user's last message. Rows of the same prompt are one question, under the id of the first.

    Raises:
        DataError: no such column, a prompt without text, an id that occurs twice, or one prompt with two
            tasks or lists of options.
        ConfigError: a data set that cannot be looked at twice.
    """
    columns = getattr(dataset, "column_names", None)
    if columns is None or not hasattr(dataset, "__len__"):
        raise ConfigError(
            f"train_dataset is a {type(dataset).__name__}, wanted a map-style datasets.Dataset: each prompt "
            "has to be known beforehand. Use Dataset.from_list(list(...))."
        )
    if PROMPT not in columns:
        raise DataError(
            f"train_dataset has the columns {', '.join(columns)}, wanted {PROMPT!r}, as TRL does. Rename one."
        )
    kept = [column for column in columns if column not in labels_of(columns)]
    table = Table(
        name="train_dataset",
        rows=[{column: row[column] for column in kept} for row in dataset],
        columns=tuple(kept),
    )
    questions = read_questions(
        table,
        column=PROMPT,
        limit=None,
        task=task,
        task_column=task_column,
        options_column=options_column,
    )
    return by_prompt(questions, [row[PROMPT] for row in table.rows])


def by_prompt(questions: Sequence[Question], prompts: Sequence[object]) -> dict[str, Question]:
    """Maps the keys of prompts to their questions; where several share a prompt, to the first.

    Raises:
        DataError: questions with one prompt differ in what counts as an answer.
    """
    found: dict[str, Question] = {}
    for question, prompt in zip(questions, prompts, strict=True):
        first = found.setdefault(prompt_key(prompt), question)
        if (first.task, first.options) != (question.task, question.options):
            raise DataError(
                f"the questions {first.id!r} and {question.id!r} have the same prompt but another task or "
                "other options, and TRL tells them apart by the prompt alone. Change one of the prompts."
            )
    return found


def find_question(questions: Mapping[str, Question], prompt: Any) -> Question:
    """Finds the question of a prompt; where its data set is unknown (evaluation), makes one from the text."""
    key = prompt_key(prompt)
    if key in questions:
        return questions[key]
    text = last_user_message(prompt) if isinstance(prompt, list) else prompt
    text = text if isinstance(text, str) else ""
    return Question(id="prompt-" + hashlib.sha256(key.encode()).hexdigest()[:16], prompt=text)


def labels_of(columns: Sequence[str]) -> list[str]:
    """Returns the columns that are named like true answers."""
    return [column for column in columns if column.lower() in ANSWER_COLUMNS]
