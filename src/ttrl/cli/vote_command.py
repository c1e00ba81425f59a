"""`ttrl vote`: completions of any source in, pseudo-labels and rewards out. Needs no model and no torch."""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import IO, Any

from ttrl.cli.options import make_parser, parse
from ttrl.config import resolve
from ttrl.consensus.voting import Vote, vote_on, voting_tools
from ttrl.data.completions import read_groups
from ttrl.errors import EXIT_DONE, ConfigError, DataError
from ttrl.files import refuse_taken, whole_file

SUMMARY = (
    "Vote on completions: reads JSON Lines (id, completion; or id, completions) and writes one row per "
    "question with its pseudo-label, answers, classes and rewards. Reads and writes as a stream."
)
LISTS = ("answers", "classes", "counts", "rewards")
Write = Callable[[Vote], None]


def run(arguments: Sequence[str]) -> int:
    """Votes; returns the exit code."""
    given = parse(_parser(), arguments)
    file, unsorted = given.pop("file"), given.pop("unsorted", False)
    config = resolve(given).values
    task, rule = voting_tools(config)
    started, told = time.perf_counter(), _Told()
    with _input(file) as lines, _output(config.out) as write:
        for group in read_groups(lines, name=Path(file).name, unsorted=unsorted):
            result = vote_on(group, task=task, rule=rule, seed=config.seed)
            write(result)
            told.add(result)
    summary = told.as_dict() | {"seconds": time.perf_counter() - started}
    if config.json_output:
        # Rows on standard output are not mixed with the summary.
        print(json.dumps(summary), file=sys.stderr if config.out is None else sys.stdout)
    else:
        print(told.line(summary["seconds"]), file=sys.stderr)
    return EXIT_DONE


def _parser() -> argparse.ArgumentParser:
    parser = make_parser(
        "vote",
        SUMMARY,
        groups=("Consensus", "Run"),
        without=("out", "resume", "dry_run", "checkpoint_every"),
    )
    parser.usage = "ttrl vote FILE [OPTION ...]"
    parser.add_argument("file", metavar="FILE", help="a .jsonl file, or - for standard input")
    parser.add_argument(
        "--out",
        metavar="FILE",
        help="a .jsonl or .csv file, written when it is complete; default: standard output",
    )
    parser.add_argument(
        "--unsorted",
        action="store_true",
        help="rows of one id may be anywhere in the file; holds everything in memory",
    )
    return parser


@contextmanager
def _input(file: str) -> Iterator[Iterator[bytes]]:
    if file == "-":
        yield iter(sys.stdin.buffer)
        return
    try:
        stream = open(file, "rb")  # noqa: SIM115, closed below
    except (OSError, ValueError) as error:
        raise DataError(
            f"{file}: cannot be read ({error}). Give a .jsonl file, or - for standard input."
        ) from None
    with stream:
        yield iter(stream)


@contextmanager
def _output(out: str | None) -> Iterator[Write]:
    """Writes to standard output, or to a file that appears when it is complete."""
    if out is None:
        try:
            yield _line_writer(sys.stdout)
            sys.stdout.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise ConfigError(f"standard output cannot be written ({error}).") from None
        return
    path = Path(out)
    refuse_taken(path, kind="file")
    if path.suffix not in {".jsonl", ".csv"}:
        raise ConfigError(f"--out {out}: wanted a name that ends in .jsonl or .csv.")
    try:
        with whole_file(path) as stream:
            yield _csv_writer(stream) if path.suffix == ".csv" else _line_writer(stream)
    except OSError as error:
        raise ConfigError(
            f"--out {out}: cannot be written ({error}). Name a place with room and rights."
        ) from None


def _line_writer(stream: IO[str]) -> Write:
    return lambda vote: print(json.dumps(asdict(vote), allow_nan=False), file=stream)


def _csv_writer(stream: IO[str]) -> Write:
    writer = csv.DictWriter(stream, [field.name for field in fields(Vote)], lineterminator="\n")
    writer.writeheader()

    def write(vote: Vote) -> None:
        row: dict[str, Any] = asdict(vote)
        writer.writerow(row | {key: json.dumps(row[key]) for key in LISTS})

    return write


class _Told:
    """What is said when all is done."""

    def __init__(self) -> None:
        self.questions = self.completions = self.abstained = self.tied = self.unlabeled = 0
        self.ratios = 0.0

    def add(self, vote: Vote) -> None:
        self.questions += 1
        self.completions += len(vote.classes)
        self.abstained += vote.classes.count(None)
        self.tied += vote.tied
        self.unlabeled += vote.pseudo_label is None
        self.ratios += vote.majority_ratio

    def as_dict(self) -> dict[str, float]:
        return {
            "questions": self.questions,
            "completions": self.completions,
            "abstained": self.abstained,
            "tied": self.tied,
            "without_label": self.unlabeled,
            "majority_ratio": self.ratios / max(1, self.questions),
        }

    def line(self, seconds: float) -> str:
        found = self.as_dict()
        return (
            f"{self.questions:,} questions, {self.completions:,} completions in {seconds:.1f} s: majority "
            f"ratio {found['majority_ratio']:.3f}, {self.tied:,} tied, {self.unlabeled:,} without a label, "
            f"{self.abstained:,} completions without an answer"
        )
