"""Memory of a step by phase, its drift over many steps, and whether logits of a large vocabulary pile up.

    python -m benchmarks.memory [--json] [--steps 100] [--only TEXT]

    phases      peak of the process while it samples and while it updates, a random Llama of 2.9 M parameters,
                16 x 16 completions of 48 tokens, and the embedded model on the demo's questions
    drift       memory around step 10 of the demo against memory at the end, medians of 10 steps, since the
                allocator gives back and takes again; at learning rate 0, so that every step does the
                same work. A growth of under 2 % is the target
    vocabulary  peak of an update above what was there before it, a model of 2 thin layers with 152 k words;
                beside it what the logits of all its tokens would take in float32, once. Training in one
                block would take several times that
    recompute   peak of an update above what was there before it, 2.9 M parameters, without and with
                gradient checkpointing, and how much longer the update takes with it

Figures are MiB of resident memory; each case runs in a process of its own. Linux only.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Callable

import torch

from benchmarks.machine import Watch, forget_peak, peak_bytes, resident_bytes
from benchmarks.models import (
    LLAMA_3M,
    WIDE_VOCABULARY,
    Workload,
    embedded_workload,
    random_llama,
    random_workload,
)
from benchmarks.pairing import Row, tell
from benchmarks.phases import draw, make_policy, samples_of, update
from benchmarks.step_ours import make_steps
from ttrl.config import RunConfig

MIB = 2**20
EARLY, WINDOW = 10, 10
GROWTH = 1.02
ROUNDS = 3


def main() -> None:
    """Prints one line per figure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--only", default="", help="cases whose name holds this text")
    parser.add_argument("--inside", choices=CASES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.inside:
        print(json.dumps(CASES[args.inside](args.steps)))
        return
    watch, rows = Watch(), []
    for case in CASES:
        if args.only in case:
            for name, figure, limit in run_inside(case, args.steps):
                unit = "times" if name.endswith("growth") or name.startswith("time ") else "MiB"
                rows.append(Row(name=f"{case}, {name}", unit=unit, ours=figure, limit=limit))
    tell(rows, as_json=args.json, watch=watch)


Figure = tuple[str, float, float | None]
"""A name, a figure, and what it should not pass."""


def run_inside(case: str, steps: int) -> list[Figure]:
    """A case in a process of its own, whose memory nothing else has touched."""
    command = [sys.executable, "-m", "benchmarks.memory", "--inside", case, "--steps", str(steps)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return [tuple(figure) for figure in json.loads(done.stdout.splitlines()[-1])]


def phases_of(work: Workload) -> list[Figure]:
    """Peaks of both phases, the largest of a few rounds."""
    policy, before = make_policy(work.model), resident_bytes()
    sampling = updating = 0
    for seed in range(ROUNDS):
        forget_peak()
        groups = draw(work, seed=seed).groups
        sampling = max(sampling, peak_bytes())
        forget_peak()
        update(policy, samples_of(groups, kept=RunConfig().trained_per_question))
        updating = max(updating, peak_bytes())
    return [
        ("loaded", before / MIB, None),
        ("peak of sampling", sampling / MIB, None),
        ("peak of the update", updating / MIB, None),
    ]


def small(steps: int) -> list[Figure]:
    """The model of the other benchmarks."""
    model = random_llama(LLAMA_3M)
    return phases_of(random_workload(model, prompt=8, questions=16, votes=16, tokens=48))


def demo(steps: int) -> list[Figure]:
    """The embedded model."""
    return phases_of(embedded_workload(torch.device("cpu")))


def drift(steps: int) -> list[Figure]:
    """The demo for many steps; a run keeps nothing of a step but its labels."""
    run, resident = make_steps(RunConfig(device="cpu", learning_rate=0.0)), []
    for _ in range(max(steps, EARLY + WINDOW)):
        run()
        resident.append(resident_bytes())
    early = statistics.median(resident[EARLY - WINDOW // 2 : EARLY + WINDOW // 2])
    late = statistics.median(resident[-WINDOW:])
    return [
        (f"around step {EARLY}", early / MIB, None),
        (f"around step {len(resident) - WINDOW // 2}", late / MIB, None),
        ("peak", peak_bytes() / MIB, None),
        ("growth", late / early, GROWTH),
    ]


def vocabulary(steps: int) -> list[Figure]:
    """Updates with a vocabulary that is large against everything else."""
    model = random_llama(WIDE_VOCABULARY)
    work = random_workload(model, prompt=8, questions=8, votes=16, tokens=48)
    policy = make_policy(model)
    samples = samples_of(draw(work).groups)
    tokens = update(policy, samples).computed
    forget_peak()
    before = resident_bytes()
    update(policy, samples)
    return [
        ("update above the rest", (peak_bytes() - before) / MIB, None),
        ("logits of all tokens", tokens * WIDE_VOCABULARY.vocabulary * 4 / MIB, None),
        ("gradients", sum(p.numel() for p in model.parameters()) * 4 / MIB, None),
    ]


def recompute(steps: int) -> list[Figure]:
    """The same updates with and without activations made again, in turn; medians."""
    model = random_llama(LLAMA_3M)
    work = random_workload(model, prompt=8, questions=16, votes=16, tokens=48)
    samples = samples_of(draw(work).groups)
    policies = [make_policy(model, gradient_checkpointing=again) for again in (False, True)]
    seconds: list[list[float]] = [[], []]
    peaks: list[list[float]] = [[], []]
    for _ in range(ROUNDS + 1):
        for which, policy in enumerate(policies):
            forget_peak()
            before = resident_bytes()
            seconds[which].append(update(policy, samples).seconds)
            peaks[which].append((peak_bytes() - before) / MIB)
    ratios = [again / kept for kept, again in zip(*seconds, strict=True)][1:]
    return [
        ("update above the rest", statistics.median(peaks[0][1:]), None),
        ("with checkpointing", statistics.median(peaks[1][1:]), None),
        ("time with checkpointing", statistics.median(ratios), None),
    ]


CASES: dict[str, Callable[[int], list[Figure]]] = {
    "small": small,
    "demo": demo,
    "drift": drift,
    "vocabulary": vocabulary,
    "recompute": recompute,
}


if __name__ == "__main__":
    main()
