"""Adaptive votes against fixed ones, on the same streams of votes: what is saved, and what goes wrong.

    python -m benchmarks.adaptive [--questions 10000] [--votes FILE ...] [--first 16] [--seed 0] [--json]

Each family is a way in which a model may answer; questions draw 64 votes from it. "changed" is the share of
questions whose winner is another than that of all votes: what `adaptive_error` bounds. "missed" is the share
whose winner is not the most probable answer, with fixed and with adaptive votes. A tie goes to a stable
hash, as in a run. With --votes the votes.jsonl of each run with fixed votes is a family too: its very votes,
each question's in random orders. They are as good as new ones, since the order of votes is random.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

from benchmarks.machine import Watch
from ttrl.consensus.adaptive import is_decided, rounds
from ttrl.seeding import derive_seed

VOTES = 64
ERRORS = (0.01, 0.05, 0.1)
ABSTAINS = -1
Stream = Sequence[int]
"""Votes in the order in which they are drawn: a class each, or ABSTAINS."""
Shares = Sequence[float]
"""Of each answer, the first the most probable; what is missing to 1 abstains."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One family at one error rate. Shares, but for the counts."""

    family: str
    error: float
    questions: int
    drawn: float
    """Votes drawn / votes of fixed voting."""
    changed: float
    missed_fixed: float | None
    missed_adaptive: float | None
    """None where the most probable answer is not known."""


def zipf(answers: int) -> Shares:
    """Shares that fall as 1, 1/2, 1/3, ..."""
    weights = [1 / rank for rank in range(1, answers + 1)]
    return [weight / sum(weights) for weight in weights]


def dirichlet(chooser: random.Random) -> Shares:
    """Another distribution for each question: 8 answers, some clear, some open."""
    weights = sorted((chooser.gammavariate(0.5, 1.0) for _ in range(8)), reverse=True)
    return [weight / sum(weights) for weight in weights]


FAMILIES: dict[str, Callable[[random.Random], Shares]] = {
    "peaked: .9, rest over 5": lambda _: [0.9, *[0.02] * 5],
    "clear: .6, rest over 8": lambda _: [0.6, *[0.05] * 8],
    "two horns: .45 .40, rest over 3": lambda _: [0.45, 0.4, *[0.05] * 3],
    "near tie: .51 .49": lambda _: [0.51, 0.49],
    "two equal": lambda _: [0.5, 0.5],
    "five equal": lambda _: [0.2] * 5,
    "flat: 40 equal": lambda _: [1 / 40] * 40,
    "Zipf over 30": lambda _: zipf(30),
    "half abstain: .3 .15, rest over 2": lambda _: [0.3, 0.15, 0.025, 0.025],
    "most abstain: .1 .1": lambda _: [0.1, 0.1],
    "Dirichlet(1/2) over 8": dirichlet,
}


def main() -> None:
    """Prints one line per family and error rate."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--questions", type=int, default=10_000, help="per family")
    parser.add_argument(
        "--votes", type=Path, nargs="+", default=[], help="votes.jsonl of runs with fixed votes"
    )
    parser.add_argument("--first", type=int, default=16, help="votes before the first look")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    args = parser.parse_args()
    print(
        f"{'family':<36}{'error':>6}{'drawn':>8}{'changed':>9}{'missed: fixed':>15}{'adaptive':>10}"
    )
    watch, rows = Watch(), []
    for name, shares in FAMILIES.items():
        chooser = random.Random(derive_seed(args.seed, "adaptive", name))
        drawn = [draw(shares(chooser), chooser) for _ in range(args.questions)]
        rows += tell(
            name, [stream for stream, _ in drawn], [modes for _, modes in drawn], args.first
        )
    for file in args.votes:
        chooser = random.Random(derive_seed(args.seed, "adaptive", "file"))
        rows += tell(str(file), list(read(file, args.questions, chooser)), None, args.first)
    if args.json:
        print(json.dumps({"rows": [asdict(row) for row in rows], "machine": watch.told()}))


def draw(shares: Shares, chooser: random.Random) -> tuple[Stream, frozenset[int]]:
    """The votes of one question, and its most probable answers."""
    silent = max(0.0, 1 - sum(shares))
    stream = chooser.choices([ABSTAINS, *range(len(shares))], weights=[silent, *shares], k=VOTES)
    return stream, frozenset(i for i, share in enumerate(shares) if share == max(shares))


def read(file: Path, count: int, chooser: random.Random) -> Iterator[Stream]:
    """The questions of a run in turn, `count` in all, each with its votes in a random order."""
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    sizes = {sum(line["counts"]) + line["abstained"] for line in lines}
    if len(sizes) != 1:
        raise SystemExit(
            f"{file}: groups of {sorted(sizes)} votes, wanted those of a run with fixed votes."
        )
    for index in range(count):
        line = lines[index % len(lines)]
        stream = [place for place, votes in enumerate(line["counts"]) for _ in range(votes)]
        stream += [ABSTAINS] * line["abstained"]
        chooser.shuffle(stream)
        yield stream


def tell(
    name: str, streams: Sequence[Stream], modes: Sequence[frozenset[int]] | None, first: int
) -> list[Row]:
    """The rows of one family, printed as well."""
    rows = []
    fixed = [winner(stream, index) for index, stream in enumerate(streams)]
    for error in ERRORS:
        stops = [stop(stream, first=first, error=error) for stream in streams]
        found = [winner(s[:n], i) for i, (s, n) in enumerate(zip(streams, stops, strict=True))]
        rows.append(
            Row(
                family=name,
                error=error,
                questions=len(streams),
                drawn=sum(stops) / sum(map(len, streams)),
                changed=share(a != b for a, b in zip(fixed, found, strict=True)),
                missed_fixed=missed(fixed, modes),
                missed_adaptive=missed(found, modes),
            )
        )
        row = rows[-1]
        of_modes = [
            "-" if value is None else f"{value:.3f}"
            for value in (row.missed_fixed, row.missed_adaptive)
        ]
        print(
            f"{name[-34:]:<36}{error:>6}{row.drawn:>8.3f}{row.changed:>9.4f}{of_modes[0]:>15}{of_modes[1]:>10}",
            flush=True,
        )
    return rows


def stop(stream: Stream, *, first: int, error: float) -> int:
    """Votes that a run would draw, of those there are."""
    sizes = rounds(first, len(stream))
    for size, _ in pairwise(sizes):
        counts = Counter(vote for vote in stream[:size] if vote != ABSTAINS)
        level = error / (len(sizes) - 1)
        if is_decided(list(counts.values()), remaining=len(stream) - size, level=level):
            return size
    return len(stream)


def winner(votes: Stream, question: int) -> int | None:
    """The class with the most votes; of a tie, the one with the smallest hash."""
    counts = Counter(vote for vote in votes if vote != ABSTAINS)
    largest = max(counts.values(), default=0)
    leaders = [vote for vote, count in counts.items() if count == largest]
    if len(leaders) < 2:
        return leaders[0] if leaders else None
    return min(leaders, key=lambda vote: derive_seed("tie", question, vote))


def missed(winners: Sequence[int | None], modes: Sequence[frozenset[int]] | None) -> float | None:
    """Share of winners that are not among the most probable answers."""
    if modes is None:
        return None
    return share(found not in wanted for found, wanted in zip(winners, modes, strict=True))


def share(values: Iterator[bool]) -> float:
    """Of what is true."""
    listed = list(values)
    return sum(listed) / len(listed)


if __name__ == "__main__":
    main()
