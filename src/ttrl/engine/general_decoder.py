"""One token per row and call, through the Hugging Face model: every architecture with attention alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from ttrl.engine.fast.prompts import Indices, padded
from ttrl.engine.kv_cache import RowCache
from ttrl.errors import ModelError


class GeneralDecoder:
    """Decodes a batch of questions: `admit` it, then `step` after `step`."""

    admits = False

    def __init__(self, model: PreTrainedModel, *, max_tokens: int) -> None:
        self._model = model
        self._max_tokens = max_tokens

    def admit(self, places: Indices, prompts: Sequence[Sequence[int]], *, after: int) -> Tensor:
        """Logits after each prompt [Q, V], whose rows are the only ones. All write the same column.

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
        """Row targets[i] becomes a copy of row sources[i]; room is made for `rows` rows."""
        self._cache.copy_rows(self._on_device(sources), self._on_device(targets), rows)

    def step(self, tokens: Indices, parents: Indices) -> Tensor:
        """Logits after one more token in each row.   [R] -> [R, V]

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
    """Layers that keep keys and values."""
    return int(model.config.get_text_config().num_hidden_layers)
