"""The true labels of a run's question sets, which stand apart from the questions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ttrl.config import RunConfig
from ttrl.data.questions import ANSWER_COLUMNS, find_column, question_ids
from ttrl.data.sets import Origin, QuestionSet, read_sets
from ttrl.data.tables import Table
from ttrl.evaluation.answer_key import AnswerSheet, resolve_answers
from ttrl.evaluation.fresh.catalogue import (
    answers_of,
    check_names,
    fresh_of_problems,
    fresh_of_table,
    set_name,
)
from ttrl.evaluation.levels import read_levels


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
        sets.append(QuestionSet(name=set_name(name), questions=made.questions, note=made.note))
        labels[set_name(name)] = Labels(answers=made.answers)
    return RunSets(training=training, others=tuple(sets[1:]), labels=labels)


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
