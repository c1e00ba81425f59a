"""Decodes one token per row and call on the CPU, by compiled kernels.

The keys and values of a prompt are kept once for each question, whatever the number of its rows; rows
keep what they have decoded themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from ttrl.engine.fast.native import NativeModel
from ttrl.engine.fast.prompts import Indices, Rows, prefill
from ttrl.engine.fast.weights import Weights

_FIRST_ROOM = 64
"""Positions that rows have room for at first; doubled when they are full."""


class NativeDecoder:
    """Decodes rows of questions: `admit` some, then `step` after `step`; more may be admitted later."""

    admits = True

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        max_tokens: int,
        longest_prompt: int,
        questions: int,
        rows: int,
        dtype: torch.dtype,
    ) -> None:
        """Args: questions, rows: the most that run at the same time. dtype: the type to decode in."""
        self._model = model
        weights = Weights(model, dtype=dtype)
        self._native = NativeModel(weights, longest=longest_prompt + max_tokens)
        self._rows = Rows()
        self._heads, self._size = weights.shape.kv_heads, weights.shape.head_size
        self._prompt_room = self._whole_panels(longest_prompt)
        self._longest = self._whole_panels(max_tokens)
        self._room = min(_FIRST_ROOM, self._longest)
        self._prompt_length = np.zeros(questions, dtype=np.int64)
        self._capacity = rows
        # Zeros: whole panels are read, also positions that no prompt has filled.
        self._prompts = [
            self._blocks_for(questions, self._prompt_room, torch.zeros) for _ in weights.layers
        ]
        # Memory that nobody has written yet takes no room, so there is place for all rows at once.
        self._blocks = [self._blocks_for(rows, self._room, torch.empty) for _ in weights.layers]
        self._tell_kernels()

    def admit(self, places: Indices, prompts: Sequence[Sequence[int]], *, after: int) -> Tensor:
        """Computes the logits after each prompt, [Q, V]; each gets a row after the first `after` rows."""
        logits, layers = prefill(self._model, prompts)
        self._prompt_length[places] = [len(prompt) for prompt in prompts]
        for (keys, values), (prompt_keys, prompt_values) in zip(layers, self._prompts, strict=True):
            for place, prompt, key, value in zip(places, prompts, keys, values, strict=True):
                self._native.store_prompt(
                    key, value, len(prompt), prompt_keys[place], prompt_values[place]
                )
        self._rows.add(places, prompts, after=after)
        return logits

    def copy_rows(self, sources: Indices, targets: Indices, rows: int) -> None:
        """Makes row targets[i] a copy of row sources[i]."""
        self._native.copy_rows(sources, targets, self._rows.length, room=self._room)

    def step(self, tokens: Indices, parents: Indices) -> Tensor:
        """Computes the logits after one more token in each row.   [R] -> [R, V]

        Args:
            parents: the row that each row was before the last `copy_rows`.   [R]
        """
        rows = self._rows
        rows.take(parents)
        if rows.length.max() == self._room:
            self._lengthen(min(2 * self._room, self._longest))
        logits = self._native.step(
            tokens, rows.position, rows.owner, rows.length, self._prompt_length,
            prompt_room=self._prompt_room, room=self._room,
        )  # fmt: skip
        rows.length = rows.length + 1
        return logits

    def _lengthen(self, room: int) -> None:
        """Room for so many positions in each row."""
        used, rows = self._room, len(self._rows)
        for index, (keys, values) in enumerate(self._blocks):
            longer_keys, longer_values = self._blocks_for(self._capacity, room, torch.empty)
            longer_keys[:rows, :, : used * self._size] = keys[:rows]
            longer_values[:rows, ..., : used * self._native.panel] = values[:rows]
            self._blocks[index] = (longer_keys, longer_values)
        self._room = room
        self._tell_kernels()

    def _tell_kernels(self) -> None:
        for index, (prompts, own) in enumerate(zip(self._prompts, self._blocks, strict=True)):
            self._native.cache(index, (*prompts, *own))

    def _blocks_for(
        self, rows: int, room: int, make: Callable[..., Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Packed keys [rows, KV, room D] and values [rows, KV, D / panel, room panel]."""
        panel, dtype = self._native.panel, self._native.dtype
        return (
            make(rows, self._heads, room * self._size, dtype=dtype),
            make(rows, self._heads, -(-self._size // panel), room * panel, dtype=dtype),
        )

    def _whole_panels(self, positions: int) -> int:
        return -(-positions // self._native.panel) * self._native.panel
