"""Reads the questions that a run trains on, and those that it only evaluates, without their true answers.

What a set was read from may hold its answers too. That is its `Origin`, a value of its own, which
`ttrl.evaluation.labels` alone looks into.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ttrl.config import KEYS, RunConfig
from ttrl.data.copies import perturbed_copies
from ttrl.data.questions import read_questions, same_text, split_holdout, texts_of
from ttrl.data.tables import HUB_PREFIX, Table, read_rows
from ttrl.data.word_problems import Kind, Split, WordProblem, word_problems
from ttrl.errors import ConfigError, DataError
from ttrl.seeding import derive_seed
from ttrl.types import Question

EMBEDDED_QUESTIONS = "word-problems"
EMBEDDED_COUNT = 512
LARGEST_EMBEDDED_COUNT = 20_000
EMBEDDED_SEED = 0
"""The embedded questions are one set, whatever the run's seed, so that runs can be compared."""
LONGEST_NAME = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionSet:
    """Questions under a name. It has no answers: see the label wall in docs/algorithm.md."""

    name: str
    questions: tuple[Question, ...]
    note: str | None = None
    """A remark for readers of the figures, such as how many copies could be made."""
    columns: tuple[str, ...] = ()
    """Columns of the file that the training questions were read from; empty for other sets."""
    copies: tuple[Question, ...] = ()
    """Copies of the questions with other numbers, which are trained on beside them and never evaluated."""

    @property
    def trained(self) -> tuple[Question, ...]:
        """Returns what a run learns from if this is its set for training: questions, then copies."""
        return (*self.questions, *self.copies)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The source of a set's questions, with everything else that it contains."""

    table: Table | None = None
    problems: tuple[WordProblem, ...] = ()
    """The embedded problems, if no file was read."""


def read_sets(config: RunConfig) -> list[tuple[QuestionSet, Origin]]:
    """Reads the question sets of a run, each file once.

    The first set, "unlabeled", is the one that is trained on; then come held-out questions, then those of
    `transfer`.

    Raises:
        DataError, ConfigError: files or options that do not give at least one question.
    """
    if config.questions == EMBEDDED_QUESTIONS and not Path(config.questions).exists():
        found = _embedded_sets(config)
    else:
        found = _file_sets(config)
    found += _transfer_sets(config, found[0][0].questions)
    if config.augment:
        (training, origin), others = found[0], found[1:]
        found[0] = (_with_copies(training, [each for each, _ in others], config), origin)
    return found


def _with_copies(
    training: QuestionSet, others: Sequence[QuestionSet], config: RunConfig
) -> QuestionSet:
    """Adds copies with other numbers, none of which is a question of any set.

    Raises:
        DataError: not one question can be copied.
    """
    copies = perturbed_copies(
        training.questions,
        each=config.augment_copies,
        task=config.task,
        seed=config.data_seed,
        known=[question for each in others for question in each.questions],
    )
    if not copies:
        raise DataError(
            f"augment={','.join(config.augment)}: no question of {config.questions} has a whole number that "
            "can become another one of as many digits from the same file. Leave augment out."
        )
    return replace(training, copies=copies)


def evaluated_sets(sets: Sequence[QuestionSet], config: RunConfig) -> list[QuestionSet]:
    """Returns the sets that `eval_sets` names, or all of them.

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


def _file_sets(config: RunConfig) -> list[tuple[QuestionSet, Origin]]:
    table = read_rows(config.questions)
    questions = _read(table, config, limit=config.limit)
    if config.holdout is None:
        return [_set("unlabeled", questions, table, columns=table.columns)]
    share, note, held_table = _share(config.holdout), None, table
    if share is not None:
        train, held = split_holdout(questions, share, derive_seed(config.data_seed, "holdout"))
        seen, drawn = texts_of(train), len(held)
        held = [question for question in held if same_text(question.prompt) not in seen]
        note = _repeats(drawn - len(held), drawn, config)
    else:
        held_table = read_rows(config.holdout)
        train, held = questions, _read(held_table, config, limit=None)
        refuse_overlap(train, held, config.holdout, what="held-out")
    return [
        _set("unlabeled", train, table, columns=table.columns),
        _set("heldout", held, held_table, note=note),
    ]


def _transfer_sets(
    config: RunConfig, trained: Sequence[Question]
) -> list[tuple[QuestionSet, Origin]]:
    """Reads other files of questions, evaluated before and after training and never trained on.

    Columns that the config names are used if the file has them; otherwise they are found by their names.
    """
    found = []
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
        found.append(_set(name, questions, table))
    return found


def _set(
    name: str,
    questions: Sequence[Question],
    table: Table,
    *,
    note: str | None = None,
    columns: tuple[str, ...] = (),
) -> tuple[QuestionSet, Origin]:
    made = QuestionSet(name=name, questions=tuple(questions), note=note, columns=columns)
    return made, Origin(table=table)


def _repeats(count: int, drawn: int, config: RunConfig) -> str | None:
    """Returns a note about held-out questions that are trained on under another id, or None.

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


def _read(table: Table, config: RunConfig, *, limit: int | None) -> list[Question]:
    return read_questions(
        table,
        column=config.question_column,
        limit=limit,
        task=config.task,
        task_column=config.task_column,
        options_column=config.options_column,
    )


def _own(column: str | None, table: Table) -> str | None:
    return column if column in table.columns else None


def _embedded_sets(config: RunConfig) -> list[tuple[QuestionSet, Origin]]:
    for option in (key.name for key in KEYS.values() if key.of_files):
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
    kinds: tuple[tuple[str, Kind, Split, int], ...] = (
        ("unlabeled", "chain", "unlabeled", count),
        ("heldout", "chain", "heldout", min(count, 256)),
        ("out_of_prior", "boxes", "heldout", min(count, 64)),
    )
    found = []
    for name, kind, split, n in kinds:
        problems = word_problems(
            kind=kind, split=split, count=n, seed=EMBEDDED_SEED, difficulty=config.difficulty
        )
        questions = tuple(problem.question for problem in problems)
        found.append(
            (QuestionSet(name=name, questions=questions), Origin(problems=tuple(problems)))
        )
    return found


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


def set_names(files: Iterable[str]) -> list[str]:
    """Gives each file of `transfer` a distinct name that is safe as a part of a file name.

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
    """Checks that no question is also trained on, even if case or white space differs.

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
