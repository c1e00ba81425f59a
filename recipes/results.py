"""Makes the README's table: TTRL over pretraining seeds and sampling seeds, beside its controls.

    for s in 0 1 2; do python recipes/pretrain_embedded.py --seed $s --out runs/bases/seed-$s; done
    python recipes/results.py --bases runs/bases/seed-* --out runs/results --jobs 2

Runs, each a plain `ttrl train` that is skipped where its result is there already:
    ttrl       every base, every seed, 512 unlabeled questions
    leakage    every base, seed 0, rewarded by the answer key (an upper bound, not TTRL)
    no-prior   every base, seed 0, TTRL on the out-of-prior questions themselves
Each is also evaluated at temperature 1. Writes docs/results.md, docs/results.json, docs/curves.svg.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from commands import ttrl

from ttrl.data.word_problems import word_problems
from ttrl.evaluate.sets import EMBEDDED_SEED
from ttrl.evaluate.statistics import bootstrap_interval, difference_interval, mean

Json = dict[str, Any]
SETS = ("unlabeled", "heldout", "out_of_prior")
AT_ONE = ("--eval-temperature", "1.0", "--eval-top-p", "1.0")


class Job:
    """One run and what it is called."""

    def __init__(self, kind: str, base: Path, seed: int, out: Path) -> None:
        self.kind, self.base, self.seed = kind, base, seed
        self.path = out / f"{kind}-{base.name}-sampling-{seed}"

    def train(self, extra: Sequence[str]) -> None:
        """Trains and evaluates at the paper's temperature, then at temperature 1."""
        run = ["train", "--model", str(self.base), "--seed", str(self.seed), *extra]
        ttrl([*run, "--out", str(self.path)], done=self.path / "result.json")
        if self.kind == "ttrl":
            weights = sorted((self.path / "checkpoints").glob("step-*"))[-1] / "model"
            evaluate_at_one(weights, self.seed, self._at_one("final"))

    def _at_one(self, when: str) -> Path:
        """Evaluations at temperature 1: of the base once, of each final model."""
        if when == "base":
            return self.path.with_name(f"{self.base.name}-at-1")
        return self.path.with_name(f"{self.path.name}-at-1")

    def metrics(self, when: str, name: str, *, at_one: bool = False) -> Json:
        """What an evaluation file holds."""
        folder = self._at_one(when) if at_one else self.path
        file = f"evaluations/{'base' if at_one else when}-{name}.json"
        loaded: Json = json.loads((folder / file).read_text("utf-8"))
        return loaded

    def curve(self) -> list[Json]:
        """metrics.jsonl."""
        lines = (self.path / "metrics.jsonl").read_text("utf-8").splitlines()
        return [json.loads(line) for line in lines]


def evaluate_at_one(model: Path, seed: int, out: Path) -> None:
    """`ttrl eval` at the votes' temperature."""
    arguments = ["eval", "--model", str(model), *AT_ONE, "--seed", str(seed), "--out", str(out)]
    ttrl(arguments, done=out / "result.json")


def write_no_prior(out: Path) -> Path:
    """The out-of-prior questions as a file of the user's."""
    out.mkdir(parents=True, exist_ok=True)
    file = out / "no-prior.jsonl"
    problems = word_problems(kind="boxes", split="unlabeled", count=128, seed=EMBEDDED_SEED)
    rows = [
        {"id": p.question.id, "question": p.question.prompt, "answer": str(p.answer)}
        for p in problems
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return file


def shares(evaluation: Json) -> list[float]:
    """avg@16's share for each question, approximated by all its samples."""
    samples = evaluation["sampling"]["samples"]
    return [q["correct"] / samples for q in evaluation["questions"]]


def votes_right(evaluation: Json) -> list[float]:
    """1 where the majority is right."""
    return [float(q["right_class"] == 0) for q in evaluation["questions"]]


def rows(jobs: Sequence[Job]) -> Iterator[Json]:
    """One row per run."""
    for job in jobs:
        row: Json = {"kind": job.kind, "base": job.base.name, "seed": job.seed, "sets": {}}
        for name in SETS if job.kind != "no-prior" else ("unlabeled",):
            cell: Json = {}
            for at_one in (False, True):
                if at_one and job.kind != "ttrl":
                    continue
                before = job.metrics("base", name, at_one=at_one)
                after = job.metrics("final", name, at_one=at_one)
                low, high = difference_interval(shares(before), shares(after), seed=0)
                over = difference_interval(votes_right(before), shares(after), seed=0)
                cell["T=1" if at_one else "T=0.6"] = {
                    "base": before["metrics"],
                    "final": after["metrics"],
                    "gain": mean(shares(after)) - mean(shares(before)),
                    "gain_ci": [low, high],
                    "over_base_maj": mean(shares(after)) - mean(votes_right(before)),
                    "over_base_maj_ci": list(over),
                }
            row["sets"][name] = cell
        result: Json = json.loads((job.path / "result.json").read_text("utf-8"))
        row |= {k: result[k] for k in ("wall_seconds", "peak_rss_bytes", "steps")}
        yield row


def percent(value: float) -> str:
    return f"{100 * value:.1f}"


def table(found: Sequence[Json]) -> str:
    """Markdown, one line per run; avg is over all 64 samples of a question."""
    lines = [
        "| run | base, seed | avg@64 T=0.6 | base maj@64 T=0.6 | final − base maj, T=0.6 | avg@64 T=1 "
        "| base maj@64 T=1 | final − base maj, T=1 | held-out avg@64 T=0.6 | out-of-prior | entropy T=0.6 |",
        "|---" * 11 + "|",
    ]
    for row in found:
        sets = row["sets"]
        main = sets["unlabeled"]["T=0.6"]
        one = sets["unlabeled"].get("T=1")
        held = sets.get("heldout", {}).get("T=0.6")
        out = sets.get("out_of_prior", {}).get("T=0.6")
        lines.append(
            f"| {row['kind']} | {row['base']}, {row['seed']} | {arrow(main)} | {base_maj(main)} "
            f"| {over(main)} | {arrow(one)} | {base_maj(one)} | {over(one)} | {arrow(held)} "
            f"| {arrow(out)} | {main['base']['entropy']:.3f} → {main['final']['entropy']:.3f} |"
        )
    return "\n".join(lines) + "\n"


def arrow(cell: Json | None) -> str:
    if cell is None:
        return "–"
    before, after = cell["base"]["avg@64"], cell["final"]["avg@64"]
    low, high = cell["gain_ci"]
    return (
        f"{percent(before)} → {percent(after)} "
        f"({100 * cell['gain']:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}])"
    )


def base_maj(cell: Json | None) -> str:
    return "–" if cell is None else percent(cell["base"]["maj@64"])


def over(cell: Json | None) -> str:
    if cell is None:
        return "–"
    low, high = cell["over_base_maj_ci"]
    return f"{100 * cell['over_base_maj']:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"


def pooled(found: Sequence[Json]) -> str:
    """Means over runs. The interval is over bases: runs that share one are not independent."""
    lines = []
    runs = [row for row in found if row["kind"] == "ttrl"]
    bases = sorted({row["base"] for row in runs})
    for name in SETS:
        for temperature in ("T=0.6", "T=1"):
            for key, text in (("gain", "gain"), ("over_base_maj", "final avg − base maj")):
                if name == "out_of_prior" and key == "over_base_maj":
                    continue
                by_base = [
                    [r["sets"][name][temperature][key] for r in runs if r["base"] == base]
                    for base in bases
                ]
                values = [value for group in by_base for value in group]
                low, high = bootstrap_interval([mean(group) for group in by_base], seed=0)
                lines.append(
                    f"- {name}, {temperature}: {text} {100 * mean(values):+.1f} points "
                    f"[{100 * low:+.1f}, {100 * high:+.1f}], {len(bases)} bases, {len(values)} runs, "
                    f"smallest {100 * min(values):+.1f}, largest {100 * max(values):+.1f}"
                )
    return "\n".join(lines) + "\n"


CURVES = (
    ("labels/ground_truth_ratio", "share of votes that are right"),
    ("labels/label_accuracy", "label accuracy"),
    ("labels/reward_accuracy", "reward accuracy"),
    ("consensus/majority_ratio", "majority ratio"),
    ("sample/entropy", "entropy, nats per token"),
    ("sample/mean_tokens", "tokens per completion"),
)


def curves(jobs: Sequence[Job]) -> str:
    """All runs as small multiples: TTRL blue, leakage orange. Means of 5 steps."""
    width, height, gap = 300, 170, 46
    parts = []
    for index, (key, title) in enumerate(CURVES):
        x0, y0 = 50 + index % 3 * (width + gap), 40 + index // 3 * (height + gap + 16)
        series = []
        for job in jobs:
            values = [row[key] for row in job.curve() if key in row]
            smooth = [mean(values[i : i + 5]) for i in range(0, len(values), 5)]
            series.append((job.kind, smooth))
        top = max(max(s) for _, s in series)
        top = 1.0 if top <= 1 and key != "sample/entropy" else top * 1.05
        parts.append(f'<text x="{x0}" y="{y0 - 10}" font-weight="600">{title}</text>')
        for share in (0, 0.5, 1):
            y = y0 + height * (1 - share)
            parts.append(f'<path d="M{x0} {y:.1f}h{width}" stroke="#8884" fill="none"/>')
            parts.append(
                f'<text x="{x0 - 6}" y="{y + 4:.1f}" text-anchor="end">{top * share:.3g}</text>'
            )
        for kind, smooth in series:
            step = width / max(1, len(smooth) - 1)
            points = " ".join(
                f"{x0 + i * step:.1f},{y0 + height * (1 - v / top):.1f}"
                for i, v in enumerate(smooth)
            )
            color = {"ttrl": "#2a6fbb", "leakage": "#d9822b"}[kind]
            parts.append(
                f'<polyline points="{points}" fill="none" stroke="{color}" stroke-opacity=".75" '
                'stroke-width="1.5"/>'
            )
    size = (50 + 3 * (width + gap), 40 + 2 * (height + gap + 16))
    style = "font-family:system-ui,sans-serif;font-size:12px;background:#fff"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]} {size[1]}" style="{style}">'
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bases", type=Path, nargs="+", required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=2, help="runs side by side, one thread each")
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    args = parser.parse_args()

    no_prior = [
        "--questions",
        str(write_no_prior(args.out)),
        "--answers",
        "answer",
        "--steps",
        "40",
    ]
    work: list[tuple[Job, list[str]]] = []
    for base in args.bases:
        work += [(Job("ttrl", base, seed, args.out), []) for seed in args.seeds]
        work.append((Job("leakage", base, 0, args.out), ["--reward", "answer-key"]))
        work.append((Job("no-prior", base, 0, args.out), no_prior))
    with ThreadPoolExecutor(args.jobs) as pool:
        bases = [(base, 0, args.out / f"{base.name}-at-1") for base in args.bases]
        list(pool.map(lambda item: evaluate_at_one(*item), bases))
        list(pool.map(lambda item: item[0].train(item[1]), work))

    jobs = [job for job, _ in work]
    found = list(rows(jobs))
    text = pooled(found) + "\n" + table(found)
    (args.docs / "results.md").write_text(f"# Results\n\n{text}", "utf-8")
    (args.docs / "results.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    (args.docs / "curves.svg").write_text(
        curves([j for j in jobs if j.kind != "no-prior"]), "utf-8"
    )
    print(text)


if __name__ == "__main__":
    main()
