"""A server that samples and workers that learn, on a CPU: the embedded model by plain torch and transformers.

verl's own need GPUs. Everything between the two, and the loss, is verl's. Ray's processes import this file by
its name.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import torch
import transfer_queue as tq
from tensordict import TensorDict
from transformers import AutoModelForCausalLM
from verl.trainer.ppo.core_algos import get_policy_loss_fn
from verl.utils.config import omega_conf_to_dataclass
from verl.workers.rollout.replica import TokenOutput


class SharedWeights:
    """verl's checkpoint engine in one file: the workers write it, the server reads it."""

    def __init__(self, path: Path, model: Any) -> None:
        self.path, self.model = path, model

    def update_weights(self, *_: Any) -> None:
        unfinished = self.path.with_suffix(".part")
        torch.save(self.model.state_dict(), unfinished)
        unfinished.replace(self.path)

    def sleep_replicas(self) -> None: ...


class CpuServer:
    """Samples at temperature 1 with the newest weights, requests that come together in one batch."""

    def __init__(self, folder: Path, weights: Path, *, longest: int) -> None:
        self.folder, self.weights, self.longest = folder, weights, longest
        self.model: Any = None
        self.read = 0.0
        self.waiting: list[tuple[list[int], Any, asyncio.Future[TokenOutput]]] = []

    async def generate(self, request_id: str, **request: Any) -> TokenOutput:
        answer: asyncio.Future[TokenOutput] = asyncio.get_running_loop().create_future()
        self.waiting.append((list(request["prompt_ids"]), request["sampling_params"], answer))
        if len(self.waiting) == 1:
            await asyncio.sleep(0.3)
            batch, self.waiting = self.waiting, []
            self._serve(batch)
        return await answer

    def _serve(self, batch: list[Any]) -> None:
        self._load()
        pad, longest = self.model.config.pad_token_id, max(len(ids) for ids, _, _ in batch)
        rows = torch.tensor([[pad] * (longest - len(ids)) + ids for ids, _, _ in batch])
        mask = torch.tensor([[0] * (longest - len(ids)) + [1] * len(ids) for ids, _, _ in batch])
        done = self.model.generate(
            rows,
            attention_mask=mask,
            do_sample=True,
            temperature=1.0,
            top_k=0,
            max_new_tokens=self.longest,
            return_dict_in_generate=True,
            output_scores=True,
        )
        logprobs = torch.stack(done.scores, dim=1).log_softmax(-1)
        sampled = done.sequences[:, longest:]
        for row, ids in enumerate(sampled.tolist()):
            stop = self.model.config.eos_token_id
            length = ids.index(stop) + 1 if stop in ids else len(ids)
            own = logprobs[row, range(length), ids[:length]].tolist()
            batch[row][2].set_result(
                TokenOutput(
                    token_ids=ids[:length],
                    log_probs=own,
                    stop_reason="completed",
                    extra_fields={"global_steps": 0, "min_global_steps": 0, "max_global_steps": 0},
                )
            )

    def _load(self) -> None:
        if self.model is None:
            torch.set_num_threads(1)
            torch.manual_seed(0)
            self.model = AutoModelForCausalLM.from_pretrained(self.folder).eval()
        newest = os.stat(self.weights).st_mtime
        if newest != self.read:
            self.model.load_state_dict(torch.load(self.weights, weights_only=True))
            self.read = newest


class LearningWorkers:
    """One copy of the model in the trainer's process, updated by verl's clipped loss and AdamW."""

    def __init__(self, model: Any, config: Any) -> None:
        self._dispatch_info = {"actor": [0]}
        self.model = model
        self.actor = omega_conf_to_dataclass(config.actor_rollout_ref.actor)
        self.actor.global_batch_info.update(dp_size=1)
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=self.actor.optim.lr)

    def compute_log_prob(self, batch: Any) -> Any:
        data = self._read(batch, "input_ids")
        rows = [row.unsqueeze(0) for row in data["input_ids"].unbind()]
        with torch.no_grad():
            logits = [self.model(input_ids=row).logits[0] for row in rows]
        # verl stores at each place what the model says of the next token
        logprobs, entropies = [], []
        for row, found in zip(rows, logits, strict=True):
            log = found.log_softmax(-1)
            following = torch.cat([row[0, 1:], row[0, :1]])
            logprobs.append(log.gather(-1, following.unsqueeze(-1)).squeeze(-1))
            entropies.append(-(log.exp() * log).sum(-1))
        fields = TensorDict(
            {
                "log_probs": torch.nested.as_nested_tensor(logprobs, layout=torch.jagged),
                "entropy": torch.nested.as_nested_tensor(entropies, layout=torch.jagged),
            },
            batch_size=len(rows),
        )
        return tq.kv_batch_put(keys=batch.keys, partition_id=batch.partition_id, fields=fields)

    def update_actor(self, batch: Any) -> Any:
        size = batch.extra_info["mini_batch_size"]
        metrics: dict[str, list[float]] = {"loss": [], "grad_norm": []}
        for low in range(0, len(batch), size):
            loss = self._loss(batch.select_keys(batch.keys[low : low + size]))
            self.optimizer.zero_grad()
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()
            metrics["loss"].append(float(loss))
            metrics["grad_norm"].append(float(norm))
        return {"metrics": metrics | {"mfu": [0.0]}}

    def _loss(self, batch: Any) -> torch.Tensor:
        data = self._read(
            batch, "input_ids", "responses", "response_mask", "advantages", "old_log_probs"
        )
        lengths = [len(row) for row in data["responses"].unbind()]
        rows = data["input_ids"].unbind()
        whole = torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True)
        mask = torch.nn.utils.rnn.pad_sequence(
            [torch.ones(len(row), dtype=torch.int64) for row in rows], batch_first=True
        )
        log = self.model(input_ids=whole, attention_mask=mask).logits.log_softmax(-1)
        chosen = log[:, :-1].gather(-1, whole[:, 1:].unsqueeze(-1)).squeeze(-1)
        own = [
            chosen[i, len(row) - 1 - length : len(row) - 1]
            for i, (row, length) in enumerate(zip(rows, lengths, strict=True))
        ]
        padded = {
            name: torch.nn.utils.rnn.pad_sequence(list(data[name].unbind()), batch_first=True)
            for name in ("response_mask", "advantages", "old_log_probs")
        }
        loss, _ = get_policy_loss_fn("vanilla")(
            old_log_prob=padded["old_log_probs"],
            log_prob=torch.nn.utils.rnn.pad_sequence(own, batch_first=True),
            advantages=padded["advantages"],
            response_mask=padded["response_mask"].bool(),
            loss_agg_mode=self.actor.loss_agg_mode,
            config=self.actor,
        )
        return loss

    @staticmethod
    def _read(batch: Any, *fields: str) -> Any:
        return tq.kv_batch_get(
            keys=batch.keys, partition_id=batch.partition_id, select_fields=list(fields)
        )
