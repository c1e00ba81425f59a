"""Which questions are trained on and which are looked at, and the true answers of each, if there are any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ttrl.config import RunConfig
from ttrl.data.questions import (
    ANSWER_COLUMNS,
    find_column,
    question_ids,
    read_questions,
    same_text,
    split_holdout,
    texts_of,
)
from ttrl.data.tables import Table, read_rows
from ttrl.data.word_problems import Kind, Split, WordProblem, word_problems
from ttrl.errors import ConfigError, DataError
from ttrl.evaluate.answer_key import AnswerSheet, resolve_answers
from ttrl.evaluate.fresh.catalogue import (
    check_names,
    fresh_of_problems,
    fresh_of_table,
    set_name,
)
from ttrl.evaluate.fresh.generated import answers_of
from ttrl.evaluate.levels import read_levels
from ttrl.evaluate.transfer import refuse_overlap, transfer_files
from ttrl.seeding import derive_seed
from ttrl.types import Question

EMBEDDED_QUESTIONS = "word-problems"
EMBEDDED_COUNT = 512
LARGEST_EMBEDDED_COUNT = 20_000
EMBEDDED_SEED = 0
"""The embedded questions are one set, whatever the run's seed, so that runs can be compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionSet:
    """Questions under a name, with the answers that evaluation may use."""

    name: str
    questions: tuple[Question, ...]
    answers: AnswerSheet | None
    levels: Mapping[str, str] = field(default_factory=dict)
    """Question id -> how hard it is said to be, of those that say it."""
    note: str | None = None
    """What a reader of its figures should know: how many copies could be made, say."""
    columns: tuple[str, ...] = ()
    """Of the file it was read from, for the set that is trained on."""


def build_sets(config: RunConfig) -> list[QuestionSet]:
    """The sets of a run; the first, "unlabeled", is the one that is trained on.

    After it: held-out questions, then those of `transfer`, then those of `fresh`.

    Raises:
        DataError, ConfigError: files or options that do not give at least one question.
    """
    fresh = check_names(config.fresh)
    if config.questions == EMBEDDED_QUESTIONS and not Path(config.questions).exists():
        problems, table = _embedded_problems(config), None
        sets = [_from_problems(name, made) for name, made in problems.items()]
    else:
        problems, table = {}, read_rows(config.questions)
        sets = _file_sets(config, table)
    trained, trained_answers = sets[0].questions, sets[0].answers
    for name, (questions, answers, levels) in transfer_files(config, trained).items():
        sets.append(QuestionSet(name=name, questions=questions, answers=answers, levels=levels))
    known = [question for each in sets for question in each.questions]
    for name in fresh:
        if table is None:
            made = fresh_of_problems(name, config, problems, known)
        else:
            made = fresh_of_table(name, config, table, trained, trained_answers, known)
        sets.append(
            QuestionSet(
                name=set_name(name), questions=made.questions, answers=made.answers, note=made.note
            )
        )
    return sets


def _file_sets(config: RunConfig, table: Table) -> list[QuestionSet]:
    questions = _read(table, config, limit=config.limit)
    answers = None if config.answers is None else resolve_answers(config.answers, table)
    levels = read_levels(table, config.level_column, ids=question_ids(table), required=True)
    if config.holdout is None:
        return [
            QuestionSet(
                name="unlabeled",
                questions=tuple(questions),
                answers=answers,
                levels=levels,
                columns=table.columns,
            )
        ]
    share, note = _share(config.holdout), None
    if share is not None:
        train, held = split_holdout(questions, share, derive_seed(config.data_seed, "holdout"))
        seen, drawn = texts_of(train), len(held)
        held = [question for question in held if same_text(question.prompt) not in seen]
        held_answers, held_levels = answers, levels
        note = _repeats(drawn - len(held), drawn, config)
    else:
        held_table = read_rows(config.holdout)
        train = questions
        held = _read(held_table, config, limit=None)
        held_answers = _holdout_answers(config.answers, held_table)
        held_levels = read_levels(held_table, config.level_column, ids=question_ids(held_table))
        refuse_overlap(train, held, config.holdout, what="held-out")
    return [
        QuestionSet(
            name="unlabeled",
            questions=tuple(train),
            answers=answers,
            levels=levels,
            columns=table.columns,
        ),
        QuestionSet(
            name="heldout",
            questions=tuple(held),
            answers=held_answers,
            levels=held_levels,
            note=note,
        ),
    ]


def _repeats(count: int, drawn: int, config: RunConfig) -> str | None:
    """What is said of held-out questions that are trained on under another id.

    Raises:
        DataError: they are all of them.
    """
    if count == drawn:
        raise DataError(
            f"holdout={config.holdout}: each of the {drawn} questions held out is also among those trained "
            f"on, up to case and white space. Take repeated questions out of {config.questions}."
        )
    if not count:
        return None
    return (
        f"{count} of {drawn} questions held out are also among those trained on, up to case and white space, "
        "and are left out."
    )


def evaluated_sets(sets: Sequence[QuestionSet], config: RunConfig) -> list[QuestionSet]:
    """Those that `eval_sets` names, or all.

    Raises:
        ConfigError: a name that no set has.
    """
    names = [each.name for each in sets]
    unknown = [name for name in config.eval_sets if name not in names]
    if unknown:
        raise ConfigError(
            f"eval_sets={unknown[0]!r}: there is no such set; there are {', '.join(names)}."
        )
    return [each for each in sets if not config.eval_sets or each.name in config.eval_sets]


def _read(table: Table, config: RunConfig, *, limit: int | None) -> list[Question]:
    return read_questions(
        table,
        column=config.question_column,
        limit=limit,
        task=config.task,
        task_column=config.task_column,
        options_column=config.options_column,
    )


def _embedded_problems(config: RunConfig) -> dict[str, list[WordProblem]]:
    for option in (
        "question_column", "task_column", "options_column", "level_column", "equation_column", "answers",
        "holdout",
    ):  # fmt: skip
        if getattr(config, option) is not None:
            raise ConfigError(
                f"{option}={getattr(config, option)!r}: the embedded questions bring their own answers "
                f"and held-out set. Leave {option} out, or name a file with questions."
            )
    count = config.limit or EMBEDDED_COUNT
    if count > LARGEST_EMBEDDED_COUNT:
        raise ConfigError(
            f"limit={count}: at most {LARGEST_EMBEDDED_COUNT} embedded questions are made. Lower limit, or "
            "name a file with questions."
        )
    made: tuple[tuple[str, Kind, Split, int], ...] = (
        ("unlabeled", "chain", "unlabeled", count),
        ("heldout", "chain", "heldout", min(count, 256)),
        ("out_of_prior", "boxes", "heldout", min(count, 64)),
    )
    return {
        name: word_problems(
            kind=kind, split=split, count=n, seed=EMBEDDED_SEED, difficulty=config.difficulty
        )
        for name, kind, split, n in made
    }


def _from_problems(name: str, problems: Sequence[WordProblem]) -> QuestionSet:
    questions = tuple(problem.question for problem in problems)
    return QuestionSet(name=name, questions=questions, answers=answers_of(problems))


def _share(text: str) -> float | None:
    try:
        share = float(text)
    except ValueError:
        return None
    if not 0 < share < 1:
        raise ConfigError(
            f"holdout={text}: wanted a share between 0 and 1 (like 0.2), or a file of questions."
        )
    return share


def _holdout_answers(spec: str | None, table: Table) -> AnswerSheet | None:
    """Answers of a held-out file: its column of the name given, else the one found by its name."""
    if spec is None:
        return None
    column = find_column(table.columns, [spec]) or find_column(table.columns, ANSWER_COLUMNS)
    return None if column is None else resolve_answers(column, table)
