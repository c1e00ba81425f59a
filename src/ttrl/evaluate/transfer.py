"""Other files of questions, evaluated before and after training and never trained on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from ttrl.config import RunConfig
from ttrl.data.questions import (
    ANSWER_COLUMNS,
    find_column,
    question_ids,
    read_questions,
    same_text,
    texts_of,
)
from ttrl.data.tables import HUB_PREFIX, Table, read_rows
from ttrl.errors import DataError
from ttrl.evaluate.answer_key import AnswerSheet, resolve_answers
from ttrl.evaluate.levels import read_levels
from ttrl.types import Question

LONGEST_NAME = 60


def transfer_files(
    config: RunConfig, trained: Sequence[Question]
) -> dict[str, tuple[tuple[Question, ...], AnswerSheet | None, dict[str, str]]]:
    """Reads the questions of each file of `transfer`, their answers and levels, by the name of the set.

    Columns that the config names are used if the file has them; otherwise they are found by their names.

    Raises:
        DataError: a file that cannot be read, or that holds a question that is trained on.
        ConfigError: a spec of the wrong form.
    """
    found = {}
    for file, name in zip(config.transfer, set_names(config.transfer), strict=True):
        table = read_rows(file)
        questions = read_questions(
            table,
            column=_own(config.question_column, table),
            limit=None,
            task=config.task,
            task_column=_own(config.task_column, table),
            options_column=_own(config.options_column, table),
        )
        refuse_overlap(trained, questions, file, what="transfer")
        column = find_column(table.columns, [config.answers or "", *ANSWER_COLUMNS])
        answers = None if column is None else resolve_answers(column, table)
        levels = read_levels(table, config.level_column, ids=question_ids(table))
        found[name] = (tuple(questions), answers, levels)
    return found


def set_names(files: Iterable[str]) -> list[str]:
    """Gives each file a distinct name that is safe as a part of a file name.

    "data/AIME 24.json" gives transfer_AIME_24, and "hub:org/name/subset:test" transfer_name_subset_test.
    """
    names: list[str] = []
    for file in files:
        is_hub = file.startswith(HUB_PREFIX)
        stem = file.removeprefix(HUB_PREFIX).partition("/")[2] if is_hub else Path(file).stem
        stem = re.sub(r"[^A-Za-z0-9]+", "_", stem)[:LONGEST_NAME].strip("_") or "file"
        name, number = f"transfer_{stem}", 1
        while name.casefold() in {other.casefold() for other in names}:
            number += 1
            name = f"transfer_{stem}_{number}"
        names.append(name)
    return names


def refuse_overlap(
    trained: Sequence[Question], others: Sequence[Question], file: str, *, what: str
) -> None:
    """Refuses questions that are trained on, even if case or white space differs.

    Raises:
        DataError: there are some; the first five are named.
    """
    seen = texts_of(trained)
    shared = [question.id for question in others if same_text(question.prompt) in seen]
    if shared:
        raise DataError(
            f"{file}: {len(shared)} of {len(others)} {what} questions are among those trained on, up to case "
            f"and white space (ids {', '.join(shared[:5])}{', ...' if len(shared) > 5 else ''}). "
            "Take them out of one file."
        )


def _own(column: str | None, table: Table) -> str | None:
    return column if column in table.columns else None
