"""What stands for GPUs in the tests: a server that answers from a script, and workers that learn nothing.

Everything between the two is verl's own. Ray's processes import this file by its name.
"""

from __future__ import annotations

import random
from typing import Any

import torch
import transfer_queue as tq
from tensordict import TensorDict
from verl.workers.rollout.replica import TokenOutput


class ScriptedServer:
    """Answers each request with a text drawn from a list, cut at the longest length."""

    def __init__(self, tokenizer: Any, texts: list[str], *, longest: int) -> None:
        self.tokenizer, self.texts, self.longest = tokenizer, texts, longest
        self.random = random.Random(0)

    async def generate(self, request_id: str, **request: Any) -> TokenOutput:
        text = self.random.choice(self.texts)
        ids = self.tokenizer.encode(text, add_special_tokens=False)
        stop = [self.tokenizer.eos_token_id]
        ids = ids[: self.longest] if len(ids) >= self.longest else ids + stop
        return TokenOutput(
            token_ids=ids,
            log_probs=[-0.5] * len(ids) if request["sampling_params"]["logprobs"] else None,
            stop_reason="completed",
            extra_fields={"global_steps": 0, "min_global_steps": 0, "max_global_steps": 0},
        )


class StillWorkers:
    """A group of workers of two GPUs, with constant log-probabilities, that remembers its updates."""

    def __init__(self) -> None:
        self._dispatch_info = {"actor": [0, 1]}
        self.updates: list[dict[str, Any]] = []

    def compute_log_prob(self, batch: Any) -> Any:
        data = self._read(batch, "input_ids")
        flat = [torch.full((len(row),), -0.5) for row in data["input_ids"].unbind()]
        same = torch.nested.as_nested_tensor(flat, layout=torch.jagged)
        fields = TensorDict({"log_probs": same, "entropy": same}, batch_size=len(flat))
        return tq.kv_batch_put(keys=batch.keys, partition_id=batch.partition_id, fields=fields)

    def update_actor(self, batch: Any) -> Any:
        data = self._read(batch, "advantages", "rm_scores")
        rows = {
            key: {"reward": float(scores.sum()), "advantages": advantages.tolist()}
            for key, scores, advantages in zip(
                batch.keys, data["rm_scores"].unbind(), data["advantages"].unbind(), strict=True
            )
        }
        padding = sum(tag.get("is_padding", False) for tag in batch.tags)
        self.updates.append({"rows": rows, "padding": padding, **batch.extra_info})
        done = {"metrics": {"loss": [0.0], "mfu": [0.0], "grad_norm": [0.0]}}
        return done

    @staticmethod
    def _read(batch: Any, *fields: str) -> Any:
        return tq.kv_batch_get(
            keys=batch.keys, partition_id=batch.partition_id, select_fields=list(fields)
        )


class NoReplicas:
    """Stands for the servers' weights, which never change."""

    def sleep_replicas(self) -> None: ...

    def update_weights(self, *_: Any) -> None: ...


class TwoGpus:
    """Stands for the machines, of which verl only asks how many GPUs they have."""

    def get_n_gpus(self) -> int:
        return 2
