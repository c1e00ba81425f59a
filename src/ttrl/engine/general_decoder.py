"""Decodes one token per row and call through the Hugging Face model, for every attention-only architecture.

Its cache of keys and values is one block per layer, active rows first, so that attention reads views and
never a copy while rows are split, moved and dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.cache_utils import Cache, CacheLayerMixin

from ttrl.engine.fast.prompts import Indices, padded
from ttrl.errors import ModelError

_GROWTH = 1.5


class GeneralDecoder:
    """Decodes a batch of questions: `admit` it, then `step` after `step`."""

    admits = False

    def __init__(self, model: PreTrainedModel, *, max_tokens: int) -> None:
        self._model = model
        self._max_tokens = max_tokens

    def admit(self, places: Indices, prompts: Sequence[Sequence[int]], *, after: int) -> Tensor:
        """Computes the logits after each prompt, [Q, V]. There are no other rows; all write the same column.

        Raises:
            ModelError: an architecture whose cache cannot be split into rows.
        """
        assert after == 0, "its rows end together"
        ids, mask = padded(prompts, self._model.device)
        width = ids.shape[1]
        position = (mask.cumsum(1) - 1).clamp(min=0)
        self._mask = None if len({len(p) for p in prompts}) == 1 else mask
        self._position = position[:, -1]
        self._cache = RowCache(layers=layer_count(self._model), longest=width + self._max_tokens)
        logits = self._forward(ids, position)
        if any(layer.get_seq_length() != width for layer in self._cache.row_layers):
            raise ModelError(
                f"{type(self._model).__name__} keeps a state other than keys and values in some layers; "
                "the native sampler needs attention in every layer. Use another model."
            )
        return logits

    def copy_rows(self, sources: Indices, targets: Indices, rows: int) -> None:
        """Makes row targets[i] a copy of row sources[i], with room for `rows` rows."""
        self._cache.copy_rows(self._on_device(sources), self._on_device(targets), rows)

    def step(self, tokens: Indices, parents: Indices) -> Tensor:
        """Computes the logits after one more token in each row.   [R] -> [R, V]

        Args:
            parents: the row that each row was before the last `copy_rows`.   [R]
        """
        before = self._on_device(parents)
        self._position = self._position[before] + 1
        if self._mask is not None:
            seen = self._mask.new_ones(len(tokens), 1)
            self._mask = torch.cat([self._mask[before], seen], dim=1)
        return self._forward(self._on_device(tokens).unsqueeze(1), self._position.unsqueeze(1))

    def _on_device(self, indices: Indices) -> Tensor:
        return torch.from_numpy(indices).to(self._model.device)

    def _forward(self, ids: Tensor, position: Tensor) -> Tensor:
        output: Any = self._model(
            input_ids=ids,
            position_ids=position,
            attention_mask=self._mask,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        )
        return output.logits[:, -1]  # type: ignore[no-any-return]


def layer_count(model: PreTrainedModel) -> int:
    """Returns the number of layers that keep keys and values."""
    return int(model.config.get_text_config().num_hidden_layers)


class RowLayer(CacheLayerMixin):  # type: ignore[no-untyped-call]
    """Keys and values of one layer, [capacity, heads, longest, head size]; rows x length are in use.

    Sliding-window layers keep all positions too; the window is then the mask's business.
    """

    is_sliding = False

    def __init__(self, longest: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.longest = longest
        self.length = 0

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        rows = key_states.shape[0]
        self.keys = _block(key_states, rows, self.longest)
        self.values = _block(value_states, rows, self.longest)
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: object, **kwargs: object
    ) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        assert self.keys is not None and self.values is not None
        rows, end = key_states.shape[0], self.length + key_states.shape[2]
        self.keys[:rows, :, self.length : end] = key_states
        self.values[:rows, :, self.length : end] = value_states
        self.length = end
        return self.keys[:rows, :, :end], self.values[:rows, :, :end]

    def copy_rows(self, sources: Tensor, targets: Tensor, rows: int) -> None:
        """Makes row targets[i] a copy of row sources[i], with room for `rows` rows."""
        assert self.keys is not None and self.values is not None
        if rows > self.keys.shape[0]:
            self.keys = _grown(self.keys, rows, self.length)
            self.values = _grown(self.values, rows, self.length)
        for block in (self.keys, self.values):
            used = block[:, :, : self.length]
            used[targets] = used[sources]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.length + query_length, 0

    def get_seq_length(self) -> int:
        return self.length

    def get_max_length(self) -> int:
        return self.longest


class RowCache(Cache):
    """The keys and values of one batch of questions."""

    def __init__(self, *, layers: int, longest: int) -> None:
        self.row_layers = [RowLayer(longest) for _ in range(layers)]
        super().__init__(layers=list(self.row_layers))

    def copy_rows(self, sources: Tensor, targets: Tensor, rows: int) -> None:
        """Makes row targets[i] a copy of row sources[i] in every layer."""
        for layer in self.row_layers:
            layer.copy_rows(sources, targets, rows)


def _block(like: Tensor, rows: int, longest: int) -> Tensor:
    _, heads, _, size = like.shape
    return like.new_empty(rows, heads, longest, size)


def _grown(block: Tensor, rows: int, length: int) -> Tensor:
    capacity = max(rows, int(block.shape[0] * _GROWTH))
    grown = block.new_empty(capacity, *block.shape[1:])
    grown[: block.shape[0], :, :length] = block[:, :, :length]
    return grown
