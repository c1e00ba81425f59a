"""Marginal advantages and U against the steps of a finished run: milliseconds, and the share of a step.

    python -m benchmarks.marginal RUN [--rounds 5] [--json]

RUN is the directory of a run with exact votes: its votes are redrawn, and its steps took the seconds that
the figures are held against. Which K of a question's votes were trained on is not recorded, so random ones
are taken. Nothing is remembered from round to round, as in a run that never sees the same counts twice. Ours
is processor time, since other load on the machine was not there in the run's steps.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import Watch
from ttrl.config import resolve
from ttrl.consensus.marginal import by_size

SECONDS = ("sample/seconds", "consensus/seconds", "train/seconds")
Case = tuple[tuple[int, ...], int, tuple[tuple[int, int], ...]]
"""Arguments of `by_size` for one question."""


def main() -> None:
    """Prints the medians over the steps of the run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    options = parser.parse_args()
    watch = Watch()
    config = resolve({"config": [str(options.run / "config.yaml")]}, environment={}).values
    cases = cases_of(options.run, config.trained_per_question)
    seconds = seconds_of(options.run)
    each = {step: per_question(of_step, options.rounds) for step, of_step in cases.items()}
    shares = [
        each[step] * len(cases[step]) / 1e3 / seconds[step] for step in cases if step in seconds
    ]
    told = {
        "steps": len(cases),
        "milliseconds_per_question": statistics.median(each.values()),
        "slowest": max(each.values()),
        "share_of_step": statistics.median(shares) if shares else None,
        "machine": watch.told(),
    }
    print(
        f"{told['steps']} steps: {told['milliseconds_per_question']:.2f} ms a question (at most "
        f"{told['slowest']:.2f}), {statistics.median(shares):.2%} of a step"
    )
    if options.json:
        print(json.dumps(told))


def cases_of(run: Path, trained: int) -> dict[int, list[Case]]:
    """The votes of each step."""
    cases: dict[int, list[Case]] = defaultdict(list)
    for record in lines(run / "votes.jsonl"):
        counts, abstained = sorted(record["counts"], reverse=True), record["abstained"]
        votes = [n for n in counts for _ in range(n)] + [0] * abstained
        chooser = random.Random(f"{record['step']} {record['question']}")
        kept = Counter(chooser.sample(votes, min(trained, len(votes))))
        cases[record["step"]].append((tuple(counts), abstained, tuple(sorted(kept.items()))))
    return cases


def seconds_of(run: Path) -> dict[int, float]:
    """What each step took, where it made an update."""
    return {
        record["step"]: sum(record[key] for key in SECONDS)
        for record in lines(run / "metrics.jsonl")
        if all(key in record for key in SECONDS)
    }


def lines(file: Path) -> list[dict[str, Any]]:
    """The records of a file."""
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def per_question(cases: Sequence[Case], rounds: int) -> float:
    """The median over rounds of the milliseconds of one question."""

    def once() -> float:
        by_size.cache_clear()
        begin = time.process_time()
        for case in cases:
            by_size(*case)
        return (time.process_time() - begin) * 1e3

    once()  # what depends on M and K alone is made once in a run
    return statistics.median(once() for _ in range(rounds)) / len(cases)


if __name__ == "__main__":
    main()
