"""A preallocated key-value cache whose rows can be split, moved and dropped while decoding.

Rows live in one block per layer, active ones first, so that attention reads views and never a copy.
"""

from __future__ import annotations

from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

_GROWTH = 1.5


class RowLayer(CacheLayerMixin):  # type: ignore[no-untyped-call]
    """Keys and values of one layer: [capacity, heads, longest, head size], of which rows x length is used.

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
        """Row targets[i] becomes a copy of row sources[i]; room is made for `rows` rows."""
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
    """The cache of one batch of questions."""

    def __init__(self, *, layers: int, longest: int) -> None:
        self.row_layers = [RowLayer(longest) for _ in range(layers)]
        super().__init__(layers=list(self.row_layers))

    def copy_rows(self, sources: Tensor, targets: Tensor, rows: int) -> None:
        """Row targets[i] becomes a copy of row sources[i] in every layer."""
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
