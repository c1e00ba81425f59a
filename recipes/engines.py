"""One config under both engines: `ttrl train` natively and with `--engine trl`, over seeds.

    python recipes/engines.py --out runs/engines --seeds 0 1 2

Makes the table of docs/trl.md. Base, questions, their order, votes and rewards are the same; the engines draw
other random numbers and round otherwise, so they end in other weights: do they learn as much? Runs that have
a result already are not made again.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from commands import ttrl

from ttrl.evaluation.pooling import pooled_difference, pooled_mean
from ttrl.interval import Interval

SETTINGS = (
    "--votes-per-question 32 --trained-per-question 16 --steps 24 --learning-rate 3e-4 --samples 16 "
    "--eval-sets unlabeled heldout --device cpu"
)
ENGINES = ("native", "trl")
SETS = {"unlabeled": "trained questions", "heldout": "held-out"}


def shares(run: Path, when: str, questions: str) -> list[float]:
    """Of right answers among 16, for each question."""
    evaluation = json.loads((run / f"evaluations/{when}-{questions}.json").read_text("utf-8"))
    return [q["correct"] / 16 for q in evaluation["questions"]]


def told(value: Interval) -> str:
    """In points."""
    low, high = value.bounds or (value.value, value.value)
    return f"{100 * value.value:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def main() -> None:
    """Trains what is missing, then prints the table."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    given = parser.parse_args()
    runs = {
        (engine, seed): given.out / f"{engine}-{seed}" for seed in given.seeds for engine in ENGINES
    }
    for (engine, seed), run in runs.items():
        options = [*SETTINGS.split(), "--engine", engine, "--seed", str(seed), "--out", str(run)]
        ttrl(["train", *options], done=run / "result.json")

    print(
        "| avg@16, points | before | native | TRL | TRL - native | finals by seed, native | TRL |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, spelled in SETS.items():
        base = [shares(runs["native", seed], "base", name) for seed in given.seeds]
        final = {
            engine: [shares(runs[engine, seed], "final", name) for seed in given.seeds]
            for engine in ENGINES
        }
        by_seed = (
            ", ".join(f"{100 * sum(values) / len(values):.1f}" for values in final[engine])
            for engine in ENGINES
        )
        cells = [
            spelled,
            told(pooled_mean(base)),
            *(told(pooled_mean(final[engine])) for engine in ENGINES),
            told(pooled_difference(final["trl"], final["native"])),
            *by_seed,
        ]
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
