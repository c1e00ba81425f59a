"""`ttrl export-data`: questions as the files that another engine reads. Needs no model and no torch."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ttrl.answers.tasks import make_task
from ttrl.cli.options import make_parser, parse
from ttrl.config import RunConfig, read_layers, settle
from ttrl.data.questions import ANSWER_COLUMNS
from ttrl.data.sets import QuestionSet
from ttrl.errors import EXIT_DONE, ConfigError
from ttrl.evaluation.labels import Labels, RunSets, build_sets
from ttrl.files import refuse_taken
from ttrl.overlays.verl.rows import Row, training_row, validation_row, write_files

SUMMARY = (
    "Write questions as files for another training engine: train.parquet without labels; heldout.parquet "
    "if questions are held out; and, with --answers, evaluation.parquet, which holds the questions of "
    "train.parquet with their answers, for the engine's validation."
)
DATA_SOURCE = "lighteval/MATH"
MOST_VOTES = 2**63 - 1
"""A whole number of a parquet file."""


def run(arguments: Sequence[str]) -> int:
    """Writes the folder; returns the exit code."""
    given = parse(_parser(), arguments)
    out, source = Path(given.pop("out")), given.pop("data_source", DATA_SOURCE)
    given.pop("format")
    refuse_taken(out, kind="folder")
    # K is the engine's to say, so that M is checked against the fewest there can be.
    config = settle(read_layers(given), below={"trained_per_question": 2}).values
    if config.votes_per_question > MOST_VOTES:
        raise ConfigError(
            f"votes_per_question={config.votes_per_question}: verl's files hold at most {MOST_VOTES:,}. "
            "Lower it; the paper uses 64."
        )
    # Questions that a run only looks at have no file here, so they are neither read nor made.
    written = config.model_copy(update={"transfer": (), "fresh": ()})
    sets = build_sets(written)
    rows = _rows(sets, config, source)
    write_files(out, rows)
    told = {
        "out": str(out),
        "format": "verl",
        "files": {name: len(written) for name, written in rows.items()},
        "votes_per_question": config.votes_per_question,
        "labels_left_out": _label_columns(sets.training, config),
    }
    print(_lines(told), file=sys.stderr if config.json_output else sys.stdout)
    if config.json_output:
        print(json.dumps(told))
    return EXIT_DONE


def _parser() -> argparse.ArgumentParser:
    usage = "--format verl --out FOLDER [OPTION ...]"
    parser = make_parser("export-data", SUMMARY, usage=usage)
    own = parser.add_argument_group("Files")
    own.add_argument(
        "--format", required=True, choices=["verl"], help="verl: parquet files for verl 0.9"
    )
    own.add_argument(
        "--out", metavar="FOLDER", required=True, help="a new folder, written when it is complete"
    )
    own.add_argument(
        "--data-source",
        metavar="TEXT",
        help="name by which verl chooses the grader for its validation; not used in training. "
        f"{DATA_SOURCE} grades answers in a box [{DATA_SOURCE}]",
    )
    return parser


def _rows(sets: RunSets, config: RunConfig, source: str) -> dict[str, list[Row]]:
    task = make_task(config)
    train = [
        training_row(
            question,
            index=index,
            task=task,
            votes=config.votes_per_question,
            data_source=source,
        )
        for index, question in enumerate(sets.training.questions)
    ]
    files = {"train.parquet": train}
    if config.answers is not None:
        files["evaluation.parquet"] = _graded(sets.training, sets.labels, config, source)
    for held in sets.others:
        if held.name == "heldout":
            files["heldout.parquet"] = _graded(held, sets.labels, config, source)
    return {name: rows for name, rows in files.items() if rows}


def _graded(
    each: QuestionSet, labels: Mapping[str, Labels], config: RunConfig, source: str
) -> list[Row]:
    """Rows with answers where the user named some, and then only those that have one."""
    task, known = make_task(config), labels[each.name].answers if config.answers else None
    answers = ["" if known is None else known.get(q.id) for q in each.questions]
    return [
        validation_row(question, index=index, task=task, data_source=source, answer=answer)
        for index, (question, answer) in enumerate(zip(each.questions, answers, strict=True))
        if answer is not None
    ]


def _label_columns(unlabeled: QuestionSet, config: RunConfig) -> list[str]:
    """Columns of the questions' file that hold, or are named like, answers."""
    named = {*ANSWER_COLUMNS, str(config.answers).lower()}
    return [column for column in unlabeled.columns if column.lower() in named]


def _lines(told: dict[str, Any]) -> str:
    counts = ", ".join(f"{name} ({rows} rows)" for name, rows in told["files"].items())
    lines = [f"export-data {told['out']}: {counts}; {told['votes_per_question']} votes a question"]
    if told["labels_left_out"]:
        columns = ", ".join(map(repr, told["labels_left_out"]))
        lines.append(f"labels      left out of train.parquet: column {columns}")
    return "\n".join(lines)
