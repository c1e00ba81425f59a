"""Makes the table of docs/guard.md on `keep: best`: how far the kept checkpoint is from the truly best one.

    python recipes/keep.py run --bases runs/base-1 runs/base-2 runs/base-3 --out runs/keep
    python recipes/keep.py table --out runs/keep

Each run saves a candidate every 6 steps. True labels are looked at here alone, for avg@16 of each candidate.
A run whose file is there already is not made again. The rule was chosen on seed 0, and the table
has the others. Several processes may share the work by seeds.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHOSEN_ON = (0,)
REPORTED = (1, 2, 3, 4, 5)
SMALL: Mapping[str, Any] = {
    "limit": 128,
    "questions_per_step": 8,
    "votes_per_question": 32,
    "trained_per_question": 16,
    "steps": 48,
    "checkpoint_every": 6,
    "samples": 16,
    "eval_sets": ["unlabeled"],
    "guard": "off",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """Settings of a kind of run."""

    name: str
    base: int = 0
    """0: the embedded model; n: the n-th of --bases."""
    settings: Mapping[str, Any] = field(default_factory=dict)


ARMS = (
    Arm(name="rate 2e-4"),
    Arm(name="rate 4e-4", settings={"learning_rate": 4e-4}),
    Arm(name="rate 6e-4", settings={"learning_rate": 6e-4}),
    Arm(name="4 updates, rate 3e-4", settings={"learning_rate": 3e-4, "updates_per_step": 4}),
    Arm(name="4 updates, rate 6e-4", settings={"learning_rate": 6e-4, "updates_per_step": 4}),
    Arm(name="rate 1e-6", settings={"learning_rate": 1e-6}),
    Arm(name="base 1", base=1),
    Arm(name="base 2, rate 4e-4", base=2, settings={"learning_rate": 4e-4}),
    Arm(name="base 3, rate 4e-4", base=3, settings={"learning_rate": 4e-4}),
)


def measure(arm: Arm, seed: int, *, bases: Sequence[Path], work: Path) -> dict[str, Any]:
    """Trains and returns what each candidate answers without labels, and its true avg@16."""
    import ttrl

    out, saved = work / "run", work / "saved"
    shutil.rmtree(work, ignore_errors=True)
    saved.mkdir(parents=True)
    model = "ttrl-tiny" if not arm.base else str(bases[arm.base - 1])
    settings = {**SMALL, **arm.settings, "model": model, "seed": seed, "data_seed": seed}

    def save(_: object = None) -> None:
        for folder in (out / "checkpoints").glob("step-*/model"):
            if not (saved / folder.parent.name).exists():
                shutil.copytree(folder, saved / folder.parent.name)

    result = ttrl.train(out=str(out), on_step=save, eval_limit=1, **settings)
    save()
    metrics = [json.loads(line) for line in (out / "metrics.jsonl").read_text("utf-8").splitlines()]
    models = {0: model} | {int(path.name[5:]): str(path) for path in sorted(saved.iterdir())}
    candidates = [
        {"step": step, **_candidate({**settings, "model": path})} for step, path in models.items()
    ]
    shutil.rmtree(work)
    return {
        "arm": arm.name,
        "seed": seed,
        "stopped": result.stopped,
        "candidates": candidates,
        "metrics": metrics,
    }


def _candidate(settings: Mapping[str, Any]) -> dict[str, Any]:
    from ttrl.config import RunConfig
    from ttrl.runs.session import evaluate_one, open_session
    from ttrl.training.candidates import answers_to, questions_to_ask

    session = open_session(RunConfig(**settings))
    truth = evaluate_one(session, session.evaluated[0], when="final").metrics.avg[16].value
    known = [question for each in session.sets for question in each.questions]
    trained = session.training.trained
    asked = {
        "copies": questions_to_ask(trained, known, session.config),
        "questions": list(trained),
    }
    return {"truth": truth} | {
        name: answers_to(
            questions, sampler=session.sampler, task=session.task, config=session.config
        )
        for name, questions in asked.items()
    }


def cases(seeds: Sequence[int]) -> Iterator[tuple[Arm, int]]:
    """Yields the runs, seed by seed."""
    for seed in seeds:
        for arm in ARMS:
            yield arm, seed


def run(bases: Sequence[Path], out: Path, seeds: Sequence[int]) -> None:
    """Makes all runs that are missing."""
    out.mkdir(parents=True, exist_ok=True)
    for arm, seed in cases(seeds):
        file = out / f"{arm.name.replace(' ', '-').replace(',', '')}-seed-{seed}.json"
        if file.exists():
            continue
        begin = time.perf_counter()
        found = measure(arm, seed, bases=bases, work=file.with_suffix(".work"))
        file.with_suffix(".part").write_text(json.dumps(found), "utf-8")
        file.with_suffix(".part").rename(file)
        truths = " ".join(f"{each['truth']:.3f}" for each in found["candidates"])
        print(f"{file.name}: {truths} ({time.perf_counter() - begin:.0f} s)", flush=True)


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=("run", "table"))
    parser.add_argument("--bases", nargs=3, type=Path, default=())
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", nargs="+", type=int, default=(*CHOSEN_ON, *REPORTED))
    given = parser.parse_args()
    if given.command == "run":
        run(given.bases, given.out, given.seeds)


if __name__ == "__main__":
    main()
