"""Copies a whole question set with other numbers and counts what could not be copied, by reason."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from ttrl.answers.key import answer_key, number_in
from ttrl.data.number_changes import pool_of
from ttrl.data.questions import ANSWER_COLUMNS, find_column, question_ids, same_text, texts_of
from ttrl.data.tables import Table
from ttrl.data.text_numbers import text_numbers
from ttrl.data.word_problems import LARGEST_TOTAL, WordProblem, split_of
from ttrl.errors import ConfigError
from ttrl.evaluation.answer_key import AnswerSheet
from ttrl.evaluation.fresh import FreshQuestions
from ttrl.evaluation.fresh.perturb import Copy, perturb, spelled
from ttrl.evaluation.fresh.program import NotAProgram, has_annotations, read_program
from ttrl.evaluation.fresh.ties import (
    NO_ANSWER,
    NO_PROGRAM,
    NOT_UNDERSTOOD,
    OTHER_TASK,
    REASONS,
    Doubt,
)
from ttrl.seeding import derive_seed
from ttrl.types import NUMERIC_TASKS, Question

EQUATION_COLUMNS = ("equation", "formula")


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """A question with everything needed to copy it."""

    question: Question
    program: str | None
    answer: str | None
    accept: Callable[[Copy], bool] = lambda copy: True
    """Called with each copy; returning False rejects it."""
    in_text_order: bool = False
    """Whether the program is known to use its numbers in the order of the text: see `ties.tie`."""


def originals_of_table(
    table: Table,
    questions: Sequence[Question],
    answers: AnswerSheet | None,
    *,
    equation_column: str | None,
    answer_column: str | None,
) -> list[Original]:
    """Pairs the questions of a file with their programs, from a column of equations or worked solutions.

    Raises:
        ConfigError: the file has neither, the column named does not exist, or there are no answers.
    """
    column = equation_column or find_column(table.columns, EQUATION_COLUMNS)
    if column is not None and column not in table.columns:
        raise ConfigError(
            f"equation_column={column}: {table.name} has no such column, got the columns "
            f"{', '.join(table.columns)}. Name one of them, or leave equation_column out."
        )
    worked = find_column(table.columns, (answer_column or "", *ANSWER_COLUMNS))
    if column is None and _is_annotated(table, worked):
        column = worked
    if column is None:
        raise ConfigError(
            f"fresh=perturbed: {table.name} has no program that gives its answers, wanted a column named "
            f"like one ({', '.join(EQUATION_COLUMNS)}), or an answer column with worked solutions that are "
            f"annotated <<3*4=12>>; got the columns {', '.join(table.columns)}. Name one with "
            "--equation-column, or leave perturbed out."
        )
    if answers is None:
        raise ConfigError(
            "fresh=perturbed: without answers no program can be checked before it is used. Name the answers "
            "with --answers, or leave perturbed out."
        )
    programs = dict(zip(question_ids(table), (row.get(column) for row in table.rows), strict=True))
    return [
        Original(question=q, program=_text(programs[q.id]), answer=answers.get(q.id))
        for q in questions
    ]


def originals_of_problems(problems: Sequence[WordProblem]) -> list[Original]:
    """Turns embedded problems into originals; their start and changes are the program.

    Copies whose numbers belong to the pre-training split are refused.
    """
    return [
        Original(
            question=problem.question,
            program=" ".join([str(problem.start), *(f"{c:+d}" for c in problem.changes)]),
            answer=str(problem.answer),
            accept=_outside_pretraining(problem),
            in_text_order=True,
        )
        for problem in problems
    ]


def perturbed_copies(
    originals: Sequence[Original], *, count: int, task: str, seed: int, known: Collection[Question]
) -> FreshQuestions:
    """Copies each question that can be copied and keeps at most `count`, chosen by a hash of their texts.

    No copy repeats a `known` question or another copy, up to case and white space.

    Args:
        task: the task of the run; only questions of the tasks math and number are copied.

    Raises:
        ConfigError: not one can be copied.
    """
    numbers = [text_numbers(original.question.prompt) for original in originals]
    pool = pool_of(numbers)
    taken = texts_of(known)
    left_out: Counter[str] = Counter()
    made: dict[int, tuple[Question, Fraction]] = {}
    for index, original in enumerate(originals):
        question = original.question

        def accept(copy: Copy, original: Original = original) -> bool:
            return same_text(copy.prompt) not in taken and original.accept(copy)

        try:
            if (question.task or task) not in NUMERIC_TASKS:
                raise Doubt(OTHER_TASK)
            if original.program is None:
                raise Doubt(NO_PROGRAM)
            copy = perturb(
                question.prompt,
                numbers[index],
                read_program(original.program),
                _number(original.answer),
                pool=pool,
                rng=random.Random(derive_seed("fresh", seed, "perturbed", question.prompt)),
                accept=accept,
                in_text_order=original.in_text_order,
            )
        except NotAProgram:
            left_out[NOT_UNDERSTOOD] += 1
        except Doubt as doubt:
            left_out[str(doubt)] += 1
        else:
            taken.add(same_text(copy.prompt))
            copied = Question(id=f"{question.id}-perturbed", prompt=copy.prompt, task=question.task)
            made[index] = (copied, copy.answer)
    note = _account(len(made), len(originals), left_out)
    if not made:
        raise ConfigError(f"fresh=perturbed: {note}. Leave perturbed out, or give other questions.")
    ranked = sorted(made, key=lambda i: derive_seed("fresh", seed, "choice", made[i][0].prompt))
    chosen = [made[index] for index in sorted(ranked[:count])]
    if len(made) > count:
        note += f". {count} of the copies are asked"
    return FreshQuestions(
        questions=tuple(question for question, _ in chosen),
        answers=AnswerSheet(answers={q.id: spelled(answer) for q, answer in chosen}),
        note=note,
    )


def _account(copied: int, total: int, left_out: Counter[str]) -> str:
    if not left_out:
        return f"{copied} of {total} questions could be copied"
    reasons = ", ".join(f"{left_out[reason]} {reason}" for reason in REASONS if left_out[reason])
    return f"{copied} of {total} questions could be copied; of the others, {reasons}"


def _is_annotated(table: Table, column: str | None) -> bool:
    cells = (row.get(column or "") for row in table.rows)
    return any(isinstance(cell, str) and has_annotations(cell) for cell in cells)


def _text(cell: object) -> str | None:
    """Returns the program of a cell, or None; a worked solution without annotations is no program."""
    if not isinstance(cell, str) or not cell.strip():
        return None
    return None if "####" in cell and not has_annotations(cell) else cell


def _number(answer: str | None) -> Fraction:
    key = None if answer is None else number_in(answer_key(answer), answer)
    if key is None or key[0] != "n":
        raise Doubt(NO_ANSWER)
    return Fraction(int(str(key[1])), int(str(key[2])))


def _outside_pretraining(problem: WordProblem) -> Callable[[Copy], bool]:
    """Accepts only copies that the generator could have made, and not for pre-training."""
    numbers = text_numbers(problem.question.prompt)
    signs = [1, *(1 if change > 0 else -1 for change in problem.changes)]

    def accept(copy: Copy) -> bool:
        changed = iter(copy.values)
        values = [int(next(changed)) if n.free else int(n.value) for n in numbers]
        start, *changes = (sign * value for sign, value in zip(signs, values, strict=True))
        made = replace(problem, start=start, changes=tuple(changes))
        most = start + sum(change for change in changes if change > 0)
        return most <= LARGEST_TOTAL and split_of(made) != "pretrain"

    return accept
