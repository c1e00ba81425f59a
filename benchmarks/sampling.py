"""Sampling against the general decoder and transformers `generate`, on the same weights and lengths.

    python -m benchmarks.sampling [--json] [--rounds N] [--only TEXT] [--device cuda] [--gguf PATH]

Rows alternate in one process; figures are sampled tokens per second. Models: the embedded one on the demo's
questions (16 questions x 64 votes at temperature 1, each up to its own end), a random Llama of 2.9 M
parameters (16 x 16 rows, 48 tokens; once in float32 with votes drawn in bfloat16), 135 M parameters in
bfloat16 (8 x 16 rows, 48 tokens; of a GGUF file of
SmolLM2-135M with --gguf, else random weights of that shape), and on CUDA a random 0.5 B Qwen2 with LoRA in
bfloat16 (16 x 32 rows, 64 tokens). `generate` repeats each prompt for each of its rows, as it does for users.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Any
from unittest import mock

import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from benchmarks.machine import Watch
from benchmarks.models import (
    LLAMA_3M,
    Workload,
    embedded_workload,
    random_llama,
    random_workload,
    smollm2,
)
from benchmarks.pairing import Row, pair, tell
from ttrl.engine.models import adapt, pick_device
from ttrl.engine.sampler import NativeSampler
from ttrl.types import SamplingParams

Make = Callable[[], Workload]


def main() -> None:
    """Prints one line per workload and peer."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="workloads whose name holds this text")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--gguf", help="SmolLM2-135M as a GGUF file")
    args = parser.parse_args()
    watch, rows = Watch(), []
    for name, target, make in workloads(pick_device(args.device), args.gguf):
        if args.only in name:
            work = make()
            rows.append(compare(f"{name}, against general decoder", work, general, args.rounds))
            rows.append(compare(f"{name}, against generate", work, generate, args.rounds, target))
    tell(rows, as_json=args.json, watch=watch)


def workloads(device: torch.device, gguf: str | None) -> list[tuple[str, float | None, Make]]:
    """What the machine can run: its name, how many times faster than `generate` it should be, the maker."""
    found: list[tuple[str, float | None, Make]] = [
        ("embedded, demo", 5.0, partial(embedded_workload, device)),
        ("2.9 M Llama, float32", 3.0, partial(small, torch.float32, device)),
        ("2.9 M Llama, float32 drawn in bfloat16", 3.0, partial(mixed, device)),
        ("2.9 M Llama, bfloat16", 3.0, partial(small, torch.bfloat16, device)),
        ("135 M Llama, bfloat16", 3.5, partial(medium, gguf, device)),
    ]
    if device.type == "cuda":
        found.append(("0.5 B Qwen2, LoRA, bfloat16", None, partial(qwen2_with_lora, device)))
    return found


def small(dtype: torch.dtype, device: torch.device) -> Workload:
    """256 rows."""
    model = random_llama(LLAMA_3M, dtype).to(device)
    return random_workload(model, prompt=8, questions=16, votes=16, tokens=48)


def mixed(device: torch.device) -> Workload:
    """The option `sampling_dtype`; `generate` has no like of it and stays in float32."""
    return replace(small(torch.float32, device), sampling_dtype=torch.bfloat16)


def medium(gguf: str | None, device: torch.device) -> Workload:
    """128 rows."""
    return random_workload(smollm2(gguf, device), prompt=32, questions=8, votes=16, tokens=48)


def qwen2_with_lora(device: torch.device) -> Workload:
    """The shape of Qwen2.5-0.5B."""
    config = Qwen2Config(
        vocab_size=151_936, hidden_size=896, intermediate_size=4864, num_hidden_layers=24,
        num_attention_heads=14, num_key_value_heads=2, tie_word_embeddings=True,
    )  # fmt: skip
    base: Any = Qwen2ForCausalLM(config)
    model = adapt(base.to(device, torch.bfloat16).eval(), rank=16, seed=0)
    return random_workload(model, prompt=200, questions=16, votes=32, tokens=64)


def compare(
    name: str,
    work: Workload,
    peer: Callable[[Workload, int], float],
    rounds: int,
    target: float | None = None,
) -> Row:
    """Tokens per second of both, alternating, after one run of each for warming up."""
    ours(work, 0)
    peer(work, 0)
    mine, theirs = count(1), count(1)
    row = pair(
        name,
        lambda: ours(work, next(mine)),
        lambda: peer(work, next(theirs)),
        rounds=rounds,
        unit="tokens/s",
        target=target,
    )
    print(f"{row.name}: {row.ratio_median:.2f}", flush=True)
    return row


def ours(work: Workload, seed: int) -> float:
    """The decoder that a run would take."""
    sampler = NativeSampler(
        work.model, work.tokenizer, work.prompter, max_rows=1024, dtype=work.sampling_dtype
    )
    params = SamplingParams(temperature=1.0, max_tokens=work.tokens)
    sampler.sample(work.questions, n=work.votes, params=params, seed=seed)
    return sampler.sampled_tokens / sampler.seconds


def general(work: Workload, seed: int) -> float:
    """The same sampler through the Hugging Face layers."""
    with mock.patch("ttrl.engine.fast.decoder.can_decode", return_value=False):
        return ours(work, seed)


def generate(work: Workload, seed: int) -> float:
    """transformers, with every prompt repeated and padded on the left."""
    prompts = [list(work.prompter.encode(question)) for question in work.questions]
    width = max(map(len, prompts))
    ids = [[0] * (width - len(p)) + p for p in prompts for _ in range(work.votes)]
    mask = [[0] * (width - len(p)) + [1] * len(p) for p in prompts for _ in range(work.votes)]
    device, end = work.model.device, work.tokenizer.eos_token_id
    torch.manual_seed(seed)
    begin = time.perf_counter()
    with torch.inference_mode():
        out = work.model.generate(
            input_ids=torch.tensor(ids, device=device), attention_mask=torch.tensor(mask, device=device),
            do_sample=True, temperature=1.0, top_k=0, top_p=1.0, max_new_tokens=work.tokens,
            pad_token_id=0, eos_token_id=end,
        )[:, width:].cpu()  # fmt: skip
    seconds = time.perf_counter() - begin
    if end is None:
        return float(out.numel() / seconds)
    ended = out == end
    lengths = torch.where(ended.any(1), ended.int().argmax(1) + 1, work.tokens)
    return int(lengths.sum()) / seconds


if __name__ == "__main__":
    main()
