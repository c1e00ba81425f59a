"""A whole step of TTRL against TRL's GRPOTrainer with a majority vote as its reward.

    python -m benchmarks.step [--json] [--rounds N] [--only TEXT] [--every-way] [--trl-python PATH]

Both sides draw the votes, vote, and make one AdamW update, each in a process of its own with torch's own
number of threads; they take turns and start from the same weights. Times are seconds per step.

    same work   a random Llama of 2.9 M parameters, 16 questions of 8 characters, 16 completions of 48
                tokens each, all of them trained (answers are such that every group disagrees), in
                float32 and bfloat16
    demo        the embedded model on the demo's questions with the defaults of a run: 64 votes, 32
                trained. Ours folds equal completions, leaves groups without variance out and shares
                prefixes; TRL counts 64 votes and trains 32 (a rollout function) or all 64, whichever
                is faster.

TRL runs with every setting that makes it faster (no checkpointing of activations, no logging, no reference)
and in several ways (size of micro-batches, kind of bfloat16); each is tried and the fastest one
is measured. It gets an environment of its own, made on first use under ~/.cache/ttrl/benchmarks.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from transformers.utils import logging

from benchmarks.machine import Watch
from benchmarks.models import LLAMA_3M, save_random
from benchmarks.pairing import Row, paired, tell
from benchmarks.workers import Answer, Worker
from ttrl.config import RunConfig
from ttrl.runs.session import open_session
from ttrl.training.loop import questions_of_step

HERE = Path(__file__).parent
TRL_VERSION = "1.16.0"
WARM_UP = 2
TRIAL = 2
"""Steps that decide which of TRL's ways is measured, after as many for warming up."""
SAME_WORK = {"votes_per_question": 16, "trained_per_question": 16, "max_tokens": 48}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One comparison."""

    name: str
    config: RunConfig
    answer: str
    """How the votes' answers are read: hashed or boxed."""
    ways: tuple[dict[str, Any], ...]
    """TRL's settings to choose from; they override the common ones."""
    target: float


def ways(*kinds: dict[str, Any], micro: tuple[int, ...]) -> tuple[dict[str, Any], ...]:
    """Every kind with every size of micro-batches, in completions."""
    return tuple(kind | {"micro": size} for kind in kinds for size in micro)


FLOAT32 = {"weights": "float32", "autocast": False}
BFLOAT16 = {"weights": "bfloat16", "autocast": False}
MIXED = {"weights": "float32", "autocast": True}
BOTH = {"weights": "bfloat16", "autocast": True}
SELDOM: tuple[dict[str, Any], ...] = ({}, {"cache": "static"}, {"compile": True})
"""Tried with --every-way only: on a CPU a static cache and torch.compile were slower, or as fast."""


def main() -> None:
    """Prints what each side does and how long it takes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="cases whose name holds this text")
    parser.add_argument("--every-way", action="store_true", help="try more of TRL's ways, minutes")
    parser.add_argument("--trl-python", type=Path, help="of an environment that has TRL")
    args = parser.parse_args()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    trl = args.trl_python or trl_environment()
    watch = Watch()
    rows, details = [], {}
    with tempfile.TemporaryDirectory() as folder:
        for case in cases(Path(folder)):
            if args.only in case.name:
                if args.every_way:
                    case = replace(case, ways=tuple(w | m for w in case.ways for m in SELDOM))
                row, detail = compare(case, trl, rounds=args.rounds)
                rows.append(row)
                details[case.name] = detail
                print(f"\n{case.name}")
                for side, told in detail.items():
                    print(f"  {side:<5} " + json.dumps(told), flush=True)
    print()
    tell(rows, as_json=args.json, watch=watch, details=details)


def cases(folder: Path) -> list[Case]:
    """What is compared. `folder` is filled with the random model and its questions."""
    save_random(LLAMA_3M, folder / "model")
    questions = folder / "questions.jsonl"
    with questions.open("w") as file:
        for number in range(64):
            file.write(json.dumps({"question": f"Q{number:03d}+{number:02d}="}) + "\n")
    same: dict[str, Any] = SAME_WORK | {
        "model": str(folder / "model"), "questions": str(questions), "prompt_template": "{question}",
        "learning_rate": 1e-5, "device": "cpu",
    }  # fmt: skip
    kinds = ways(BFLOAT16, MIXED, BOTH, micro=(64, 256))
    return [
        Case(name="same work, float32", config=RunConfig(**same), answer="hashed",
             ways=ways(FLOAT32, micro=(64, 256)), target=1.8),
        Case(name="same work, bfloat16", config=RunConfig(**same, dtype="bfloat16"),
             answer="hashed", ways=kinds, target=2.5),
        Case(name="demo", config=RunConfig(device="cpu"), answer="boxed",
             ways=ways(FLOAT32, FLOAT32 | {"kept": 64}, micro=(64, 256)),
             target=5.0),
    ]  # fmt: skip


def compare(case: Case, trl: Path, *, rounds: int) -> tuple[Row, dict[str, Any]]:
    """Alternates steps of both sides; returns the row and medians of what each told."""
    spec = {"config": case.config.model_dump(exclude_defaults=True), "answer": case.answer}
    with ExitStack() as stack:
        way = fastest(case, trl)
        theirs = stack.enter_context(trl_worker(case, trl, way))
        ours = stack.enter_context(Worker([sys.executable, "-m", "benchmarks.step_ours"], spec))
        for _ in range(WARM_UP):
            ours.step(), theirs.step()
        pairs = [
            (ours.step(), theirs.step()) if n % 2 else (theirs.step(), ours.step())[::-1]
            for n in range(rounds)
        ]
        mine, peer = ([pair[side] for pair in pairs] for side in (0, 1))
        details = {
            "ours": medians(mine) | ours.hello,
            "trl": medians(peer) | theirs.hello | {"way": way},
        }
    took = ([a["seconds"] for a in mine], [a["seconds"] for a in peer])
    return paired(case.name, *took, unit="s/step", target=case.target), details


def fastest(case: Case, trl: Path) -> dict[str, Any]:
    """The best of TRL's ways to do this work, by the median of a few steps each."""
    found = {}
    for place, way in enumerate(case.ways):
        with trl_worker(case, trl, way) as worker:
            for _ in range(WARM_UP):
                worker.step()
            answers = [worker.step() for _ in range(TRIAL)]
        found[place] = statistics.median(a["seconds"] for a in answers)
        print(f"{case.name}, TRL with {way}: {found[place]:.2f} s", flush=True)
    return case.ways[min(found, key=lambda place: found[place])]


def trl_worker(case: Case, trl: Path, way: dict[str, Any]) -> Worker:
    """TRL's side, on the same prompts in the same order of steps."""
    config = case.config
    session = open_session(config)
    asked = session.training.questions
    steps = -(-len(asked) // config.questions_per_step)
    order = [q for n in range(steps) for q in questions_of_step(asked, step=n, config=config)]
    spec = {
        "model": session.source.path,
        "prompts": [session.prompter.render(question) for question in order],
        "answer": case.answer,
        "per_step": config.questions_per_step,
        "votes": config.votes_per_question,
        "kept": config.trained_per_question,
        "max_tokens": config.max_tokens,
        "learning_rate": config.learning_rate,
        "adam_beta2": config.adam_beta2,
    }
    return Worker([trl, HERE / "step_trl.py"], spec | way)


def medians(answers: list[Answer]) -> dict[str, Any]:
    """Of what a side told about its steps, and rates."""
    told = {key: statistics.median(a[key] for a in answers) for key in answers[0]}
    training = statistics.median(a["seconds"] - a["generation"] for a in answers)
    return {key: round(value, 3) for key, value in told.items()} | {
        "training": round(training, 3),
        "sampled_tokens_per_second": round(told["sampled_tokens"] / told["generation"]),
        "tokens_per_second": round(told["sampled_tokens"] / told["seconds"]),
        "peak_mib": round(told["peak_bytes"] / 2**20),
    }


def trl_environment() -> Path:
    """The interpreter of an environment with TRL; installs it on first use, with this one's versions."""
    folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "ttrl" / "benchmarks"
    folder /= f"trl-{TRL_VERSION}"
    python = folder / "bin" / "python"
    done = folder / "installed"
    if not done.exists():
        print(f"installing TRL {TRL_VERSION} into {folder} (once)", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--constraint",
             HERE.parent / "constraints.txt", f"trl=={TRL_VERSION}", "torch", "transformers"],
            check=True,
        )  # fmt: skip
        done.touch()
    return python


if __name__ == "__main__":
    main()
