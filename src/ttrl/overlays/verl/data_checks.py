"""What verl's data files have to hold, asked before any model is loaded."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from ttrl.data.tables import read_rows
from ttrl.data.verl_rows import VOTES_COLUMN, check_training_rows, is_labeled
from ttrl.errors import ConfigError

NO_VALIDATION = "trainer.val_before_train=False trainer.test_freq=-1"


def check_files(config: Mapping[str, Any]) -> list[str]:
    """Reads the local files that verl's config names; files elsewhere are checked row by row in the run.

    Returns:
        What the user should know.

    Raises:
        ConfigError, DataError: rows that cannot vote, or that a validation cannot grade.
    """
    notes = []
    trained = config["actor_rollout_ref"]["rollout"]["n"]
    for file in _local(config["data"]["train_files"]):
        table = read_rows(file)
        labeled = check_training_rows(table.rows, name=table.name, trained=trained)
        if labeled:
            notes.append(
                f"{table.name}: {labeled} of {len(table.rows)} rows carry a label in "
                "reward_model.ground_truth. Training does not read it."
            )
    trainer = config["trainer"]
    if trainer["val_before_train"] or trainer["test_freq"] > 0:
        for file in _local(config["data"]["val_files"]):
            _check_validation(file)
    return notes


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


def _local(files: str | Sequence[str]) -> list[str]:
    named = [files] if isinstance(files, str) else list(files)
    return [os.path.expanduser(file) for file in named if "://" not in file]
