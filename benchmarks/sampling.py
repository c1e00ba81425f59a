"""Sampling against the general decoder and transformers `generate`, on the same weights and lengths.

    python -m benchmarks.sampling [--json] [--rounds N] [--device cuda]

Rows alternate in one process; figures are sampled tokens per second, ratios are ours / peer. Models: the
embedded one on the demo's questions (16 questions x 64 votes at temperature 1, each up to its own end), a
random Llama of 2.9 M parameters (256 rows x 48 tokens), and on CUDA a random 0.5 B Qwen2 with LoRA in
bfloat16 (512 rows x 64 tokens). `generate` repeats each prompt for each of its rows, as it does for users.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from unittest import mock

import torch
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from benchmarks.pairing import machine
from ttrl.answers.tasks import get_task
from ttrl.config import RunConfig
from ttrl.data.prompts import Prompter
from ttrl.engine.adapters import adapt
from ttrl.engine.models.load import load_model, pick_device
from ttrl.engine.models.source import find_model
from ttrl.engine.sampler import NativeSampler
from ttrl.evaluate.sets import build_sets
from ttrl.types import Question, SamplingParams


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A model, its prompts, and how much is drawn."""

    name: str
    model: Any
    tokenizer: Any
    prompter: Any
    questions: Sequence[Question]
    votes: int
    tokens: int


class _NoEnd:
    """A tokenizer of models with random weights: nothing ends before the last token."""

    eos_token_id = None

    def decode(self, ids: list[int], **_: object) -> str:
        return ""


class _Numbers:
    """Prompts of random models: as many tokens as the question says."""

    def encode(self, question: Question) -> tuple[int, ...]:
        return tuple(range(10, 10 + int(question.prompt)))


def main() -> None:
    """Prints one line per workload and peer."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    device, before = pick_device(args.device), machine()
    rows = []
    for work in workloads(device):
        for peer, call in (("general decoder", general), ("generate", generate)):
            rows.append(compare(work, peer, call, rounds=args.rounds))
            told = rows[-1]
            print(
                f"{told['name']:<48} ours {told['ours']:>8,.0f}  peer {told['peer']:>8,.0f}  ratio "
                f"{told['ratio_median']:.1f} ({told['ratio_min']:.1f} to {told['ratio_max']:.1f})",
                flush=True,
            )
    if args.json:
        print(json.dumps({"rows": rows, "machine": machine(), "machine_before": before}))


def workloads(device: torch.device) -> list[Workload]:
    """What the machine can run."""
    loaded = load_model(find_model("ttrl-tiny"), dtype="float32", device=device)
    prompter = Prompter(loaded.tokenizer, template=loaded.prompt_template, task=get_task("math"))
    found = [
        Workload(name="embedded, demo", model=loaded.model, tokenizer=loaded.tokenizer, prompter=prompter,
                 questions=build_sets(RunConfig())[0].questions[:16], votes=64, tokens=96)
    ]  # fmt: skip
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"num_attention_heads": 6, "num_key_value_heads": 6}
    for dtype in (torch.float32, torch.bfloat16):
        small: Any = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=82, hidden_size=192, intermediate_size=576, num_hidden_layers=6, **sizes
            )
        )
        small = small.to(device, dtype).eval()
        found.append(
            _random(f"2.9 M Llama, {dtype}", small, prompt=8, questions=16, votes=16, tokens=48)
        )
    if device.type == "cuda":
        config = Qwen2Config(
            vocab_size=151_936, hidden_size=896, intermediate_size=4864, num_hidden_layers=24,
            num_attention_heads=14, num_key_value_heads=2, tie_word_embeddings=True,
        )  # fmt: skip
        base: Any = Qwen2ForCausalLM(config)
        large = adapt(base.to(device, torch.bfloat16).eval(), rank=16, seed=0)
        found.append(
            _random(
                "0.5 B Qwen2, LoRA, bfloat16", large, prompt=200, questions=16, votes=32, tokens=64
            )
        )
    return found


def _random(
    name: str, model: Any, *, prompt: int, questions: int, votes: int, tokens: int
) -> Workload:
    model.generation_config.eos_token_id = None
    asked = [Question(id=str(number), prompt=str(prompt)) for number in range(questions)]
    return Workload(name=name, model=model, tokenizer=_NoEnd(), prompter=_Numbers(), questions=asked,
                    votes=votes, tokens=tokens)  # fmt: skip


def compare(
    work: Workload, peer: str, call: Callable[[Workload, int], float], *, rounds: int
) -> dict[str, Any]:
    """Tokens per second of both, alternating."""
    ours(work, 0)
    call(work, 0)
    pairs = [(ours(work, n), call(work, n)) if n % 2 else (call(work, n), ours(work, n))[::-1]
             for n in range(1, rounds + 1)]  # fmt: skip
    ratios = [mine / theirs for mine, theirs in pairs]
    return {
        "name": f"{work.name}, against {peer}",
        "ours": statistics.median(mine for mine, _ in pairs),
        "peer": statistics.median(theirs for _, theirs in pairs),
        "ratio_median": statistics.median(ratios),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
        "target": None,
    }


def ours(work: Workload, seed: int) -> float:
    """The decoder that a run would take."""
    sampler = NativeSampler(work.model, work.tokenizer, work.prompter, max_rows=1024)
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
