"""True labels: for evaluation, and for the supervised upper bound, `answer_key_rule`. Nowhere else.

The label wall: answers, consensus, rl, data, engine and training never import it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from ttrl.answers.extract import extract_boxed
from ttrl.answers.key import equal_up_to_unit
from ttrl.consensus.vote import vote_on_group
from ttrl.data.questions import ANSWER_COLUMNS, ID_COLUMNS, find_column, question_ids
from ttrl.data.tables import HUB_PREFIX, Table, read_rows
from ttrl.errors import DataError
from ttrl.types import (
    AnswerKey,
    Consensus,
    Group,
    Question,
    RewardRule,
    Task,
)

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


def answer_key_rule(answers: AnswerSheet, task: Task) -> RewardRule:
    """Returns the rule that rewards a correct completion with 1 and others with 0. It is not TTRL.

    It is the supervised upper bound to compare TTRL with ("leakage" in the paper): the user must ask for it
    by name, and every record of such a run must say so. The consensus is computed and recorded as in TTRL but
    is not rewarded. A question without a label gives all rewards 0, so nothing is learned from it.
    """

    def rewards(group: Group, consensus: Consensus) -> tuple[float, ...]:
        truth = answers.key(task, group.question)
        right = () if truth is None else right_classes(consensus, truth)
        return tuple(float(is_correct) for is_correct in correctness(consensus, right))

    return RewardRule(rewards=rewards)


@dataclass(frozen=True, slots=True, kw_only=True)
class Graded:
    """A group, its vote, and a comparison of both with the true answer."""

    group: Group
    consensus: Consensus
    answer: str | None
    right: frozenset[int]
    """Indices of the correct classes; empty if no answer is right or the question is unlabeled."""
    correct: tuple[bool, ...] | None
    """Whether each completion is correct; None if unlabeled, or for free text and code.   [G]"""
    similar: tuple[float, ...] | None
    """Similarity of each free text or code to the true answer, in [0, 1]; None for other answers.   [G]"""

    @property
    def vote_right(self) -> bool | None:
        """Returns whether the elected class is right; electing none is wrong. None if `correct` is."""
        return None if self.correct is None else self.consensus.winner in self.right

    @property
    def labeled(self) -> bool:
        """Returns whether there is a usable true answer."""
        return self.correct is not None or self.similar is not None


def grade(task: Task, group: Group, answers: AnswerSheet | None, *, tie_seed: int) -> Graded:
    """Votes on a group and compares it with the true answer if there is a usable one."""
    consensus = vote_on_group(task, group, tie_seed=tie_seed)
    id = group.question.id
    truth = None if answers is None else answers.key(task, group.question)
    exact = consensus.centrality is None
    right = frozenset() if truth is None or not exact else right_classes(consensus, truth)
    return Graded(
        group=group,
        consensus=consensus,
        answer=None if answers is None else answers.get(id),
        right=right,
        correct=None if truth is None or not exact else correctness(consensus, right),
        similar=None if truth is None or exact else _similar(task, group, consensus, answers),
    )


def _similar(
    task: Task, group: Group, consensus: Consensus, answers: AnswerSheet | None
) -> tuple[float, ...]:
    truth = "" if answers is None else answers.get(group.question.id) or ""
    matrix = task.for_question(group.question).similarities([*consensus.labels, truth])
    to_truth = [0.0] * len(consensus.labels) if matrix is None else matrix[-1]
    return tuple(0.0 if index is None else float(to_truth[index]) for index in consensus.class_of)
