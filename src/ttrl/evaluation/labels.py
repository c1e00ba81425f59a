"""Reads true answers and levels of difficulty, apart from the questions, and measures each level."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from ttrl.config import RunConfig
from ttrl.data.questions import (
    ANSWER_COLUMNS,
    find_column,
    question_ids,
    same_text,
    shown,
    texts_of,
)
from ttrl.data.sets import Origin, QuestionSet, read_sets
from ttrl.data.tables import Table
from ttrl.errors import ConfigError, DataError
from ttrl.evaluation.answer_key import AnswerSheet, Graded, resolve_answers
from ttrl.evaluation.fresh import FreshQuestions
from ttrl.evaluation.fresh.catalogue import (
    answers_of,
    check_names,
    fresh_of_problems,
    fresh_of_table,
    set_name,
)
from ttrl.recording.evaluations import LevelMetrics
from ttrl.types import Question

LEVEL_COLUMNS = ("level", "difficulty")
MOST_LEVELS = 40
"""A column with more distinct cells is not taken for levels."""
_LARGEST_NUMBER = 10**9
LONGEST_LEVEL = 40
"""Longest name of a level, in characters."""


def read_levels(
    table: Table, column: str | None, *, ids: Sequence[str], required: bool = False
) -> dict[str, str]:
    """Reads the level of each question, by id; a question with an empty cell has none.

    A level is a number or a short text: 3 and "Level 3" are both fine.

    Args:
        column: the column with the level; None finds it by its name.
        ids: the question of each row of `table`.
        required: whether to refuse a table without the column that is named. Otherwise, as for a second
            file, such a table is read as if no column had been named.

    Raises:
        DataError: no such column, or one that is named and holds something else. A column that was
            only found by its name is ignored in that case.
    """
    named = column is not None and (required or column in table.columns)
    if named and column not in table.columns:
        raise DataError(
            f"{table.name}: no column {column!r}, got the columns {', '.join(table.columns) or 'none'}. "
            "Name one of them with --level-column."
        )
    found = column if named else find_column(table.columns, LEVEL_COLUMNS)
    if found is None:
        return {}
    levels: dict[str, str] = {}
    for index, (id, row) in enumerate(zip(ids, table.rows, strict=True)):
        cell = row.get(found)
        if cell is None or cell == "" or cell != cell:  # NaN stands for an empty cell in .parquet
            continue
        level = _level(cell)
        if level is None:
            if not named:
                return {}
            raise DataError(
                f"{table.where(index)}, column {found!r}: the level is {shown(cell)}, wanted a number or "
                f"a text of at most {LONGEST_LEVEL} characters in one line. Change it, empty the cell, or "
                "name another column with --level-column."
            )
        levels[id] = level
    different = len(set(levels.values()))
    if different > MOST_LEVELS:
        if not named:
            return {}
        raise DataError(
            f"{table.name}: column {found!r} has {different} different levels, wanted at most "
            f"{MOST_LEVELS}. Round them, or name another column with --level-column."
        )
    return levels


def by_level(
    graded: Sequence[Graded], levels: Mapping[str, str], *, k: int, seed: int
) -> tuple[LevelMetrics, ...]:
    """Returns one row of measures per level, in natural order; questions without a level are left out.

    Accuracies have 95 % intervals over questions, and are measured if a question with exact answers is
    labeled.

    Args:
        k: how many completions avg@k counts.
        seed: the seed of the intervals.
    """
    at: dict[str, list[Graded]] = {}
    for item in graded:
        if (level := levels.get(item.group.question.id)) is not None:
            at.setdefault(level, []).append(item)
    return tuple(_row(level, at[level], k=k, seed=seed) for level in sorted(at, key=natural_order))


def _row(level: str, graded: Sequence[Graded], *, k: int, seed: int) -> LevelMetrics:
    from ttrl.evaluation.statistics import (  # numpy, which `--help` has no use for
        mean,
        mean_interval,
    )

    correct = [item.correct for item in graded if item.correct is not None]
    votes = [float(right) for item in graded if (right := item.vote_right) is not None]
    return LevelMetrics(
        level=level,
        questions=len(graded),
        labeled=sum(item.labeled for item in graded),
        avg=mean_interval([mean(each[:k]) for each in correct], seed=seed) if correct else None,
        maj=mean_interval(votes, seed=seed) if correct else None,
        majority_ratio=mean([item.consensus.majority_ratio for item in graded]),
    )


def _level(cell: object) -> str | None:
    """Returns a cell as text, or None if it cannot be a level. Whole numbers lose their point: 3.0 is 3."""
    if isinstance(cell, bool) or not isinstance(cell, str | int | float | Decimal):
        return None
    if isinstance(cell, int | float | Decimal):
        if not -_LARGEST_NUMBER < cell < _LARGEST_NUMBER:
            return None
        cell = int(cell) if cell == int(cell) else cell
    text = str(cell).strip()
    return text if text.isprintable() and 0 < len(text) <= LONGEST_LEVEL else None


def natural_order(level: str) -> list[tuple[bool, Decimal, str]]:
    """Returns a sort key that puts Level 2 before Level 10: numbers sort by value, and before letters."""
    pieces = re.split(r"([0-9]+(?:\.[0-9]+)?)", level.casefold())
    return [
        (False, Decimal(piece), "") if place % 2 else (True, Decimal(0), piece)
        for place, piece in enumerate(pieces)
        if piece
    ] + [(True, Decimal(0), level)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """The true answers and levels of a set's questions, for evaluation only."""

    answers: AnswerSheet | None = None
    levels: Mapping[str, str] = field(default_factory=dict)
    """The level of difficulty by question id, for questions that have one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSets:
    """The question sets of a run and, apart from them, their true labels."""

    training: QuestionSet
    """The set that is trained on, "unlabeled"."""
    others: tuple[QuestionSet, ...]
    """Held-out questions, then those of `transfer`, then those of `fresh`."""
    labels: Mapping[str, Labels]
    """The labels of every set, by its name."""

    @property
    def all(self) -> tuple[QuestionSet, ...]:
        """Returns the training set, then the others."""
        return (self.training, *self.others)


def build_sets(config: RunConfig) -> RunSets:
    """Reads the questions of a run, then their labels, and makes the fresh questions.

    Raises:
        DataError, ConfigError: files or options that do not give at least one question, or answers that
            cannot be read.
    """
    fresh = check_names(config.fresh)
    read = read_sets(config)
    training, origin = read[0]
    labels = {training.name: _of_training(config, origin)}
    for each, source in read[1:]:
        if source.table is None:
            labels[each.name] = Labels(answers=answers_of(source.problems))
        elif source.table is origin.table:
            labels[each.name] = labels[training.name]
        else:
            wanted = each.name != "heldout" or config.answers is not None
            labels[each.name] = _of_file(config, source.table, with_answers=wanted)
    sets = [each for each, _ in read]
    known = [question for each in sets for question in each.questions]
    for name in fresh:
        if origin.table is None:
            problems = {each.name: source.problems for each, source in read if source.problems}
            made = fresh_of_problems(name, config, problems, known)
        else:
            answers = labels[training.name].answers
            made = fresh_of_table(name, config, origin.table, training.questions, answers, known)
        sets.append(_without(training.copies, set_name(name), made))
        labels[set_name(name)] = Labels(answers=made.answers)
    return RunSets(training=training, others=tuple(sets[1:]), labels=labels)


def _without(copies: Sequence[Question], name: str, made: FreshQuestions) -> QuestionSet:
    """The fresh questions but those that are trained on as copies, up to case and white space.

    Raises:
        ConfigError: they are all of them.
    """
    seen, note = texts_of(copies), made.note
    kept = tuple(q for q in made.questions if same_text(q.prompt) not in seen)
    if not kept:
        raise ConfigError(
            f"augment: each of the {len(made.questions)} questions of {name} is also trained on, as a copy "
            "with other numbers. Leave one of the two out, or raise fresh_count."
        )
    if left_out := len(made.questions) - len(kept):
        note = f"{note}. " if note else ""
        note += f"{left_out} of {len(made.questions)} are also among the copies trained on, and are left out"
    return QuestionSet(name=name, questions=kept, note=note)


def _of_training(config: RunConfig, origin: Origin) -> Labels:
    table = origin.table
    if table is None:
        return Labels(answers=answers_of(origin.problems))
    return Labels(
        answers=None if config.answers is None else resolve_answers(config.answers, table),
        levels=read_levels(table, config.level_column, ids=question_ids(table), required=True),
    )


def _of_file(config: RunConfig, table: Table, *, with_answers: bool) -> Labels:
    """Reads the labels of a second file from the column that is named, or from one found by its name."""
    column = find_column(table.columns, [config.answers or "", *ANSWER_COLUMNS])
    return Labels(
        answers=resolve_answers(column, table) if with_answers and column is not None else None,
        levels=read_levels(table, config.level_column, ids=question_ids(table)),
    )
