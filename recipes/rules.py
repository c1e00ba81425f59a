"""Compares rules, advantages, label votes and views at equal sampled tokens: makes docs/rules-study.md.

    for s in 1 2; do python recipes/pretrain_embedded.py --seed $s --out runs/bases/seed-$s; done
    python recipes/rules.py --out runs/rules --jobs 2                     # goes on where it was stopped
    python recipes/rules.py --out runs/rules --bases 0 --seeds 0 1 --hours 2
    python recipes/rules.py --out runs/rules --hours 0                    # the page of what there is

Each run is a plain `ttrl train` with the settings of its arm (`rules_arms.py`), 60 steps of 16 questions, and
64 completions on each of them. The base is evaluated once per seed for all arms that evaluate alike. Runs go
base by base and seed by seed, so that the study is balanced wherever it stops. An arm that fails is named and
left out. The page is written from whatever is there.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import yaml
from commands import ttrl
from rules_arms import ARMS, Arm
from rules_page import page
from rules_results import Base, trial_path

from ttrl.runs.resume import EVALUATION_KEYS

SIBLINGS = ("ttrl-tiny", "runs/bases/seed-1", "runs/bases/seed-2")
"""Bases from pretraining seeds 0, 1 and 2. The next one in the ring is the peer of each."""
SEEDS = (0, 1, 2, 3, 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One arm on one base with one seed."""

    out: Path
    base: Base
    arm: Arm
    seed: int
    smoke: bool

    @property
    def path(self) -> Path:
        """Returns the folder of the run."""
        return trial_path(self.out, self.base, self.arm, self.seed)

    def settings(self) -> dict[str, Any]:
        """Returns the settings of the run but for its seed.

        Raises:
            ValueError: the arm needs a peer, and there is none.
        """
        found = {"model": self.base.model, **self.arm.settings(smoke=self.smoke)}
        if self.arm.needs_peer:
            if self.base.peer is None:
                raise ValueError("no sibling of the base is there to be its peer")
            found["peer"] = self.base.peer
        return found

    def train(self) -> None:
        """Trains and evaluates, or goes on with that, unless it is done.

        Raises:
            ValueError: see `settings`.
            SystemExit: the run failed.
        """
        done = self.path / "result.json"
        if done.exists():
            return
        if (self.path / "config.yaml").exists():
            ttrl(["train", "--resume", str(self.path)], done=done)
            return
        settings = self.settings()
        base = self._base_evaluations(settings)
        file = _written(self.out / "settings" / f"{self.base.name}-{self.arm.name}.yaml", settings)
        options = ["--seed", str(self.seed), "--base-evaluations", str(base), "--out"]
        ttrl(["train", "--config", str(file), *options, str(self.path)], done=done)

    def _base_evaluations(self, settings: dict[str, Any]) -> Path:
        """The base under the settings that an evaluation reads: one folder for all arms that share them."""
        read = {*EVALUATION_KEYS, "eval_sets"}
        own = {key: value for key, value in settings.items() if key in read}
        name = hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()[:8]
        folder = self.out / self.base.name / f"base-{name}-{self.seed}"
        file = _written(self.out / "settings" / f"{self.base.name}-base-{name}.yaml", own)
        with _BASE:
            if folder.exists() and not (folder / "result.json").exists():
                shutil.rmtree(folder)  # what an evaluation left that was stopped
            ttrl(
                ["eval", "--config", str(file), "--seed", str(self.seed), "--out", str(folder)],
                done=folder / "result.json",
            )
        return folder


_BASE = Lock()
"""Two arms at a time must not evaluate the same base twice."""


def _written(file: Path, settings: dict[str, Any]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(settings, sort_keys=False), "utf-8")
    return file


def run_all(trials: Sequence[Trial], *, jobs: int, until: float) -> dict[tuple[str, str], str]:
    """Runs trials in order, starting none after `until` (of the monotonic clock).

    Returns:
        By base and arm, why it was left out.
    """
    failed: dict[tuple[str, str], str] = {}

    def run(trial: Trial) -> None:
        place = trial.base.name, trial.arm.name
        if time.monotonic() >= until or place in failed:
            return
        try:
            trial.train()
        except (SystemExit, ValueError) as error:
            failed[place] = _last_line(error)
            print(f"left out: {': '.join(place)}: {failed[place]}", flush=True)

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(run, trials))
    return failed


def _last_line(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip() if lines else type(error).__name__


def bases_of(models: Sequence[str], chosen: Sequence[int]) -> Iterator[Base]:
    """Yields the chosen bases. A folder that is not there is no peer."""
    for number in chosen:
        peer = models[(number + 1) % len(models)]
        there = len(models) > 1 and ("/" not in peer or Path(peer).exists())
        yield Base(
            name=f"base-{number}", model=models[number], peer=peer if there else None, number=number
        )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--models", nargs="+", default=SIBLINGS, help="the bases, each a sibling")
    parser.add_argument("--bases", type=int, nargs="+", help="which of them, from 0; default: all")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS), metavar="ARM")
    parser.add_argument("--jobs", type=int, default=1, help="runs side by side, one thread each")
    parser.add_argument("--hours", type=float, default=float("inf"), help="start no run later")
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    parser.add_argument("--smoke", action="store_true", help="tiny runs, to see that all works")
    args = parser.parse_args(arguments)

    until = time.monotonic() + 3600 * args.hours
    chosen = range(len(args.models)) if args.bases is None else args.bases
    if unknown := [number for number in chosen if not 0 <= number < len(args.models)]:
        parser.error(f"--bases {unknown[0]}: there are {len(args.models)} models, from 0")
    bases = list(bases_of(args.models, chosen))
    arms = [ARMS[name] for name in args.arms]
    trials = [
        Trial(out=args.out, base=base, arm=arm, seed=seed, smoke=args.smoke)
        for base in bases
        for seed in args.seeds
        for arm in arms
    ]
    failed = run_all(trials, jobs=args.jobs, until=until)
    everything = list(bases_of(args.models, range(len(args.models))))
    text = page(args.out, everything, seeds=sorted({*SEEDS, *args.seeds}), failed=failed)
    args.docs.mkdir(parents=True, exist_ok=True)
    (args.docs / "rules-study.md").write_text(text, "utf-8")
    print(args.docs / "rules-study.md")


if __name__ == "__main__":
    main()
