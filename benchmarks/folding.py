"""What folding equal completions and leaving out those without an advantage save of the time of updates.

    python -m benchmarks.folding [--every 6] [--seed 0] [--json]

Trains as the demo does. At every few steps the update of that step is made again, without touching the
weights, on the same completions: as it is, with equal ones apart, with those without an advantage in the
forward pass, and with both. Once in packed trees, which share equal beginnings anyway, and once with a row
for each completion, as models without trees are trained. The gradient is the same in all ways (tests).
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from benchmarks.machine import Watch
from benchmarks.step_ours import Steps, make_steps
from ttrl.config import RunConfig
from ttrl.rl.batch import Layout
from ttrl.types import TrainingSample

TINY = 1e-30
"""An advantage that is none in effect, and yet not 0."""
WAYS = ("as it is", "equal ones apart", "nothing left out", "neither")
LAYOUTS: tuple[Layout, ...] = ("packed", "rows")


def samples_in(way: str, samples: Sequence[TrainingSample]) -> list[TrainingSample]:
    """The samples of an update, as they would be without one shortcut or both."""
    found = list(samples)
    if way in ("nothing left out", "neither"):
        found = [replace(s, advantages=tuple(a or TINY for a in s.advantages)) for s in found]
    if way in ("equal ones apart", "neither"):
        found = [replace(s, weight=1.0) for s in found for _ in range(int(s.weight))]
    return found


class _Still:
    """An optimizer that makes no step."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def update(self, loss: float, learning_rate: float) -> float:
        self._inner.zero_grad()
        return 0.0


def measure(steps: Steps, samples: Sequence[TrainingSample]) -> dict[str, float]:
    """Seconds of one update by layout and way."""
    policy = steps.learner.policy
    kept, policy.optimizer = policy.optimizer, _Still(policy.optimizer)  # type: ignore[assignment]
    layout = policy._tokens._layout
    seconds = {}
    for each in LAYOUTS:
        policy._tokens._layout = each
        for way in WAYS:
            given = samples_in(way, samples)
            begin = time.perf_counter()
            policy.update(given, steps.algorithm, learning_rate=0.0)
            seconds[f"{each}: {way}"] = time.perf_counter() - begin
    policy.optimizer, policy._tokens._layout = kept, layout
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--every", type=int, default=6, help="steps between measurements")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    watch = Watch()
    config = RunConfig(device="cpu", seed=args.seed)
    steps = make_steps(config)
    totals: dict[str, float] = {}
    for number in range(config.steps):
        learned = steps()
        if number % args.every:
            continue
        samples, _ = steps.algorithm.training_samples(learned.scored, steps.learner)
        for name, value in measure(steps, samples).items():
            totals[name] = totals.get(name, 0.0) + value
    if args.json:
        print(json.dumps({"seconds": totals, "machine": watch.told()}))
        return
    for layout in LAYOUTS:
        most = totals[f"{layout}: neither"]
        for way in WAYS:
            seconds = totals[f"{layout}: {way}"]
            print(f"{layout:<8}{way:<20}{seconds:8.2f} s   {1 - seconds / most:6.1%} saved")
    print(watch.told())


if __name__ == "__main__":
    main()
