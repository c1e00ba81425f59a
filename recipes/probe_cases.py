"""Makes the table of docs/probe.md: what `ttrl probe` says of a run, and how the run then ends.

    python recipes/probe_cases.py --bases runs/base-0 runs/base-1 runs/base-2 --out runs/probe

A case is a base, settings and a seed; the kind of a planted one says what the probe should answer. Each case
is probed, then trained with the same options, and training is skipped where its result is there already. The
bases come from recipes/pretrain_embedded.py with seeds 0, 1 and 2.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commands import ttrl

from ttrl.data.sets import EMBEDDED_SEED
from ttrl.data.word_problems import word_problems

Json = dict[str, Any]
EXPECTED: Mapping[str, str] = {
    "in prior": "go",
    "weak prior": "go with care",
    "no prior": "do not",
    "collapse": "do not",
}
WELL, LITTLE = 0.10, 0.02
"""Rise of avg@16 that counts as going well, and one that counts as none."""
EVALUATED = 96
"""Questions of each set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Options of a run. A case without a kind was held back while thresholds were chosen.

    Held back with its seed: three, five and seven days and the rates 1e-3 and 6e-4 were probed with others.
    """

    name: str
    base: int
    options: Sequence[str] = ()
    seed: int = 0
    kind: str | None = None


def planted() -> list[Case]:
    """Four kinds, three of each."""
    return [
        Case(name="in prior, base 0", base=0, kind="in prior"),
        Case(name="in prior, base 1", base=1, kind="in prior"),
        Case(name="in prior, base 1, seed 1", base=1, seed=1, kind="in prior"),
        *(Case(name=f"weak prior, base 2, seed {s}", base=2, seed=s, kind="weak prior") for s in range(3)),
        *(Case(name=f"boxes, base {b}", base=b, options=("--questions", "boxes"), kind="no prior")
          for b in range(3)),
        *(Case(name=f"rate 2e-3, base {b}", base=b, options=("--learning-rate", "2e-3"), kind="collapse")
          for b in range(3)),
    ]  # fmt: skip


def held_back() -> list[Case]:
    """Other difficulties, rates, temperatures, adapters, algorithms."""
    return [
        Case(name="3 days, base 2", base=2, options=("--difficulty", "3")),
        Case(name="5 days, base 0", base=0, options=("--difficulty", "5")),
        Case(name="5 days, base 1", base=1, options=("--difficulty", "5")),
        Case(name="7 days, base 1", base=1, options=("--difficulty", "7")),
        Case(name="rate 1e-3, base 0", base=0, options=("--learning-rate", "1e-3")),
        Case(name="rate 1e-3, base 1", base=1, options=("--learning-rate", "1e-3")),
        Case(name="temperature 1.5, base 1", base=1, options=("--temperature", "1.5")),
        Case(name="rate 6e-4, base 0", base=0, options=("--learning-rate", "6e-4")),
        Case(name="LoRA 8, base 0", base=0, options=("--lora", "8", "--learning-rate", "2e-3")),
        Case(name="LoRA 8, rate 4e-3, base 0", base=0, seed=7,
             options=("--lora", "8", "--learning-rate", "4e-3")),
        *(Case(name=f"{algorithm}, base 0", base=0, seed=7, options=("--algorithm", algorithm))
          for algorithm in ("dapo", "dpo", "ppo", "prime")),
    ]  # fmt: skip


class Trained:
    """One case, probed and trained."""

    def __init__(self, case: Case, bases: Sequence[Path], out: Path, *, steps: int) -> None:
        name = case.name.replace(", ", "-").replace(" ", "-")
        self.case, self.path, self.probe = (
            case,
            out / "runs" / name,
            out / "probes" / f"{name}.json",
        )
        given = ["boxes.jsonl" if o == "boxes" else o for o in case.options]
        given = [str(out / o) if o == "boxes.jsonl" else o for o in given]
        answers = ["--answers", "answer"] if "--questions" in given else []
        self.options = [
            "--model", str(bases[case.base]), "--seed", str(case.seed), "--steps", str(steps),
            "--samples", "16", "--eval-limit", str(EVALUATED), *given, *answers,
        ]  # fmt: skip

    def run(self) -> None:
        """Probes first, as one would."""
        if not self.probe.exists():
            command = [sys.executable, "-m", "ttrl", "probe", *self.options, "--json"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(done.stderr[-2000:])
            self.probe.parent.mkdir(parents=True, exist_ok=True)
            self.probe.write_text(done.stdout.splitlines()[-1], "utf-8")
        ttrl(["train", *self.options, "--out", str(self.path)], done=self.path / "result.json")

    def row(self) -> Json:
        """Verdict and outcome."""
        told: Json = json.loads(self.probe.read_text("utf-8"))
        before, after = (self._accuracy(when) for when in ("base", "final"))
        gain = after - before
        outcome = "go" if gain >= WELL else "go with care" if gain > LITTLE else "do not"
        expected = EXPECTED[self.case.kind] if self.case.kind else outcome
        return {
            "name": self.case.name,
            "kind": self.case.kind,
            "verdict": told["verdict"],
            "expected": expected,
            "before": before,
            "after": after,
            "hit": told["verdict"] == expected,
            "signals": told["signals"],
            "moved": told["trial"]["moved"],
            "cost": told["cost"],
        }

    def _accuracy(self, when: str) -> float:
        file = self.path / "evaluations" / f"{when}-unlabeled.json"
        return float(json.loads(file.read_text("utf-8"))["metrics"]["avg@16"])


def table(rows: Sequence[Json]) -> str:
    """Markdown."""
    lines = [
        "| case | avg@16 before → after | kappa | ignored | moved | verdict | right |",
        "|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        ignored, moved = r["signals"]["ignored_numbers"], r["moved"]
        cells = [
            r["name"],
            f"{r['before']:.2f} → {r['after']:.2f}",
            f"{r['signals']['kappa']:.3f}",
            "–" if ignored is None else f"{ignored:.2f}",
            "–" if moved is None else f"{moved:.4f}",
            r["verdict"],
            "yes" if r["hit"] else f"no: {r['expected']}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    hits = sum(r["hit"] for r in rows)
    whole, training, tokens = (
        "{:.1%} to {:.1%}".format(*_range([r["cost"][f"share_of_{of}"] for r in rows]))
        for of in ("run", "training", "tokens")
    )
    return "\n".join(lines) + (
        f"\n\n{hits} of {len(rows)} right; the probe took {whole} of the time of the run, {training} of "
        f"that of its training and {tokens} of the tokens of training.\n"
    )


def _range(values: Sequence[float]) -> tuple[float, float]:
    return min(values), max(values)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bases", type=Path, nargs=3, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--held-back", action="store_true", help="also the cases held back")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    _write_boxes(given.out / "boxes.jsonl")
    for name, cases in (
        ("planted", planted()),
        ("held back", held_back() if given.held_back else []),
    ):
        runs = [Trained(case, given.bases, given.out, steps=given.steps) for case in cases]
        for run in runs:
            run.run()
        if runs:
            rows = [run.row() for run in runs]
            (given.out / f"{name.replace(' ', '-')}.json").write_text(json.dumps(rows), "utf-8")
            print(f"\n{name}\n\n{table(rows)}")


def _write_boxes(path: Path) -> None:
    problems = word_problems(kind="boxes", split="unlabeled", count=128, seed=EMBEDDED_SEED)
    rows = [
        {"id": p.question.id, "question": p.question.prompt, "answer": str(p.answer)}
        for p in problems
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


if __name__ == "__main__":
    main()
