"""What a step of the demo takes with each algorithm, sampling and updates, against GRPO.

    python -m benchmarks.algorithms [--rounds 5] [--json]

Every algorithm takes the same steps in turn, with learning rates of 0, so that all see the same questions and
completions whatever they would learn. Medians over the rounds; DAPO without its refills.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from typing import Any

from benchmarks.machine import Watch
from benchmarks.step_ours import make_steps
from ttrl.algorithm_settings import ALGORITHM_SETTINGS
from ttrl.config import RunConfig

STILL: dict[str, Any] = {
    "learning_rate": 0.0,
    "critic_learning_rate": 0.0,
    "prime_learning_rate": 0.0,
    "refill_rounds": 0,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    watch = Watch()
    runs = {}
    for name, row in ALGORITHM_SETTINGS.items():
        settings = {k: v for k, v in STILL.items() if k in row or k == "learning_rate"}
        runs[name] = make_steps(RunConfig(algorithm=name, device="cpu", **settings))
    whole: dict[str, list[float]] = {name: [] for name in runs}
    updates: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(args.rounds + 1):
        for name, steps in runs.items():
            begin = time.perf_counter()
            result = steps()
            if number:  # the first one warms up
                whole[name].append(time.perf_counter() - begin)
                updates[name].append(result.metrics["train/seconds"])
    found = {
        name: {
            "step_seconds": statistics.median(whole[name]),
            "update_seconds": statistics.median(updates[name]),
            "step_to_grpo": statistics.median(
                mine / theirs for mine, theirs in zip(whole[name], whole["grpo"], strict=True)
            ),
        }
        for name in runs
    }
    if args.json:
        print(json.dumps({"algorithms": found, "machine": watch.told()}))
        return
    for name, about in found.items():
        print(
            f"{name:<12} step {about['step_seconds']:5.2f} s, of it updates "
            f"{about['update_seconds']:5.2f} s, {about['step_to_grpo']:4.2f} times grpo"
        )
    print(watch.told())


if __name__ == "__main__":
    main()
