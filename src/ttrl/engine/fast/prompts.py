"""Runs prompts through the Hugging Face model and tracks the rows that continue them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer

Indices = NDArray[np.int64]


def padded(prompts: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Returns token ids and mask, padded on the left so that all end at the same column.   [Q, P] each"""
    width = max(len(prompt) for prompt in prompts)
    ids = torch.zeros(len(prompts), width, dtype=torch.long)
    mask = torch.zeros(len(prompts), width, dtype=torch.long)
    for row, prompt in enumerate(prompts):
        ids[row, width - len(prompt) :] = torch.tensor(prompt)
        mask[row, width - len(prompt) :] = 1
    return ids.to(device), mask.to(device)


def prefill(
    model: PreTrainedModel, prompts: Sequence[Sequence[int]]
) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
    """Returns the logits after each prompt, [Q, V], and each layer's keys and values, [Q, KV, P, D]."""
    ids, mask = padded(prompts, model.device)
    cache = DynamicCache(config=model.config)
    output = model(
        input_ids=ids,
        position_ids=(mask.cumsum(1) - 1).clamp(min=0),
        attention_mask=None if len({len(p) for p in prompts}) == 1 else mask,
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    )
    found = []
    for layer in cache.layers:
        assert isinstance(layer, DynamicLayer)
        assert layer.keys is not None and layer.values is not None
        found.append((layer.keys, layer.values))
    return output.logits[:, -1], found


class Rows:
    """The question and position of each row. `add` appends rows, and `take` reorders them."""

    def __init__(self) -> None:
        self.owner: Indices = np.zeros(0, dtype=np.int64)
        """The question of each row.   [R]"""
        self.position: Indices = np.zeros(0, dtype=np.int64)
        """Position of the last token of each row, prompt included.   [R]"""
        self.length: Indices = np.zeros(0, dtype=np.int64)
        """Number of decoded tokens in the cache.   [R]"""

    def __len__(self) -> int:
        return len(self.owner)

    def add(self, questions: Indices, prompts: Sequence[Sequence[int]], *, after: int) -> None:
        """Adds a row for each of these questions after the first `after` rows and drops the other rows."""
        last = np.array([len(prompt) - 1 for prompt in prompts], dtype=np.int64)
        self.owner = np.concatenate([self.owner[:after], questions])
        self.position = np.concatenate([self.position[:after], last])
        self.length = np.concatenate([self.length[:after], np.zeros_like(last)])

    def take(self, parents: Indices) -> None:
        """Makes row i the continuation of row parents[i] by one token."""
        self.owner = self.owner[parents]
        self.position = self.position[parents] + 1
        self.length = self.length[parents]
