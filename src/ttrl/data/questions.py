"""Reads questions from the rows of a table. Labels are never read here: see the label wall.

What identifies a question is decided only here, so that answers find their questions by the same rule.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import get_args

from ttrl.answers.choice import find_options
from ttrl.data.tables import Table
from ttrl.errors import ConfigError, DataError
from ttrl.seeding import derive_seed
from ttrl.types import LISTED_TASKS, Question, TaskName

QUESTION_COLUMNS = ("question", "problem", "prompt", "query", "input")
ID_COLUMNS = ("id", "question_id", "task_id", "unique_id")
ANSWER_COLUMNS = ("answer", "final_answer", "solution", "label", "target", "reward_model")
"""Columns with true answers in common data sets, short answers before worked solutions. This module uses only
their names, to leave them out; only `ttrl.evaluation` reads what they hold."""
_SENTENCE_ENDS = (".", "!", "?", ":", ";", ",", "…")
_CLOSERS = "\"')]}”"


def read_questions(
    table: Table,
    *,
    column: str | None,
    limit: int | None,
    task: str = "math",
    task_column: str | None = None,
    options_column: str | None = None,
) -> list[Question]:
    """Reads one question per row, in the order of the rows, and stops after `limit` of them.

    The text stays as it is written. A cell that holds a list of chat messages (as in data sets for
    TRL and verl) yields the content of its last user message.

    Args:
        column: the column with the question; None finds it by its name.
        task: the task of the run.
        task_column: the column with the name of each question's task; an empty cell means the run's task.
        options_column: the column with a list of options of a multiple-choice question, or of labels.
            Options of a multiple-choice question that its text does not list are listed below it.

    Raises:
        DataError: no such column, a row without text, an id that occurs twice, or a cell of the wrong kind.
    """
    if column is None:
        found = find_question_column(table.columns)
        if found is None:
            raise DataError(
                f"{table.name}: no column is named like a question "
                f"({', '.join(QUESTION_COLUMNS)}, or Body and Question), "
                f"got {_listed(table.columns)}. Name it with --question-column."
            )
    elif column in table.columns:
        found = (column,)
    else:
        raise DataError(
            f"{table.name}: no column {column!r}, got {_listed(table.columns)}. "
            "Name one of them with --question-column."
        )
    for option, name in (("--task-column", task_column), ("--options-column", options_column)):
        if name is not None and name not in table.columns:
            raise DataError(
                f"{table.name}: no column {name!r}, got {_listed(table.columns)}. "
                f"Name one of them with {option}."
            )
    ids = question_ids(table)
    questions = []
    for index in range(len(table.rows))[:limit]:
        row, place = table.rows[index], table.where(index)
        own_task = task_of_cell(row.get(task_column or ""), place=place)
        options = options_of_cell(row.get(options_column or ""), place=place)
        prompt = _prompt(table, index, found)
        if (own_task or task) in LISTED_TASKS:
            prompt = with_options(prompt, options)
        questions.append(Question(id=ids[index], prompt=prompt, task=own_task, options=options))
    return questions


def task_of_cell(cell: object, *, place: str) -> str | None:
    """Returns the task that a row names, or None.

    Raises:
        DataError: it names none that exists.
    """
    if cell is None or cell == "":
        return None
    if cell not in get_args(TaskName):
        raise DataError(
            f"{place}: the task is {shown(cell)}, wanted one of {', '.join(get_args(TaskName))}. "
            "Change it, or leave the cell empty to take the run's task."
        )
    return str(cell)


def options_of_cell(cell: object, *, place: str) -> tuple[str, ...]:
    """Returns the options that a row lists, () for none.

    A cell may be a list of texts or numbers, an object {"A": text, ...}, or {"text": [...], "label": [...]}
    as in some data sets of the hub.

    Raises:
        DataError: something else, more than 26 options, or two that are equal.
    """
    if isinstance(cell, str) and cell.strip().startswith(("[", "{")):  # .csv has only text
        with contextlib.suppress(ValueError):
            cell = json.loads(cell)
    if cell is None or cell == "":
        return ()
    if isinstance(cell, dict):
        cell = cell["text"] if "text" in cell else [cell[key] for key in sorted(cell)]
    if not isinstance(cell, list) or not all(isinstance(x, str | int | float) for x in cell):
        raise DataError(
            f"{place}: the options are {shown(cell)}, wanted a list of texts such as "
            '["a cat", "a dog"]. Change them, or name another column.'
        )
    if len(cell) > 26:
        raise DataError(
            f"{place}: got {len(cell)} options, wanted at most 26, A to Z. Leave some out."
        )
    options = tuple(str(option) for option in cell)
    folded = [" ".join(option.casefold().split()) for option in options]
    if len(set(folded)) < len(folded):
        raise DataError(
            f"{place}: the options {shown(cell)} are not all different, so an answer could not be told. "
            "Change one."
        )
    return options


def with_options(prompt: str, options: Sequence[str]) -> str:
    """Lists the options below the question, unless its text holds them all already."""
    if not options or find_options(prompt) == tuple(options):
        return prompt
    lines = [f"({chr(ord('A') + place)}) {option}" for place, option in enumerate(options)]
    return "\n".join([prompt, *lines])


def find_question_column(columns: Sequence[str]) -> tuple[str, ...] | None:
    """Finds the column with the question, or the two to be joined, as SVAMP's Body and Question.

    The pair is looked for first, since Question alone is not solvable there. Case does not matter.
    """
    body, question = find_column(columns, ("body",)), find_column(columns, ("question",))
    if body is not None and question is not None:
        return (body, question)
    single = find_column(columns, QUESTION_COLUMNS)
    return None if single is None else (single,)


def find_column(columns: Sequence[str], names: Sequence[str]) -> str | None:
    """Finds a column by the first of `names` that any column has; case does not matter."""
    for name in names:
        for column in columns:
            if column.lower() == name.lower():
                return column
    return None


def question_ids(table: Table) -> tuple[str, ...]:
    """Returns the id of each row: the cell of its id column, or its number from 0 if there is none.

    Numbers and their spellings are the same id, so 7 in one file is "7" in another.

    Raises:
        DataError: an empty id, an id that is no text or whole number, or two equal ids.
    """
    column = find_column(table.columns, ID_COLUMNS)
    if column is None:
        return tuple(str(index) for index in range(len(table.rows)))
    seen: dict[str, int] = {}
    for index, row in enumerate(table.rows):
        id = _id_text(row.get(column))
        if id is None:
            raise DataError(
                f"{table.where(index)}: the id in column {column!r} is {shown(row.get(column))}, "
                "wanted a text or a whole number. Give each row an id, or rename the column to "
                "number the rows."
            )
        if id in seen:
            raise DataError(
                f"{table.where(index)}: the id {shown(id)} in column {column!r} is that of "
                f"{table.where(seen[id])} too, wanted distinct ids. Change one, or rename the "
                "column to number the rows."
            )
        seen[id] = index
    return tuple(seen)


def same_text(prompt: str) -> str:
    """Returns the text without differences in case and white space, for comparisons."""
    return " ".join(prompt.casefold().split())


def texts_of(questions: Iterable[Question]) -> set[str]:
    """Returns `same_text` of every prompt, to find the same questions despite trivial edits."""
    return {same_text(question.prompt) for question in questions}


def split_holdout(
    questions: Sequence[Question], share: float, seed: int
) -> tuple[list[Question], list[Question]]:
    """Splits into (train, held out) by a hash of each text; both keep the order of `questions`.

    Which side a question is on does not depend on the order of the file, even where the ids are row
    numbers, and a larger share holds out all that a smaller one does.

    Raises:
        ConfigError: the share is not between 0 and 1.
        DataError: a side would be empty.
    """
    if not 0 < share < 1:
        raise ConfigError(f"holdout={share}: wanted a share between 0 and 1, such as 0.2.")
    count = round(share * len(questions))
    if not 1 <= count < len(questions):
        raise DataError(
            f"holdout={share} of {len(questions)} questions leaves {len(questions) - count} for "
            f"training and {count} for evaluation, wanted at least 1 each. "
            "Give more questions or another share."
        )
    ranked = sorted(
        range(len(questions)),
        key=lambda i: (derive_seed(seed, "holdout", questions[i].prompt), questions[i].id),
    )
    held = set(ranked[:count])
    return (
        [question for index, question in enumerate(questions) if index not in held],
        [question for index, question in enumerate(questions) if index in held],
    )


def _prompt(table: Table, index: int, columns: tuple[str, ...]) -> str:
    parts = [_cell_text(table, index, column) for column in columns]
    if len(parts) == 1:
        return parts[0]
    body, question = (part.strip() for part in parts)
    ended = body.rstrip(_CLOSERS).endswith(_SENTENCE_ENDS)
    return f"{body}{'' if ended else '.'} {question}"


def _cell_text(table: Table, index: int, column: str) -> str:
    cell = table.rows[index].get(column)
    text = last_user_message(cell) if isinstance(cell, list) else cell
    place = f"{table.where(index)}, column {column!r}"
    if text is None or (isinstance(text, str) and not text.strip()):
        raise DataError(
            f"{place}: the question is empty, wanted text. Fill it in or remove the row."
        )
    if not isinstance(text, str):
        raise DataError(
            f"{place}: got {shown(cell)}, wanted the question as text or as chat messages "
            '[{"role": "user", "content": "..."}]. Name another column with --question-column.'
        )
    return text


def last_user_message(messages: list[object]) -> object:
    """Returns the content of the user's last message or None; a list that is no chat is returned itself."""
    if not all(isinstance(message, dict) and "role" in message for message in messages):
        return messages
    for message in reversed(messages):
        if isinstance(message, dict) and message["role"] == "user":
            return message.get("content")
    return None


def _id_text(value: object) -> str | None:
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        value = int(value)  # whole numbers of a column with gaps are floats in many writers
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and value.strip():
        return value
    return None


def _listed(columns: Sequence[str]) -> str:
    return "the columns " + ", ".join(columns) if columns else "no columns"


def shown(value: object) -> str:
    """Returns a cell as an error message shows it, cut at 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def epoch_order(questions: Sequence[Question], *, epoch: int, seed: int) -> list[Question]:
    """Returns the questions of an epoch in random order, by seed and id alone; each comes once."""
    return sorted(questions, key=lambda q: derive_seed(seed, "order", epoch, q.id))


def equal_steps(
    questions: Sequence[Question], *, per_step: int, seed: int
) -> Iterator[list[Question]]:
    """Yields endless steps of `per_step` different questions each, for engines with equal batches.

    Leftover questions open the next step. The next epoch fills that step, skipping questions already in it
    and visiting them later. Where epochs divide evenly, these are the native engine's steps.
    """
    waiting: list[Question] = []
    epoch = 0
    while True:
        step, waiting = waiting[:per_step], waiting[per_step:]
        if len(step) < per_step:
            held = {question.id for question in step}
            order = epoch_order(questions, epoch=epoch, seed=seed)
            epoch += 1
            taken = [question for question in order if question.id not in held]
            taken = taken[: per_step - len(step)]
            step += taken
            ids = {question.id for question in taken}
            waiting = [question for question in order if question.id not in ids]
        yield step
