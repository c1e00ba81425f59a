"""Makes the table of docs/algorithms-results.md: every algorithm on the demo's questions, several seeds.

    python recipes/algorithms.py --out runs/algorithms --jobs 2

Each run is a plain `ttrl train` with the algorithm's defaults, 60 steps of 16 questions and 64 votes, so all
sample the same number of completions, and is skipped where its result is there already. The last rows
are variants; DAPO with refills samples more.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from commands import ttrl

from ttrl.algorithm_settings import ALGORITHM_SETTINGS
from ttrl.evaluation.statistics import bootstrap_interval, difference_interval, mean

Json = dict[str, Any]
SAMPLES = 16
WINDOW = 8
"""Steps in a mean of the learning curve."""

ROWS: Mapping[str, Sequence[str]] = {
    **{name: ("--algorithm", name) for name in ALGORITHM_SETTINGS},
    "dapo, refilled": ("--algorithm", "dapo", "--refill-rounds", "1"),
    "grpo, LoRA 8": ("--lora", "8", "--learning-rate", "2e-3"),
    "grpo, 4 updates": ("--updates-per-step", "4"),
    "grpo, spread": ("--trained-choice", "spread"),
}


class Run:
    """One algorithm with one seed."""

    def __init__(self, name: str, seed: int, out: Path) -> None:
        self.name, self.seed = name, seed
        self.path = out / f"{name.replace(', ', '-').replace(' ', '-')}-{seed}"

    def train(self) -> None:
        """Trains and evaluates, unless that is done."""
        options = ["--seed", str(self.seed), "--samples", str(SAMPLES), "--out", str(self.path)]
        ttrl(["train", *ROWS[self.name], *options], done=self.path / "result.json")

    def read(self, file: str) -> Json:
        """A JSON file of the run."""
        found: Json = json.loads((self.path / file).read_text("utf-8"))
        return found

    def shares(self, when: str, questions: str) -> list[float]:
        """Of right answers, for each question."""
        evaluation = self.read(f"evaluations/{when}-{questions}.json")
        return [q["correct"] / SAMPLES for q in evaluation["questions"]]

    def curve(self, key: str) -> list[float]:
        """A metric of each step that has it."""
        lines = (self.path / "metrics.jsonl").read_text("utf-8").splitlines()
        return [row[key] for row in map(json.loads, lines) if key in row]

    def steps_to_most_of_the_gain(self) -> int | None:
        """The first step around which 90 % of the rise of right votes is there; None without a rise."""
        right = self.curve("labels/ground_truth_ratio")
        smooth = [mean(right[i : i + WINDOW]) for i in range(len(right) - WINDOW + 1)]
        start, end = right[0], smooth[-1]
        if end <= start:
            return None
        reached = next(i for i, s in enumerate(smooth) if s >= start + 0.9 * (end - start))
        return reached + WINDOW // 2


def row(runs: Sequence[Run]) -> Json:
    """One algorithm: means over seeds, intervals over questions."""
    found: Json = {"name": runs[0].name, "seeds": len(runs), "sets": {}}
    for questions in ("unlabeled", "heldout"):
        before, after = (
            [mean(q) for q in zip(*(r.shares(when, questions) for r in runs), strict=True)]
            for when in ("base", "final")
        )
        each = [mean(r.shares("final", questions)) for r in runs]
        found["sets"][questions] = {
            "base": mean(before),
            "final": mean(after),
            "final_ci": bootstrap_interval(after, seed=0),
            "gain_ci": difference_interval(before, after, seed=0),
            "seeds": each,
            "questions": after,
        }
    results = [r.read("result.json") for r in runs]
    first = [r.curve("labels/label_accuracy")[:WINDOW] for r in runs]
    last = [r.curve("labels/label_accuracy")[-WINDOW:] for r in runs]
    return found | {
        "steps_90": [r.steps_to_most_of_the_gain() for r in runs],
        "learning_seconds": mean([r["sampling_seconds"] + r["training_seconds"] for r in results])
        - mean([_evaluation_sampling(r) for r in runs]),
        "training_seconds": mean([r["training_seconds"] for r in results]),
        "peak_gib": max(r["peak_rss_bytes"] for r in results) / 2**30,
        "sampled_tokens": mean([sum(r.curve("sample/tokens")) for r in runs]),
        "label_accuracy": [mean([mean(f) for f in first]), mean([mean(f) for f in last])],
        "entropy": mean([mean(r.curve("sample/entropy")[-WINDOW:]) for r in runs]),
        "collapsed": sum(
            mean(r.shares("final", "unlabeled")) < mean(r.shares("base", "unlabeled")) for r in runs
        ),
    }


def _evaluation_sampling(run: Run) -> float:
    files = (run.path / "evaluations").glob("*.json")
    return sum(float(json.loads(f.read_text("utf-8"))["cost"]["sampling_seconds"]) for f in files)


def table(rows: Sequence[Json]) -> str:
    """Markdown; the difference to GRPO is paired by question."""
    lines = [
        "| algorithm | unlabeled avg@16 | held-out avg@16 | held-out − grpo | steps to 90 % | label accuracy "
        "| entropy | seconds (training) | peak GiB | tokens sampled | collapsed |",
        "|---" * 11 + "|",
    ]
    grpo = next((r for r in rows if r["name"] == "grpo"), rows[0])
    for r in rows:
        cells = [r["name"], *(_cell(r["sets"][name]) for name in ("unlabeled", "heldout"))]
        low, high = difference_interval(
            grpo["sets"]["heldout"]["questions"], r["sets"]["heldout"]["questions"], seed=0
        )
        apart = r["sets"]["heldout"]["final"] - grpo["sets"]["heldout"]["final"]
        cells.append("" if r is grpo else f"{apart:+.3f} [{low:+.3f}, {high:+.3f}]")
        cells.append(", ".join("–" if s is None else str(s) for s in r["steps_90"]))
        cells.append("{:.2f} → {:.2f}".format(*r["label_accuracy"]))
        cells.append(f"{r['entropy']:.3f}")
        cells.append(f"{r['learning_seconds']:.0f} ({r['training_seconds']:.0f})")
        cells.append(f"{r['peak_gib']:.2f}")
        cells.append(f"{r['sampled_tokens'] / 1e6:.2f} M")
        cells.append(f"{r['collapsed']} of {r['seeds']}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(about: Json) -> str:
    low, high = about["final_ci"]
    each = " ".join(f"{value:.2f}" for value in about["seeds"])
    return f"{about['base']:.3f} → **{about['final']:.3f}** [{low:.3f}, {high:.3f}] ({each})"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--jobs", type=int, default=2, help="runs side by side, one thread each")
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    args = parser.parse_args()
    runs = {name: [Run(name, seed, args.out) for seed in args.seeds] for name in args.rows}
    with ThreadPoolExecutor(args.jobs) as pool:
        list(
            pool.map(Run.train, [run for seed in zip(*runs.values(), strict=True) for run in seed])
        )
    text = table([row(each) for each in runs.values()])
    about = (
        "# All algorithms on the demo\n\n"
        f"`python recipes/algorithms.py --out runs/algorithms`, seeds {args.seeds}, {args.jobs} runs side by "
        "side on one thread each. Means over seeds (each seed in brackets); 95 % intervals by bootstrap over "
        f"questions of the mean over seeds; avg@{SAMPLES} at temperature 0.6, top-p 0.95. "
        f"Label accuracy and entropy are means of the first and last {WINDOW} steps, at the "
        "votes' temperature 1; collapsed is a run that ends below its base. Seconds are wall clock of "
        "sampling and updates, with whatever else ran; `benchmarks.algorithms` compares times.\n\n"
    )
    (args.docs / "algorithms-results.md").write_text(about + text, "utf-8")
    print(text)


if __name__ == "__main__":
    main()
