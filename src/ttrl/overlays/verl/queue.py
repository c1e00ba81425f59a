"""What is read from and written to verl's TransferQueue, where the samples of a step are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import transfer_queue as tq
from tensordict import TensorDict


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSample:
    """An output of a session as it is stored."""

    token_ids: tuple[int, ...]
    """With the stop token.   [T]"""
    logprobs: tuple[float, ...]
    """Under the sampler; empty unless they were asked for.   [T]"""
    extra_info: object
    """Of its row."""


def read_samples(
    keys: Sequence[str], *, partition: str, with_logprobs: bool
) -> dict[str, StoredSample]:
    """The samples of these keys."""
    fields = ["responses", "extra_info", *(["rollout_log_probs"] if with_logprobs else [])]
    data = tq.kv_batch_get(keys=list(keys), partition_id=partition, select_fields=fields)
    tokens = [tuple(row.tolist()) for row in data["responses"].unbind()]
    logprobs: list[tuple[float, ...]] = [()] * len(keys)
    if with_logprobs:
        logprobs = [tuple(row.tolist()) for row in data["rollout_log_probs"].unbind()]
    rows = [getattr(row, "data", row) for row in data["extra_info"]]
    return {
        key: StoredSample(token_ids=ids, logprobs=logs, extra_info=row)
        for key, ids, logs, row in zip(keys, tokens, logprobs, rows, strict=True)
    }


def write_rewards(rewards: Mapping[str, float], *, partition: str, lengths: Sequence[int]) -> None:
    """Puts each reward on the last token of its sample, where verl looks for it.

    Args:
        rewards: by key.
        lengths: tokens of each sample, in the order of `rewards`.
    """
    rows = []
    for reward, length in zip(rewards.values(), lengths, strict=True):
        row = torch.zeros(length, dtype=torch.float32)
        row[-1:] = reward  # nothing of a sample without tokens
        rows.append(row)
    scores = torch.nested.as_nested_tensor(rows, layout=torch.jagged)
    fields: Any = TensorDict({"rm_scores": scores}, batch_size=len(rows))
    tq.kv_batch_put(keys=list(rewards), partition_id=partition, fields=fields)


def drop(keys: Sequence[str], *, partition: str) -> None:
    """Takes samples out. verl clears only what it has trained on."""
    if keys:
        tq.kv_clear(keys=list(keys), partition_id=partition)
