"""How sampling and updating grow with votes, length, questions and the model.

    python -m benchmarks.scaling [--json] [--rounds N] [--only TEXT]

One size at a time is varied around 16 questions x 16 votes x 48 tokens of a random Llama of 2.9 M
parameters in float32 (4 questions where votes or tokens grow), all completions trained. Beside each series
stands the slope of seconds in the logarithm of both: 1 is linear, less is better than linear. Over models
the size is the number of weights.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from benchmarks.machine import Watch
from benchmarks.models import (
    LLAMA_3M,
    LLAMA_10M,
    LLAMA_30M,
    LLAMA_700K,
    Shape,
    Workload,
    random_llama,
    random_workload,
)
from benchmarks.pairing import Row, tell
from benchmarks.phases import draw, make_policy, samples_of, update


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One workload of a series."""

    size: float
    """Where it stands on the axis."""
    name: str
    work: Callable[[], Workload]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Medians of one workload."""

    size: float
    sampling: float
    """Seconds."""
    tokens: int
    update: float
    """Seconds."""


def main() -> None:
    """Prints one line per workload and the slopes after each series."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="series whose name holds this text")
    args = parser.parse_args()
    watch, rows, slopes = Watch(), [], {}
    for series, points in all_series():
        if args.only not in series:
            continue
        costs = []
        for point in points:
            cost = measure(point, args.rounds)
            costs.append(cost)
            rate = cost.tokens / cost.sampling
            rows.append(Row(name=f"{point.name}, sampling", unit="tokens/s", ours=rate))
            rows.append(Row(name=f"{point.name}, update", unit="s", ours=cost.update))
            print(f"{point.name:<16} {rate:>10,.0f} tokens/s  {cost.update:8.3f} s", flush=True)
        slopes[series] = {
            "sampling": slope([c.size for c in costs], [c.sampling for c in costs]),
            "update": slope([c.size for c in costs], [c.update for c in costs]),
        }
        print(f"{series}: slope of sampling {slopes[series]['sampling']:.2f}, "
              f"of updates {slopes[series]['update']:.2f}\n")  # fmt: skip
    tell(rows, as_json=args.json, watch=watch, slopes=slopes)


def all_series() -> Iterator[tuple[str, list[Point]]]:
    """The axes."""

    def work(shape: Shape, questions: int, votes: int, tokens: int) -> Workload:
        model = random_llama(shape)
        return random_workload(model, prompt=8, questions=questions, votes=votes, tokens=tokens)

    yield (
        "votes",
        [
            Point(size=n, name=f"{n} votes", work=partial(work, LLAMA_3M, 4, n, 48))
            for n in (16, 32, 64, 128, 256)
        ],
    )
    yield (
        "tokens",
        [
            Point(size=n, name=f"{n} tokens", work=partial(work, LLAMA_3M, 4, 16, n))
            for n in (32, 64, 128, 256, 512)
        ],
    )
    yield (
        "questions",
        [
            Point(size=n, name=f"{n} questions", work=partial(work, LLAMA_3M, n, 16, 48))
            for n in (4, 8, 16, 32, 64)
        ],
    )
    yield (
        "models",
        [
            Point(
                size=weights(shape),
                name=f"{weights(shape) / 1e6:.1f} M",
                work=partial(work, shape, 16, 16, 48),
            )
            for shape in (LLAMA_700K, LLAMA_3M, LLAMA_10M, LLAMA_30M)
        ],
    )


def weights(shape: Shape) -> int:
    """Parameters of a model of this shape."""
    with torch.device("meta"):
        return sum(p.numel() for p in random_llama(shape).parameters())


def measure(point: Point, rounds: int) -> Cost:
    """Medians over the rounds after one for warming up."""
    work = point.work()
    policy = make_policy(work.model)
    sampling, updating, tokens = [], [], 0
    for seed in range(rounds + 1):
        drawn = draw(work, seed=seed)
        took = update(policy, samples_of(drawn.groups)).seconds
        tokens = drawn.tokens
        if seed:
            sampling.append(drawn.seconds)
            updating.append(took)
    return Cost(
        size=point.size,
        sampling=statistics.median(sampling),
        tokens=tokens,
        update=statistics.median(updating),
    )


def slope(sizes: Sequence[float], times: Sequence[float]) -> float:
    """Of the least-squares line through the logarithms."""
    x, y = [math.log(size) for size in sizes], [math.log(each) for each in times]
    return statistics.linear_regression(x, y).slope


if __name__ == "__main__":
    main()
