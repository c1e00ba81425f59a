"""Makes the table of docs/guard.md on `keep: best`: how far the kept checkpoint is from the truly best one.

    python recipes/keep.py run --bases runs/base-1 runs/base-2 runs/base-3 --out runs/keep
    python recipes/keep.py table --out runs/keep

Each run saves a candidate every 6 steps. True labels are looked at here alone, for avg@16 of each candidate.
A run whose file is there already is not made again. The rule was chosen on ten runs (`was_chosen_on`), and
the table has the others. Several processes may share the work by seeds.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

from ttrl.answers.tasks import make_task
from ttrl.config import RunConfig
from ttrl.consensus.choice import Score, score_of
from ttrl.types import Question

SEEDS = (0, 1, 2, 3, 4, 5, 6)
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


Scores = list[float]
"""Of the candidates of a run, the base first; the highest is kept, of equal ones the latest."""


def rules(found: Mapping[str, Any]) -> dict[str, Scores]:
    """Returns the scores of every rule, from what a run has recorded."""
    copies = [answers["copies"] for answers in found["candidates"]]
    asked = [answers["questions"] for answers in found["candidates"]]
    of_copies, of_questions = (
        [score(each, answers[0]) for each in answers] for answers in (copies, asked)
    )
    return {
        "the last": [float(place) for place in range(len(copies))],
        "agreement with itself, copies": [each.itself for each in of_copies],
        "agreement with the base, copies": [each.base for each in of_copies],
        "agreement with the vote of all, questions": agreement_with_all(asked),
        "agreement with the vote of all, copies": agreement_with_all(copies),
        "last before U rises": before_unreliability_rises(found),
        "base x itself, questions": [each.value for each in of_questions],
        "base x itself, copies (`keep: best`)": [each.value for each in of_copies],
    }


def score(answers: Any, base: Any) -> Score:
    """Returns the score of `keep: best`."""
    questions = [Question(id=str(place), prompt="") for place in range(len(base))]
    return score_of(answers, base, questions=questions, task=make_task(RunConfig()))


def agreement_with_all(candidates: Sequence[Any]) -> Scores:
    """Returns each candidate's share of votes for the answer that all candidates together elect."""
    scores = [0.0] * len(candidates)
    for of_question in zip(*candidates, strict=True):
        votes = Counter(answer for each in of_question for answer in each if answer is not None)
        elected = min(votes, key=lambda answer: (-votes[answer], answer), default=None)
        for place, each in enumerate(of_question):
            scores[place] += each.count(elected) / len(each) if votes else 0.0
    return [each / len(candidates[0]) for each in scores]


def before_unreliability_rises(found: Mapping[str, Any]) -> Scores:
    """Scores the last candidate before the mean of U between two candidates rises for the first time."""
    steps = [each["step"] for each in found["candidates"]]
    means = [
        fmean(row["consensus/unreliability"] for row in found["metrics"][low:high])
        for low, high in pairwise(steps)
    ]
    rises = [place for place in range(1, len(means)) if means[place] > means[place - 1]]
    last = rises[0] if rises else len(means)
    return [float(place == last) for place in range(len(steps))]


def distances(runs: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    """Returns by rule how far avg@16 of the kept checkpoint is below the best one's, in points."""
    all_found: dict[str, list[float]] = {}
    for found in runs:
        truths = [each["truth"] for each in found["candidates"]]
        for name, scores in rules(found).items():
            kept = max(range(len(scores)), key=lambda place: (scores[place], place))
            all_found.setdefault(name, []).append(100 * (max(truths) - truths[kept]))
    return all_found


def was_chosen_on(found: Mapping[str, Any]) -> bool:
    """Returns whether the rule was chosen on this run: seeds 0 and 1 of the first five arms."""
    return found["seed"] < 2 and found["arm"] in [arm.name for arm in ARMS[:5]]


def table(out: Path) -> None:
    """Prints the table, for the runs that the rule was chosen on and for the others."""
    runs = [json.loads(file.read_text("utf-8")) for file in sorted(out.glob("*.json"))]
    for title, wanted in (("chosen on", True), ("reported", False)):
        some = [found for found in runs if was_chosen_on(found) == wanted]
        if not some:
            continue
        print(f"\n{title}: {len(some)} runs\n\n| Rule | mean | 90 % | worst | kept the best |")
        print("|---|---:|---:|---:|---:|")
        for name, each in distances(some).items():
            ordered = sorted(each)
            high = ordered[min(len(each) - 1, round(0.9 * len(each)))]
            best = sum(distance < 1e-9 for distance in each)
            print(f"| {name} | {fmean(each):.1f} | {high:.1f} | {ordered[-1]:.1f} | {best} |")
        print("\n| Runs | number | the last | `keep: best` |\n|---|---:|---:|---:|")
        for arm in ARMS:
            of_arm = [found for found in some if found["arm"] == arm.name]
            if of_arm:
                by_rule = distances(of_arm)
                last, kept = (
                    fmean(each) for each in (by_rule["the last"], [*by_rule.values()][-1])
                )
                print(f"| {arm.name} | {len(of_arm)} | {last:.1f} | {kept:.1f} |")


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=("run", "table"))
    parser.add_argument("--bases", nargs=3, type=Path, default=())
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    given = parser.parse_args()
    if given.command == "run":
        run(given.bases, given.out, given.seeds)
    else:
        table(given.out)


if __name__ == "__main__":
    main()
