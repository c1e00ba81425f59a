"""The TRL side of `benchmarks.step`: GRPOTrainer with a majority vote as its reward.

Runs in an environment of its own, so nothing of this project is imported. Its argument is a JSON object
(`benchmarks.step.trl_worker`); it speaks as `benchmarks.workers` says.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import GRPOConfig, GRPOTrainer


def main() -> None:
    """Trains until its standard input ends."""
    spec = json.loads(sys.argv[1])
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # the trainer prints
    votes, kept = spec["votes"], spec["kept"]
    rows = spec["per_step"] * kept
    micro = min(spec["micro"], rows)
    arguments = GRPOConfig(
        output_dir=tempfile.mkdtemp(),
        use_cpu=True, bf16=spec["autocast"], gradient_checkpointing=False,
        report_to=[], logging_strategy="no", save_strategy="no", disable_tqdm=True,
        per_device_train_batch_size=micro, gradient_accumulation_steps=rows // micro,
        num_generations=kept, num_iterations=1, max_steps=1_000_000, shuffle_dataset=False,
        max_completion_length=spec["max_tokens"], temperature=1.0, top_p=1.0, top_k=0,
        beta=0.0, loss_type="dapo", scale_rewards="group",
        learning_rate=spec["learning_rate"], lr_scheduler_type="constant", weight_decay=0.0,
        adam_beta2=spec["adam_beta2"], max_grad_norm=1.0, dataloader_pin_memory=False,
        cache_implementation=spec.get("cache"), torch_compile=spec.get("compile", False),
    )  # fmt: skip
    answer = ANSWERS[spec["answer"]]
    fewer = votes > kept
    trainer = GRPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(
            spec["model"], dtype=getattr(torch, spec["weights"])
        ),
        processing_class=AutoTokenizer.from_pretrained(spec["model"]),
        args=arguments,
        train_dataset=Dataset.from_dict({"prompt": spec["prompts"]}),
        reward_funcs=agreement(answer) if fewer else majority(answer, votes),
        rollout_func=vote_on_more(votes, answer) if fewer else None,
    )
    clock = _Clock(trainer, channel)
    trainer.add_callback(clock)
    clock.say({"threads": torch.get_num_threads(), "torch": torch.__version__})
    trainer.train()


class _Clock(TrainerCallback):
    """Waits before each step, tells afterwards. A step is all from its first token to new weights."""

    def __init__(self, trainer: Any, channel: Any) -> None:
        self._trainer, self._channel = trainer, channel
        self._begin = self._generation = 0.0
        self._rows: dict[str, Any] = {}
        generate, score = trainer._generate, trainer._generate_and_score_completions

        def timed(prompts: Any) -> Any:
            begin = time.perf_counter()
            made = generate(prompts)
            self._generation = time.perf_counter() - begin
            return made

        def seen(inputs: Any) -> Any:
            self._rows = score(inputs)
            return self._rows

        trainer._generate, trainer._generate_and_score_completions = timed, seen

    def say(self, answer: dict[str, Any]) -> None:
        """One line."""
        print(json.dumps(answer), file=self._channel, flush=True)

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        if not sys.stdin.readline():
            os._exit(0)
        Drawn.tokens = 0
        self._begin = time.perf_counter()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        total = time.perf_counter() - self._begin
        rows = self._rows
        trained = int(rows["completion_mask"].sum())
        self.say(
            {
                "seconds": total,
                "generation": self._generation,
                "sampled_tokens": Drawn.tokens or trained,
                "trained_tokens": trained,
                "trained_completions": len(rows["advantages"]),
                "with_gradient": int((rows["advantages"] != 0).sum()),
                "peak_bytes": _peak_bytes(),
            }
        )


class Drawn:
    """Tokens of all votes of this step, where more vote than are trained."""

    tokens = 0


def majority(answer: Callable[[str], str | None], votes: int) -> Callable[..., list[float]]:
    """1 for the completions that agree with most of their group, else 0. Groups are contiguous rows."""

    def reward(completions: list[str], **_: Any) -> list[float]:
        rewards: list[float] = []
        for start in range(0, len(completions), votes):
            answers = [answer(text) for text in completions[start : start + votes]]
            label = _winner(answers)
            rewards += [float(a is not None and a == label) for a in answers]
        return rewards

    return reward


def vote_on_more(votes: int, answer: Callable[[str], str | None]) -> Callable[..., Any]:
    """All votes are drawn and counted; the first `num_generations` of each group are trained."""

    def rollout(prompts: list[str], trainer: Any) -> dict[str, Any]:
        kept = trainer.num_generations
        ids, *_ = trainer._tokenize_prompts(prompts[::kept])
        drawn, _ = trainer._generate_single_turn(
            [prompt for prompt in ids for _ in range(votes)], None, {}, votes
        )
        Drawn.tokens = sum(map(len, drawn))
        texts = trainer.processing_class.batch_decode(drawn, skip_special_tokens=True)
        made: dict[str, Any] = {"prompt_ids": [], "completion_ids": [], "label": []}
        for place, prompt in enumerate(ids):
            group = slice(place * votes, (place + 1) * votes)
            made["prompt_ids"] += [prompt] * kept
            made["completion_ids"] += drawn[group][:kept]
            made["label"] += [_winner([answer(text) for text in texts[group]])] * kept
        return made | {"logprobs": None}

    return rollout


def agreement(answer: Callable[[str], str | None]) -> Callable[..., list[float]]:
    """1 for completions that agree with the label that `vote_on_more` found."""

    def reward(completions: list[str], label: list[str | None], **_: Any) -> list[float]:
        return [
            float(wanted is not None and answer(text) == wanted)
            for text, wanted in zip(completions, label, strict=True)
        ]

    return reward


def _winner(answers: list[str | None]) -> str | None:
    counts = Counter(a for a in answers if a is not None)
    return counts.most_common(1)[0][0] if counts else None


def _hashed(text: str) -> str:
    return str(zlib.crc32(text.encode()) % 4)


def _boxed(text: str) -> str | None:
    found = re.findall(r"\\boxed\{([^{}]*)\}", text)
    return found[-1].strip() if found else None


def _peak_bytes() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


ANSWERS: dict[str, Callable[[str], str | None]] = {"hashed": _hashed, "boxed": _boxed}


if __name__ == "__main__":
    main()
