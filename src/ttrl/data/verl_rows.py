"""Rows of verl's data files: questions on the way out, and the same questions on the way back.

A row holds what verl's own data set asks for, and the question as it stands in `extra_info`, the column
that verl carries from the file to every sample of the question.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ttrl.data.prompts import user_message
from ttrl.data.questions import options_of_cell, shown, task_of_cell
from ttrl.errors import DataError
from ttrl.types import Question, Task

VOTES_COLUMN = "__rollout_n__"
"""verl draws as many completions of a row as this column says; `actor_rollout_ref.rollout.n` without it."""
REMEDY = "Write the file with `ttrl export-data --format verl`."

Row = dict[str, Any]


def training_row(
    question: Question, *, index: int, task: Task, votes: int, data_source: str
) -> Row:
    """A question that votes: no label, and M completions.

    Args:
        index: of the row, from 0; verl tells questions apart by it in its traces.
        votes: M.
        data_source: the name by which verl finds the grader of a validation; no training reads it.
    """
    row = _row(question, index=index, task=task, data_source=data_source, answer="")
    row["extra_info"]["votes"] = votes
    return row | {VOTES_COLUMN: votes}


def validation_row(
    question: Question, *, index: int, task: Task, data_source: str, answer: str
) -> Row:
    """A question that verl's validation grades: it brings its answer, and is drawn as often as verl says.

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
    """The question of a row, and how many votes it gets (M).

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


def check_training_rows(
    rows: Sequence[Mapping[str, Any]], *, name: str, trained: int, seen: dict[str, str]
) -> int:
    """Checks a file's rows before anything is loaded; returns how many carry a label.

    Args:
        name: of the file, for messages.
        trained: K, which no question may have fewer votes than.
        seen: where each id of the files before stands; those of this one are added.

    Raises:
        DataError: a row without our fields, with two numbers of votes, or with fewer than K; or an id twice.
    """
    labeled = 0
    for index, row in enumerate(rows):
        place = f"{name} row {index + 1}"
        question, votes = question_of_row(row.get("extra_info"), place=place)
        if row.get(VOTES_COLUMN) != votes:
            raise DataError(
                f"{place}: the column {VOTES_COLUMN} is {shown(row.get(VOTES_COLUMN))}, wanted {votes} as in "
                f"extra_info.votes: without it verl draws only the completions it trains on. {REMEDY}"
            )
        if votes < trained:
            raise DataError(
                f"{place}: question {question.id!r} gets {votes} votes, fewer than the {trained} completions "
                "to be trained on: these are a subset of the votes. Lower actor_rollout_ref.rollout.n, or "
                "export with more --votes-per-question."
            )
        if question.id in seen:
            raise DataError(
                f"{place}: the id {question.id!r} is that of {seen[question.id]} too, wanted "
                "distinct ids. Export the questions from one file, or give them ids of their own there."
            )
        seen[question.id] = place
        labeled += is_labeled(row)
    return labeled


def is_labeled(row: Mapping[str, Any]) -> bool:
    """Whether a row carries a true answer. Nobody here asks which."""
    reward_model = row.get("reward_model")
    found = reward_model.get("ground_truth") if isinstance(reward_model, Mapping) else reward_model
    return found is not None and found != ""


def _text(extra_info: Mapping[str, Any], key: str, *, place: str) -> str:
    value = extra_info.get(key)
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{place}: extra_info.{key} is {shown(value)}, wanted text. {REMEDY}")
    return value
