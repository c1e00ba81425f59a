"""Votes on the completions of a file, written as rows: a stream in, a stream out."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import IO, Any

from ttrl.config import RunConfig
from ttrl.consensus.voting import Vote, vote_on, voting_tools
from ttrl.data.completions import read_groups
from ttrl.errors import ConfigError, DataError
from ttrl.files import refuse_taken, whole_file

LISTS = ("answers", "classes", "counts", "rewards")
COUNTED: Mapping[str, Callable[[Vote], float]] = {
    "questions": lambda vote: 1,
    "completions": lambda vote: len(vote.classes),
    "abstained": lambda vote: vote.classes.count(None),
    "tied": lambda vote: vote.tied,
    "without_label": lambda vote: vote.pseudo_label is None,
    "majority_ratio": lambda vote: vote.majority_ratio,
}
Write = Callable[[Vote], None]


def vote_on_file(
    file: str, config: RunConfig, *, out: str | None = None, unsorted: bool = False
) -> dict[str, float]:
    """Votes on each question of a file and writes one row for it, as soon as its completions are read.

    Args:
        file: JSON Lines as `read_groups` takes them; "-" is standard input.
        config: decides the task and the reward.
        out: a .jsonl or .csv file, which appears when it is complete; None is standard output.
        unsorted: rows of one id may be anywhere in the file, which is then held in memory.

    Returns:
        counts of all questions and completions, and the mean majority ratio over questions (0 without any).

    Raises:
        DataError: the file cannot be read, or a row is broken.
        ConfigError: an unknown reward, or an `out` that exists, has another ending or cannot be written.
    """
    task, rule = voting_tools(config)
    totals: dict[str, float] = dict.fromkeys(COUNTED, 0)
    with _input(file) as lines, _output(out) as write:
        for group in read_groups(lines, name=Path(file).name, unsorted=unsorted):
            vote = vote_on(group, task=task, rule=rule, seed=config.seed)
            write(vote)
            for name, count in COUNTED.items():
                totals[name] += count(vote)
    return totals | {"majority_ratio": totals["majority_ratio"] / max(1, totals["questions"])}


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
