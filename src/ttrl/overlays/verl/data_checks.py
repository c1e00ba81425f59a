"""What verl's data files have to hold, asked before any model is loaded."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from ttrl.data.questions import shown
from ttrl.data.tables import HUB_PREFIX, read_rows
from ttrl.errors import ConfigError, DataError
from ttrl.overlays.verl.rows import REMEDY, VOTES_COLUMN, is_labeled, question_of_row

NO_VALIDATION = "trainer.val_before_train=False trainer.test_freq=-1"


def check_files(config: Mapping[str, Any]) -> list[str]:
    """Reads the local files that verl's config names; files elsewhere are checked row by row in the run.

    Returns:
        What the user should know.

    Raises:
        ConfigError, DataError: rows that cannot vote, or that a validation cannot grade.
    """
    notes, questions = [], 0
    seen: dict[str, str] = {}
    data, trained = config["data"], config["actor_rollout_ref"]["rollout"]["n"]
    train, elsewhere = _files(data, "train_files")
    for file in train:
        table = read_rows(file)
        labeled = check_training_rows(table.rows, name=file, trained=trained, seen=seen)
        questions += len(table.rows)
        if labeled:
            notes.append(
                f"{table.name}: {labeled} of {len(table.rows)} rows carry a label in "
                "reward_model.ground_truth. Training does not read it."
            )
    if not elsewhere:
        _check_enough(data, questions)
    trainer = config["trainer"]
    graded, _ = _files(data, "val_files")
    for file in graded:
        if trainer["val_before_train"] or (trainer["test_freq"] or 0) > 0:
            _check_validation(file)
        elif not os.path.exists(file):
            raise ConfigError(
                f"data.val_files={file}: no such file, and verl loads it also where nothing is validated. "
                "Name one that is there: that of data.train_files will do."
            )
    return notes


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


def _check_enough(data: Mapping[str, Any], questions: int) -> None:
    most = data.get("train_max_samples", -1)
    there = min(questions, most) if most > 0 else questions
    if there < data["train_batch_size"]:
        raise ConfigError(
            f"data.train_batch_size={data['train_batch_size']}: data.train_files has {there} questions, and "
            "verl leaves out those that do not fill a step, so there would be none. Set it to at most "
            f"{there}."
        )


def _check_validation(file: str) -> None:
    table = read_rows(file)
    for index, row in enumerate(table.rows):
        if row.get(VOTES_COLUMN) is not None:
            raise ConfigError(
                f"{table.where(index)}: a row that votes (column {VOTES_COLUMN}), and data.val_files names "
                "rows that verl grades. Name another file (ttrl export-data --answers writes one), or "
                f"validate nothing: {NO_VALIDATION}"
            )
        if not is_labeled(row):
            raise ConfigError(
                f"{table.where(index)}: no answer in reward_model.ground_truth, so verl's validation would "
                "count every completion as wrong. Export with --answers, or validate nothing: "
                f"{NO_VALIDATION}"
            )


def _files(data: Mapping[str, Any], key: str) -> tuple[list[str], bool]:
    """The local ones that a key names, and whether there are others."""
    files: str | Sequence[str] = data[key] or []
    named = [files] if isinstance(files, str) else list(files)
    if not named:
        raise ConfigError(f"data.{key} names no file. Name what `ttrl export-data` wrote.")
    for file in named:
        if file.startswith(HUB_PREFIX):
            raise ConfigError(
                f"data.{key}={file}: verl reads files. Export it first: ttrl export-data --format verl "
                f"--questions {file}"
            )
    local = [os.path.expanduser(file) for file in named if "://" not in file]
    return local, len(local) < len(named)
