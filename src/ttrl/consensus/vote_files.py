"""Votes on the completions of a file, written as rows: a stream in, a stream out."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import IO, Any

from ttrl.config import RunConfig
from ttrl.consensus.voting import Vote, vote_on, voting_tools
from ttrl.data.completions import read_groups
from ttrl.errors import ConfigError, DataError
from ttrl.files import refuse_taken, whole_file

LISTS = ("answers", "classes", "counts", "rewards")
Write = Callable[[Vote], None]


@dataclass(slots=True, kw_only=True)
class Tally:
    """What the votes of a file add up to."""

    questions: int = 0
    completions: int = 0
    abstained: int = 0
    """Completions without an answer."""
    tied: int = 0
    unlabeled: int = 0
    """Questions on which every completion abstains."""
    ratios: float = 0.0
    """Sum of the majority ratios."""

    def add(self, vote: Vote) -> None:
        """Counts one more question."""
        self.questions += 1
        self.completions += len(vote.classes)
        self.abstained += vote.classes.count(None)
        self.tied += vote.tied
        self.unlabeled += vote.pseudo_label is None
        self.ratios += vote.majority_ratio

    def as_dict(self) -> dict[str, float]:
        """Counts by name, and the mean majority ratio over questions (0 if there are none)."""
        return {
            "questions": self.questions,
            "completions": self.completions,
            "abstained": self.abstained,
            "tied": self.tied,
            "without_label": self.unlabeled,
            "majority_ratio": self.ratios / max(1, self.questions),
        }


def vote_on_file(
    file: str, config: RunConfig, *, out: str | None = None, unsorted: bool = False
) -> Tally:
    """Votes on each question of a file and writes one row for it, as soon as its completions are read.

    Args:
        file: JSON Lines as `read_groups` takes them; "-" is standard input.
        config: decides the task and the reward.
        out: a .jsonl or .csv file, which appears when it is complete; None is standard output.
        unsorted: rows of one id may be anywhere in the file, which is then held in memory.

    Raises:
        DataError: the file cannot be read, or a row is broken.
        ConfigError: an unknown reward, or an `out` that exists, has another ending or cannot be written.
    """
    task, rule = voting_tools(config)
    tally = Tally()
    with _input(file) as lines, _output(out) as write:
        for group in read_groups(lines, name=Path(file).name, unsorted=unsorted):
            result = vote_on(group, task=task, rule=rule)
            write(result)
            tally.add(result)
    return tally


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
