"""Measures the guard: planted collapses and healthy runs, made once without it, and judged afterwards.

    python recipes/guard.py record --bases runs/bases --out runs/guard --part select
    python recipes/guard.py record --bases runs/bases --out runs/guard --part report
    python recipes/guard.py table --out runs/guard --docs docs

Limits were chosen on the runs of "select" and the first ones of "report"; docs/guard-rates.md is about the
others: other seeds, other questions. True answers only say when a run had lost accuracy.
"""

from __future__ import annotations

import argparse
import json
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from guard_cases import HEALTHY, Case, cases, settings_of
from guard_table import Recorded, read, table
from guard_truth import lost_after

PARTS = {
    "select": {"seeds": range(100, 104), "healthy": range(100, 124), "bases": (1, 3)},
    "report": {"seeds": range(10), "healthy": range(60), "bases": (0, 1, 2, 3)},
}
SEEN = {False: range(2), True: (*range(8), 57)}
"""Seeds of planted and of healthy runs of "report" that were looked at when limits were chosen."""
LOOKS, LOOK_SAMPLES = (*range(0, 13, 2), *range(16, 41, 4)), 2
"""Steps after which the accuracy is looked at, and completions on each question in each look."""
FOLLOWED = 0.08
"""A run that has lost so much accuracy is not followed any further."""
WEIGHTS_EVERY = 4


def record(case: Case, *, bases: Path, out: Path, weights: bool) -> dict[str, Any]:
    """Makes the run of a case to its end and returns what was seen."""
    import torch
    from safetensors.torch import save_file

    from ttrl.config import settle
    from ttrl.engine.learner import learner_from
    from ttrl.rl.algorithms.registry import make_algorithm
    from ttrl.runs.calls import layers_of_call
    from ttrl.runs.run import rule_of
    from ttrl.runs.session import open_session
    from ttrl.training.loop import Progress, train

    torch.set_num_threads(1)
    begin = time.perf_counter()
    config = settle(layers_of_call("train", settings_of(case, bases=bases, out=out))).values
    session = open_session(config)
    labels = session.labels["unlabeled"]
    algorithm = make_algorithm(config)
    learner = learner_from(session.source, session.model, algorithm, config, guarded=True)
    metrics, votes = [], []
    looks: list[tuple[float, float]] = []

    def look(step: int) -> None:
        looks.append((step, accuracy(session, seed=step)))
        if weights and step % WEIGHTS_EVERY == 0:
            file = out / "weights" / case.name / f"step-{step:03d}.safetensors"
            file.parent.mkdir(parents=True, exist_ok=True)
            found = {n: p.detach() for n, p in session.model.named_parameters() if p.requires_grad}
            save_file({n: p.contiguous() for n, p in found.items()}, file)

    look(0)
    steps = train(
        session.training.questions,
        config=config.model_copy(update={"stop_after_silent_steps": 1000}),
        sampler=session.voter,
        learner=learner,
        algorithm=algorithm,
        task=session.task,
        rule=rule_of(config, labels),
        progress=Progress(),
        uninterrupted=nullcontext(),
        base=learner.base_logprobs,
    )
    for report in steps:
        metrics.append({"step": report.progress.step, **report.metrics})
        kept = ("question", "label", "labels", "counts", "abstained", "flipped")
        votes.append([{key: vote[key] for key in kept} for vote in report.votes])
        if report.progress.step in LOOKS:
            look(report.progress.step)
            if lost_after(looks, points=FOLLOWED) is not None:
                break
    return {
        "name": case.name, "kind": case.kind, "base": case.base, "seed": case.seed,
        "settings": case.settings, "problems": case.problems, "difficulty": case.difficulty,
        "seconds": time.perf_counter() - begin, "accuracy": looks, "metrics": metrics, "votes": votes,
    }  # fmt: skip


def accuracy(session: Any, *, seed: int) -> float:
    """Returns the share of right completions on the trained questions, drawn as in evaluations."""
    from ttrl.evaluation.answer_key import grade
    from ttrl.seeding import derive_seed
    from ttrl.types import SamplingParams

    config = session.config
    params = SamplingParams(temperature=0.6, top_p=0.95, max_tokens=config.max_tokens)
    groups = session.sampler.sample(
        session.training.questions, n=LOOK_SAMPLES, params=params,
        seed=derive_seed(config.seed, "look", seed),
    )  # fmt: skip
    answers = session.labels["unlabeled"].answers
    right = [
        hit
        for group in groups
        for hit in grade(session.task, group, answers, tie_seed=0).correct or ()
    ]
    return sum(right) / len(right)


def record_all(given: argparse.Namespace) -> None:
    part = PARTS[given.part]
    folder = given.out / given.part
    folder.mkdir(parents=True, exist_ok=True)
    listed = cases(part["seeds"], healthy=part["healthy"], bases=part["bases"])
    for i, case in reversed(list(enumerate(listed))) if given.backwards else enumerate(listed):
        if given.share is not None and i % given.share[1] != given.share[0]:
            continue
        file = folder / f"{case.name}.json"
        if file.exists():
            continue
        found = record(case, bases=given.bases, out=given.out, weights=given.weights)
        half = file.with_suffix(".tmp")
        half.write_text(json.dumps(found), "utf-8")
        half.rename(file)
        curve = " ".join(f"{100 * a:.0f}" for _, a in found["accuracy"])
        print(
            f"{i + 1}/{len(listed)} {case.name:<22} {found['seconds']:5.1f} s  {curve}", flush=True
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("record", "table"))
    parser.add_argument("--bases", type=Path, default=Path("runs/bases"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--part", choices=tuple(PARTS), default="report")
    parser.add_argument("--weights", action="store_true", help="also keep weights, every 4 steps")
    parser.add_argument("--share", type=int, nargs=2, help="make only case I of every N: I N")
    parser.add_argument("--backwards", action="store_true", help="begin with the last case")
    parser.add_argument("--docs", type=Path, help="also write guard-rates.md into this folder")
    given = parser.parse_args()
    if given.what == "record":
        record_all(given)
    else:
        heading = Path(__file__).with_name("guard_rates.md").read_text("utf-8")
        page = heading + table(*split(given.out))
        print(page)
        if given.docs is not None:
            (given.docs / "guard-rates.md").write_text(page, "utf-8")


def split(out: Path) -> tuple[list[Recorded], list[Recorded]]:
    """Returns the runs that limits were chosen on, and those that they were not."""
    first, second = (read(out / part) for part in PARTS)
    seen = [r for r in second if r.seed in SEEN[r.kind == HEALTHY]]
    return first + seen, [r for r in second if r.seed not in SEEN[r.kind == HEALTHY]]


if __name__ == "__main__":
    main()
