"""One token per row and call, for the Llama family.

The keys and values of a prompt are kept once for each question, whatever the number of its rows; rows
keep what they have decoded themselves. On the CPU a compiled kernel does the attention, on CUDA the whole
step is one graph, captured for a few numbers of rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer

from ttrl.engine.fast import kernel
from ttrl.engine.fast.weights import Layer, Weights, is_supported

_FIRST_ROOM = 64
"""Positions that rows have room for at first; doubled when they are full."""
_FEWEST_ROWS = 8


def can_decode(model: PreTrainedModel) -> bool:
    """Whether this decoder computes what the model would, faster."""
    if not is_supported(model):
        return False
    return model.device.type == "cuda" or kernel.compiled() is not None


def decoder_note(model: PreTrainedModel) -> str:
    """Which decoder samples from the model, and why not the fast one."""
    if can_decode(model):
        return "fast"
    if is_supported(model):
        return "general (slower): no C compiler is found for the fast one"
    return "general (slower): the fast one knows Llama, Qwen2 and Qwen3"


@dataclass(slots=True)
class _Cache:
    """Keys and values of one layer."""

    prompt_keys: Tensor
    """[Q, KV, D, P]"""
    prompt_values: Tensor
    """[Q, KV, P, D]"""
    keys: Tensor
    """[capacity, KV, D, room]"""
    values: Tensor
    """[capacity, KV, room, D]"""


class FastDecoder:
    """Decodes a batch of questions: `prefill` once, then `step` after `step`."""

    def __init__(self, model: PreTrainedModel, *, max_tokens: int) -> None:
        self._model = model
        self._max_tokens = max_tokens
        self._weights = Weights(model)
        self._graphs: dict[int, _Graph] = {}
        self._length = 0

    def prefill(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Logits after each prompt.

        Args:
            ids: padded on the left.   [Q, P]
            mask: 1 where a token is.   [Q, P]
        """
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        cache = DynamicCache(config=self._model.config)
        output = self._model(
            input_ids=ids,
            position_ids=positions,
            attention_mask=None if bool(mask.all()) else mask,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        questions, width = ids.shape
        self._cos, self._sin = self._weights.rotation(width + self._max_tokens)
        self._start = width - mask.sum(1)
        self._owner = torch.arange(questions, device=ids.device)
        self._position = positions[:, -1]
        room = min(_FIRST_ROOM, self._max_tokens)
        self._caches = []
        for layer in cache.layers:
            assert isinstance(layer, DynamicLayer)
            keys, values = layer.keys, layer.values
            assert keys is not None and values is not None
            _, heads, _, size = keys.shape
            self._caches.append(
                _Cache(
                    prompt_keys=keys.transpose(2, 3).contiguous(),
                    prompt_values=values.contiguous(),
                    keys=_block(keys, _FEWEST_ROWS, heads, size, room),
                    values=_block(values, _FEWEST_ROWS, heads, room, size),
                )
            )
        self._make_room(questions)
        return output.logits[:, -1]  # type: ignore[no-any-return]

    def copy_rows(self, sources: Tensor, targets: Tensor, rows: int) -> None:
        """Row targets[i] becomes a copy of row sources[i]; room is made for `rows` rows."""
        self._make_room(rows)
        for cache in self._caches:
            keys, values = cache.keys[..., : self._length], cache.values[:, :, : self._length]
            keys[targets] = keys[sources]
            values[targets] = values[sources]

    def step(self, tokens: Tensor, parents: Tensor) -> Tensor:
        """Logits after one more token in each row.   [R] -> [R, V]

        Args:
            parents: the row that each row was before the last `copy_rows`.   [R]
        """
        self._owner = self._owner[parents]
        self._position = self._position[parents] + 1
        self._make_room(len(tokens))
        if tokens.is_cuda:
            logits = self._replay(tokens)
        else:
            logits = self._forward(tokens, self._position, self._owner, None)
        self._length += 1
        return logits

    # The model --------------------------------------------------------------------------------

    def _forward(
        self, tokens: Tensor, position: Tensor, owner: Tensor, place: Tensor | None
    ) -> Tensor:
        """Args: place: column to write, on the device; None takes `_length` and the kernel.   [1]"""
        weights, eps = self._weights, self._weights.shape.eps
        hidden = weights.embedding[tokens]
        cos, sin = self._cos[position].unsqueeze(1), self._sin[position].unsqueeze(1)
        for layer, cache in zip(weights.layers, self._caches, strict=True):
            x = _normed(hidden, layer.input_norm, eps)
            mixed = self._attention(layer, cache, x, cos, sin, owner, place)
            hidden = hidden + layer.output(mixed)
            x = layer.gate_up(_normed(hidden, layer.mlp_norm, eps))
            gate, up = x.chunk(2, dim=-1)
            hidden = hidden + layer.down(functional.silu(gate) * up)
        return weights.head(_normed(hidden, weights.norm, eps))

    def _attention(
        self,
        layer: Layer,
        cache: _Cache,
        x: Tensor,
        cos: Tensor,
        sin: Tensor,
        owner: Tensor,
        place: Tensor | None,
    ) -> Tensor:
        shape, rows = self._weights.shape, x.shape[0]
        heads, kv_heads, size = shape.heads, shape.kv_heads, shape.head_size
        qkv = layer.qkv(x).view(rows, heads + 2 * kv_heads, size)
        turned, value = qkv[:, : heads + kv_heads], qkv[:, heads + kv_heads :]
        if layer.query_norm is not None and layer.key_norm is not None:
            query = _normed(turned[:, :heads], layer.query_norm, shape.eps)
            key = _normed(turned[:, heads:], layer.key_norm, shape.eps)
            turned = torch.cat([query, key], dim=1)
        halves = turned.view(*turned.shape[:-1], 2, size // 2).flip(-2).flatten(-2)
        turned = turned * cos + halves * sin
        query, key = turned[:, :heads], turned[:, heads:]
        if place is None:
            cache.keys[:rows, :, :, self._length] = key
            cache.values[:rows, :, self._length] = value
            mixed = kernel.attend(
                query.contiguous(),
                cache.prompt_keys,
                cache.prompt_values,
                owner,
                self._start,
                cache.keys,
                cache.values,
                self._length + 1,
            )
        else:
            cache.keys[:rows].index_copy_(3, place, key.unsqueeze(-1))
            cache.values[:rows].index_copy_(2, place, value.unsqueeze(2))
            mixed = self._plain_attention(cache, query, owner, place)
        return mixed.reshape(rows, heads * size)

    def _plain_attention(
        self, cache: _Cache, query: Tensor, owner: Tensor, place: Tensor
    ) -> Tensor:
        rows, heads, size = query.shape
        kv_heads, width, room = (
            cache.keys.shape[1],
            cache.prompt_keys.shape[-1],
            cache.keys.shape[-1],
        )
        grouped = query.view(rows, kv_heads, heads // kv_heads, size) * size**-0.5
        scores = torch.cat(
            [grouped @ cache.prompt_keys[owner], grouped @ cache.keys[:rows]], dim=-1
        ).float()
        columns = torch.arange(width + room, device=query.device)
        padding = columns.unsqueeze(0) < self._start[owner].unsqueeze(1)
        hidden = padding | (columns > width + place)
        weights = (
            scores.masked_fill(hidden[:, None, None], float("-inf")).softmax(-1).to(query.dtype)
        )
        own = weights[..., width:] @ cache.values[:rows]
        return weights[..., :width] @ cache.prompt_values[owner] + own

    # Room -------------------------------------------------------------------------------------

    def _make_room(self, rows: int) -> None:
        """Room for so many rows, and for one more position."""
        have, room = self._caches[0].keys.shape[0], self._caches[0].keys.shape[3]
        wanted = max(have, _bucket(rows))
        columns = min(2 * room, self._max_tokens) if self._length == room else room
        if (wanted, columns) == (have, room):
            return
        self._graphs.clear()
        for cache in self._caches:
            _, heads, size, _ = cache.keys.shape
            keys = _block(cache.keys, wanted, heads, size, columns)
            values = _block(cache.values, wanted, heads, columns, size)
            keys[:have, ..., : self._length] = cache.keys[..., : self._length]
            values[:have, :, : self._length] = cache.values[:, :, : self._length]
            cache.keys, cache.values = keys, values

    # CUDA -------------------------------------------------------------------------------------

    def _replay(self, tokens: Tensor) -> Tensor:
        """The step as a graph. Rows beyond those in use compute something that nobody reads."""
        rows = len(tokens)
        size = _bucket(rows)
        graph = self._graphs.get(size)
        if graph is None:
            graph = self._graphs[size] = _Graph(self, size, tokens.device)
        graph.tokens[:rows] = tokens
        graph.position[:rows] = self._position
        graph.owner[:rows] = self._owner
        graph.place.fill_(self._length)
        graph.graph.replay()
        return graph.logits[:rows]


class _Graph:
    """A captured step for a number of rows, with the tensors that it reads and writes."""

    def __init__(self, decoder: FastDecoder, rows: int, device: torch.device) -> None:
        self.tokens = torch.zeros(rows, dtype=torch.long, device=device)
        self.position = torch.zeros(rows, dtype=torch.long, device=device)
        self.owner = torch.zeros(rows, dtype=torch.long, device=device)
        # Warm-up and capture write this column; the replay that follows writes it again.
        self.place = torch.full((1,), decoder._length, dtype=torch.long, device=device)
        arguments = (self.tokens, self.position, self.owner, self.place)
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            decoder._forward(*arguments)
        torch.cuda.current_stream().wait_stream(stream)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.logits = decoder._forward(*arguments)


def _block(like: Tensor, *shape: int) -> Tensor:
    """On CUDA unused columns are multiplied with weights of 0, so they must hold numbers."""
    return like.new_zeros(shape) if like.is_cuda else like.new_empty(shape)


def _bucket(rows: int) -> int:
    """The next power of two."""
    return max(_FEWEST_ROWS, 1 << (rows - 1).bit_length())


def _normed(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    return functional.rms_norm(x, weight.shape, weight, eps)
