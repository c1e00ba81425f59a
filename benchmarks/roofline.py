"""How much of the machine each phase of a step uses: of its matrix multiplications, of its memory bandwidth.

    python -m benchmarks.roofline [--json] [--rounds N] [--only TEXT] [--gguf PATH]

First the peaks: the best of several square products in float32 and bfloat16, copying and reading a block
far larger than the caches. Then, for three models, decoding, prefill (random models: 16 prompts of 256
tokens), training (forward and backward) and the optimizer: seconds, and the shares of both peaks by the work
that `benchmarks.work` counts. A phase near neither peak loses its time elsewhere: in small operations, in
Python, or in one thread.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from benchmarks.machine import Watch
from benchmarks.models import (
    LLAMA_3M,
    Workload,
    embedded_workload,
    longer,
    random_llama,
    random_workload,
    smollm2,
)
from benchmarks.pairing import Row, seconds, tell
from benchmarks.phases import draw, make_policy, samples_of, update
from benchmarks.work import Phase, Work, work_of
from ttrl.config import RunConfig
from ttrl.data.prompts import Prompter

SIDE = {torch.float32: 2048, torch.bfloat16: 4096}
BLOCK = 1 << 28
"""Bytes of the blocks that are copied and read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peaks:
    """What the machine can do."""

    flops: dict[torch.dtype, float]
    """Per second, in matrix products."""
    copy: float
    """Bytes per second, read and written counted both."""
    read: float
    """Bytes per second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """How long a phase took for its work."""

    name: str
    seconds: float
    work: Work
    dtype: torch.dtype

    def shares(self, peaks: Peaks) -> dict[str, Any]:
        """What it reached of the peaks; of bandwidth, that of copying."""
        flops, moved = self.work.flops / self.seconds, self.work.bytes / self.seconds
        return {
            "name": self.name,
            "gflops_per_second": flops / 1e9,
            "of_peak": flops / peaks.flops[self.dtype],
            "gb_per_second": moved / 1e9,
            "of_bandwidth": moved / peaks.copy,
        }


def main() -> None:
    """Prints the peaks and one line per model and phase."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="models whose name holds this text")
    parser.add_argument("--gguf", help="SmolLM2-135M as a GGUF file")
    args = parser.parse_args()
    watch, found, phases = Watch(), peaks(args.rounds), []
    for name, make in models(args.gguf):
        if args.only in name:
            print(f"measuring {name}", flush=True)
            phases += measure(name, make(), args.rounds)
            found = best(found, peaks(args.rounds))  # a busy moment must not lower them
    rows = [
        Row(name="peak, float32", unit="GFLOP/s", ours=found.flops[torch.float32] / 1e9),
        Row(name="peak, bfloat16", unit="GFLOP/s", ours=found.flops[torch.bfloat16] / 1e9),
        Row(name="peak, copy", unit="GB/s", ours=found.copy / 1e9),
        Row(name="peak, read", unit="GB/s", ours=found.read / 1e9),
        *(Row(name=phase.name, unit="s", ours=phase.seconds) for phase in phases),
    ]
    shares = [phase.shares(found) for phase in phases]
    for told in shares:
        print(
            f"{told['name']:<30}{told['gflops_per_second']:9.1f} GFLOP/s ({told['of_peak']:6.1%})"
            f"{told['gb_per_second']:9.2f} GB/s ({told['of_bandwidth']:6.1%})"
        )
    print()
    tell(rows, as_json=args.json, watch=watch, shares=shares)


def models(gguf: str | None) -> list[tuple[str, Callable[[], Workload]]]:
    """Each with the rows that the other benchmarks draw from it."""

    def small(dtype: torch.dtype) -> Workload:
        return random_workload(
            random_llama(LLAMA_3M, dtype), prompt=8, questions=16, votes=16, tokens=48
        )

    def medium() -> Workload:
        model = smollm2(gguf, torch.device("cpu"))
        return random_workload(model, prompt=32, questions=8, votes=16, tokens=48)

    return [
        ("embedded", partial(embedded_workload, torch.device("cpu"))),
        ("2.9 M, float32", partial(small, torch.float32)),
        ("2.9 M, bfloat16", partial(small, torch.bfloat16)),
        ("135 M, bfloat16", medium),
    ]


def peaks(rounds: int) -> Peaks:
    """The best of several tries: what disturbs a measurement makes it slower, never faster."""
    flops = {}
    for dtype, side in SIDE.items():
        one, other = (torch.randn(side, side).to(dtype) for _ in range(2))
        best = min(seconds(partial(torch.mm, one, other)) for _ in range(rounds + 2))
        flops[dtype] = 2 * side**3 / best
    source = torch.ones(BLOCK // 4)
    target = torch.empty_like(source)
    copied = min(seconds(partial(target.copy_, source)) for _ in range(rounds + 2))
    read = min(seconds(source.sum) for _ in range(rounds + 2))
    return Peaks(flops=flops, copy=2 * BLOCK / copied, read=BLOCK / read)


def best(one: Peaks, other: Peaks) -> Peaks:
    """The higher of each."""
    return Peaks(
        flops={dtype: max(flops, other.flops[dtype]) for dtype, flops in one.flops.items()},
        copy=max(one.copy, other.copy),
        read=max(one.read, other.read),
    )


def measure(name: str, work: Workload, rounds: int) -> list[Measured]:
    """Seconds of each phase, medians over the rounds after one for warming up."""
    model, config = work.model, RunConfig()
    asked = work if isinstance(work.prompter, Prompter) else longer(work, prompt=256)
    dtype = next(model.parameters()).dtype
    policy = make_policy(model)
    took: dict[Phase, list[float]] = {
        "decoding": [],
        "prefill": [],
        "training": [],
        "optimizer": [],
    }
    needed: dict[Phase, Work] = {}
    for seed in range(rounds + 1):
        short, long = draw(work, tokens=1, seed=seed), draw(work, seed=seed)
        filled = draw(asked, votes=1, tokens=1, seed=seed)
        updated = update(policy, samples_of(long.groups, kept=config.trained_per_question))
        read = [len(g.completions[0].prompt_ids) for g in filled.groups]
        prompts = [len(group.completions[0].prompt_ids) for group in long.groups]
        lengths = [len(c.token_ids) for group in long.groups for c in group.completions]
        prompt, middle = statistics.mean(prompts), statistics.mean(lengths) / 2
        steps, rows = max(lengths) - 1, len(lengths)
        passes = -(-updated.computed // config.micro_batch_tokens)
        count = partial(work_of, model=model)
        needed = {
            "decoding": count("decoding", positions=long.computed, context=prompt + middle,
                              passes=steps * -(-rows // config.sampler_rows), logits=long.computed),
            "prefill": count("prefill", positions=sum(read), context=sum(read) / len(read) / 2,
                             passes=1, logits=len(read)),
            "training": count("training", positions=updated.computed, context=prompt + middle,
                              passes=passes, logits=updated.computed),
            "optimizer": count("optimizer", positions=0, context=0.0, passes=1, logits=0),
        }  # fmt: skip
        if seed:
            took["decoding"].append(long.seconds - short.seconds)
            took["prefill"].append(filled.seconds)
            took["training"].append(updated.seconds - updated.optimizer)
            took["optimizer"].append(updated.optimizer)
    return [
        Measured(name=f"{name}, {phase}", seconds=statistics.median(times), work=needed[phase], dtype=dtype)
        for phase, times in took.items()
    ]  # fmt: skip


if __name__ == "__main__":
    main()
