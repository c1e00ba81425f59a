"""True labels: for evaluation, and for the supervised upper bound in `leakage.py`. Nowhere else.

The label wall: answers, similarity, consensus, rl, data, engine and train never import it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from ttrl.answers.bare_numbers import equal_up_to_unit
from ttrl.answers.extract import extract_boxed
from ttrl.data.questions import ANSWER_COLUMNS, ID_COLUMNS, find_column, question_ids
from ttrl.data.tables import HUB_PREFIX, Table, read_rows
from ttrl.errors import DataError
from ttrl.types import AnswerKey, Consensus, Question, Task

_HOLDS_BOX = re.compile(r"\\(?:boxed|fbox)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerSheet:
    """True answers by question. A question without an entry is unlabeled."""

    answers: Mapping[str, str]
    """True answers by question id, spelled as in the file."""

    def get(self, question_id: str) -> str | None:
        """Returns the true answer of a question as spelled in the file, or None if it is unlabeled."""
        return self.answers.get(question_id)

    def key(self, task: Task, question: Question) -> AnswerKey | None:
        """Returns the canonical key of the true answer; None if it is missing or unusable.

        The label itself is keyed. To extract an answer from it again, as from a completion, is a
        published bug: it turns the label 3/4 into 4.
        """
        answer = self.get(question.id)
        return None if answer is None else task.for_question(question).key(answer)


def right_classes(consensus: Consensus, truth: AnswerKey) -> frozenset[int]:
    """Returns the indices of the classes that equal the true answer; empty if no completion found it.

    There can be two if an answer, or the true one, omits its unit: 5 and 5 cm are two classes of a
    vote, and both are right if the true answer is 5 cm.
    """
    return frozenset(
        index for index, key in enumerate(consensus.keys) if equal_up_to_unit(key, truth)
    )


def correctness(consensus: Consensus, right: Collection[int]) -> tuple[bool, ...]:
    """Returns whether each completion is in one of the classes `right`; abstaining is wrong.   [G]"""
    return tuple(index in right for index in consensus.class_of)


def read_answers(table: Table, *, column: str | None, ids: Sequence[str]) -> AnswerSheet:
    r"""Reads the true answers of a table, one row per id.

    The final answer is taken out of a worked solution: what follows `####` in its last line
    (GSM8K), else its last \\boxed{} (MATH). Rows without an answer stay unlabeled.

    Args:
        column: the column with the answer; None finds it by its name.
        ids: the question of each row of `table`.

    Raises:
        DataError: no such column, a cell that is no answer, or no answer in the whole table.
    """
    if len(ids) != len(table.rows):
        raise DataError(
            f"{table.name}: got {len(table.rows)} rows of answers, wanted {len(ids)}: one for each "
            "question. Add an id column to both files."
        )
    columns = ", ".join(table.columns) or "none"
    found = find_column(table.columns, ANSWER_COLUMNS) if column is None else column
    if found is None:
        raise DataError(
            f"{table.name}: no column is named like an answer ({', '.join(ANSWER_COLUMNS)}), "
            f"got the columns {columns}. Rename one, or name it with --answers if it stands in the "
            "file of the questions."
        )
    if found not in table.columns:
        raise DataError(
            f"{table.name}: no column {found!r}, got the columns {columns}. "
            "Name one of them with --answers."
        )
    answers = {}
    for index, row in enumerate(table.rows):
        answer = _answer_text(row.get(found), place=f"{table.where(index)}, column {found!r}")
        if answer is not None:
            answers[ids[index]] = answer
    if not answers:
        raise DataError(
            f"{table.name}: column {found!r} has no answer in any of {len(table.rows)} rows, "
            "wanted at least one. Name another column with --answers, or leave the option out."
        )
    return AnswerSheet(answers=answers)


def resolve_answers(spec: str, table: Table) -> AnswerSheet:
    """Reads the answers that `--answers` names: a column of the questions' table, else another file.

    Rows of a file are matched by id if it has an id column, else by position.

    Raises:
        DataError: neither a column nor a readable file, or a file that matches no question.
    """
    ids = question_ids(table)
    column = spec if spec in table.columns else find_column(table.columns, (spec,))
    if column is not None:
        return read_answers(table, column=column, ids=ids)
    if not (spec.startswith(HUB_PREFIX) or Path(spec).exists()):
        raise DataError(
            f"answers={spec}: neither a file nor a column of {table.name}, which has "
            f"{', '.join(table.columns)}. Name one of these columns, or the path of a file."
        )
    others = read_rows(spec)
    if find_column(others.columns, ID_COLUMNS) is None:
        if len(others.rows) != len(ids):
            raise DataError(
                f"{others.name}: got {len(others.rows)} rows and no id column "
                f"({', '.join(ID_COLUMNS)}) among {', '.join(others.columns)}, wanted ids, or one "
                f"row for each of the {len(ids)} rows of {table.name}. Add an id column."
            )
        return read_answers(others, column=None, ids=ids)
    sheet = read_answers(others, column=None, ids=question_ids(others))
    matched = {id: sheet.answers[id] for id in ids if id in sheet.answers}
    if not matched:
        raise DataError(
            f"{others.name}: none of its {len(sheet.answers)} answers has the id of a question; "
            f"got ids such as {next(iter(sheet.answers))!r}, wanted ids such as {ids[0]!r} "
            f"({table.name}). Use the same ids in both files."
        )
    return AnswerSheet(answers=matched)


def _answer_text(cell: object, *, place: str) -> str | None:
    if isinstance(cell, Mapping) and "ground_truth" in cell:  # reward_model of verl
        cell = cell["ground_truth"]
    if cell is None or (isinstance(cell, float | Decimal) and math.isnan(cell)):
        return None
    if isinstance(cell, int | float | Decimal):
        return str(cell)
    if isinstance(cell, str):
        return _final_answer(cell)
    raise DataError(
        f"{place}: got {type(cell).__name__}, wanted the answer as text or a number. "
        "Name another column with --answers."
    )


def _final_answer(text: str) -> str | None:
    last_line = text.rpartition("####")[2].strip()
    if "\n" not in last_line:  # else it was a heading
        text = last_line
    if _HOLDS_BOX.search(text):
        text = extract_boxed(text) or ""
    return text.strip() or None
