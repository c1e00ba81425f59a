"""Rows of verl's data files: questions on the way out, and the same questions on the way back.

A row holds what verl's own data set asks for, and the question itself in `extra_info`, the column that verl
carries from the file to every sample of the question. Nothing here needs verl.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ttrl.data.prompts import user_message
from ttrl.data.questions import options_of_cell, shown, task_of_cell
from ttrl.errors import ConfigError, DataError
from ttrl.files import whole_folder
from ttrl.types import Question, Task

VOTES_COLUMN = "__rollout_n__"
"""verl draws as many completions of a row as this column says; `actor_rollout_ref.rollout.n` without it."""
REMEDY = "Write the file with `ttrl export-data --format verl`."

Row = dict[str, Any]


def training_row(
    question: Question, *, index: int, task: Task, votes: int, data_source: str
) -> Row:
    """Makes the row of a question that votes: it has no label, and M completions.

    Args:
        index: of the row, from 0; verl's traces know questions by it.
        votes: M.
        data_source: the name by which verl finds the grader of a validation; no training reads it.
    """
    row = _row(question, index=index, task=task, data_source=data_source, answer="")
    row["extra_info"]["votes"] = votes
    return row | {VOTES_COLUMN: votes}


def validation_row(
    question: Question, *, index: int, task: Task, data_source: str, answer: str
) -> Row:
    """Makes the row of a question that verl's validation grades, with its answer; verl decides how often.

    verl's graders compare spellings, so whole numbers are spelled as models do: 025 and 142.0 are 25 and 142.
    """
    if (question.task or task.name) in ("math", "number"):
        answer = _plain(answer)
    return _row(question, index=index, task=task, data_source=data_source, answer=answer)


def _row(question: Question, *, index: int, task: Task, data_source: str, answer: str) -> Row:
    return {
        "data_source": data_source,
        "prompt": [{"role": "user", "content": user_message(question, task)}],
        "ability": question.task or task.name,
        "reward_model": {"style": "rule", "ground_truth": answer},
        "extra_info": {
            "index": index,
            "id": question.id,
            "question": question.prompt,
            "task": question.task,
            "options": list(question.options),
            "votes": None,
        },
    }


def _plain(answer: str) -> str:
    digits = answer.removeprefix("-")
    whole, _, rest = digits.partition(".")
    if not (whole.isascii() and whole.isdecimal()) or rest.strip("0"):
        return answer
    return answer[: len(answer) - len(digits)] + (whole.lstrip("0") or "0")


def question_of_row(extra_info: object, *, place: str) -> tuple[Question, int]:
    """Reads the question of a row, and how many votes it gets (M).

    Raises:
        DataError: a field that is missing or of the wrong kind.
    """
    if not isinstance(extra_info, Mapping):
        raise DataError(
            f"{place}: extra_info is {shown(extra_info)}, wanted an object with the question's id, text and "
            f"votes. {REMEDY}"
        )
    id, prompt = (_text(extra_info, key, place=place) for key in ("id", "question"))
    votes = extra_info.get("votes")
    if isinstance(votes, bool) or not isinstance(votes, int) or votes < 2:
        raise DataError(
            f"{place}: extra_info.votes is {shown(votes)}, wanted a whole number of at least 2. {REMEDY}"
        )
    question = Question(
        id=id,
        prompt=prompt,
        task=task_of_cell(extra_info.get("task"), place=place),
        options=options_of_cell(extra_info.get("options"), place=place),
    )
    return question, votes


def is_labeled(row: Mapping[str, Any]) -> bool:
    """Returns whether a row has a true answer; its content is never read here."""
    reward_model = row.get("reward_model")
    found = reward_model.get("ground_truth") if isinstance(reward_model, Mapping) else reward_model
    return found is not None and found != ""


def _text(extra_info: Mapping[str, Any], key: str, *, place: str) -> str:
    value = extra_info.get(key)
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{place}: extra_info.{key} is {shown(value)}, wanted text. {REMEDY}")
    return value


def write_files(folder: Path, files: Mapping[str, Sequence[Row]]) -> None:
    """Writes rows as parquet files into a new folder.

    Args:
        folder: must not exist.
        files: rows by name of file.

    Raises:
        ConfigError: the folder cannot be written; nothing is left of it.
    """
    from pyarrow import ArrowException

    try:
        with whole_folder(folder) as beside:
            for name, rows in files.items():
                _write(beside / name, rows)
    except (OSError, ArrowException) as error:
        raise ConfigError(
            f"--out {folder}: cannot be written ({error}). Name a place with room and rights."
        ) from None


def _write(path: Path, rows: Sequence[Row]) -> None:
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    votes = any(VOTES_COLUMN in row for row in rows)
    table = arrow.Table.from_pylist(list(rows), schema=_schema(arrow, votes=votes))
    parquet.write_table(table, path)


def _schema(arrow: Any, *, votes: bool) -> Any:
    """The types of the columns, given and not inferred, so that a column of empty cells has one too."""
    text, whole = arrow.string(), arrow.int64()
    message = arrow.struct([("role", text), ("content", text)])
    asked = [("index", whole), ("id", text), ("question", text), ("task", text)]
    asked += [("options", arrow.list_(text)), ("votes", whole)]
    columns = [
        ("data_source", text),
        ("prompt", arrow.list_(message)),
        ("ability", text),
        ("reward_model", arrow.struct([("style", text), ("ground_truth", text)])),
        ("extra_info", arrow.struct(asked)),
    ]
    return arrow.schema([*columns, *([(VOTES_COLUMN, whole)] if votes else [])])
