"""Decodes one token per row and call by a CUDA graph, captured for a few numbers of rows.

The keys and values of a prompt are kept once for each question; rows keep what they have decoded. On the
CPU the same arithmetic runs without a graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedModel

from ttrl.engine.fast.prompts import Indices, Rows, prefill
from ttrl.engine.fast.weights import Layer, Weights

_FIRST_ROOM = 64
"""Positions that rows have room for at first; doubled when they are full."""
_FEWEST_ROWS = 8


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


class GraphDecoder:
    """Decodes rows of questions: `admit` some, then `step` after `step`; more may be admitted later."""

    admits = True

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        max_tokens: int,
        longest_prompt: int,
        questions: int,
        dtype: torch.dtype,
    ) -> None:
        """Args: questions: the most that run at the same time. dtype: the type to decode in."""
        self._model = model
        self._max_tokens = max_tokens
        self._width = longest_prompt
        self._weights = weights = Weights(model, dtype=dtype)
        self._graphs: dict[int, _Graph] = {}
        self._rows = Rows()
        self._cos, self._sin = weights.rotation(longest_prompt + max_tokens, dtype=dtype)
        self._start = torch.zeros(questions, dtype=torch.long, device=model.device)
        heads, size = weights.shape.kv_heads, weights.shape.head_size
        room = min(_FIRST_ROOM, max_tokens)
        # Zeros: unused columns are multiplied with weights of 0, so they must hold numbers.
        self._caches = [
            _Cache(
                prompt_keys=self._block(questions, heads, size, longest_prompt),
                prompt_values=self._block(questions, heads, longest_prompt, size),
                keys=self._block(_FEWEST_ROWS, heads, size, room),
                values=self._block(_FEWEST_ROWS, heads, room, size),
            )
            for _ in weights.layers
        ]

    def admit(self, places: Indices, prompts: Sequence[Sequence[int]], *, after: int) -> Tensor:
        """Computes the logits after each prompt, [Q, V]; each gets a row after the first `after` rows."""
        logits, layers = prefill(self._model, prompts)
        first = self._width - max(len(prompt) for prompt in prompts)
        at = torch.from_numpy(places).to(self._start.device)
        starts = torch.tensor([self._width - len(prompt) for prompt in prompts])
        self._start[at] = starts.to(self._start.device)
        for (keys, values), cache in zip(layers, self._caches, strict=True):
            cache.prompt_keys[at, ..., first:] = keys.transpose(2, 3).to(cache.keys.dtype)
            cache.prompt_values[at, :, first:] = values.to(cache.values.dtype)
        self._rows.add(places, prompts, after=after)
        self._make_room(len(self._rows))
        return logits

    def copy_rows(self, sources: Indices, targets: Indices, rows: int) -> None:
        """Makes row targets[i] a copy of row sources[i], with room for `rows` rows."""
        self._make_room(rows)
        used = int(self._rows.length[sources].max(initial=0))
        source, target = (torch.from_numpy(a).to(self._start.device) for a in (sources, targets))
        for cache in self._caches:
            keys, values = cache.keys[..., :used], cache.values[:, :, :used]
            keys[target] = keys[source]
            values[target] = values[source]

    def step(self, tokens: Indices, parents: Indices) -> Tensor:
        """Computes the logits after one more token in each row.   [R] -> [R, V]

        On CUDA they are valid until the next step.

        Args:
            parents: the row that each row was before the last `copy_rows`.   [R]
        """
        rows = self._rows
        rows.take(parents)
        self._make_room(len(rows))
        state = torch.from_numpy(np.stack([tokens, rows.position, rows.owner, rows.length]))
        logits = self._replay(state) if self._start.is_cuda else self._forward(*state)
        rows.length = rows.length + 1
        return logits

    # The model --------------------------------------------------------------------------------

    def _forward(self, tokens: Tensor, position: Tensor, owner: Tensor, place: Tensor) -> Tensor:
        """Args: place: column that each row writes.   [R]"""
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
        place: Tensor,
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
        row = torch.arange(rows, device=x.device)
        cache.keys[row, :, :, place] = key
        cache.values[row, :, place] = value

        width, room = cache.prompt_keys.shape[-1], cache.keys.shape[-1]
        grouped = query.reshape(rows, kv_heads, heads // kv_heads, size) * size**-0.5
        scores = torch.cat(
            [grouped @ cache.prompt_keys[owner], grouped @ cache.keys[:rows]], dim=-1
        ).float()
        columns = torch.arange(width + room, device=x.device)
        hidden = (columns < self._start[owner, None]) | (columns > width + place[:, None])
        weights = scores.masked_fill(hidden[:, None, None], float("-inf")).softmax(-1).to(x.dtype)
        mixed = weights[..., :width] @ cache.prompt_values[owner]
        mixed = mixed + weights[..., width:] @ cache.values[:rows]
        return mixed.reshape(rows, heads * size)

    # Room -------------------------------------------------------------------------------------

    def _make_room(self, rows: int) -> None:
        """Room for so many rows, and for one more position."""
        have, room = self._caches[0].keys.shape[0], self._caches[0].keys.shape[3]
        wanted = max(have, _bucket(rows))
        full = int(self._rows.length.max(initial=0)) == room
        columns = min(2 * room, self._max_tokens) if full else room
        if (wanted, columns) == (have, room):
            return
        self._graphs.clear()
        for cache in self._caches:
            _, heads, size, _ = cache.keys.shape
            keys = self._block(wanted, heads, size, columns)
            values = self._block(wanted, heads, columns, size)
            keys[:have, ..., :room] = cache.keys
            values[:have, :, :room] = cache.values
            cache.keys, cache.values = keys, values

    def _block(self, *shape: int) -> Tensor:
        return self._weights.embedding.new_zeros(shape)

    # CUDA -------------------------------------------------------------------------------------

    def _replay(self, state: Tensor) -> Tensor:
        """The step as a graph. Rows beyond those in use compute something that nobody reads."""
        rows = state.shape[1]
        size = _bucket(rows)
        graph = self._graphs.get(size)
        if graph is None:
            graph = self._graphs[size] = _Graph(self, size, self._start.device)
        graph.state[:, :rows] = state.to(self._start.device)
        graph.graph.replay()
        return graph.logits[:rows]


class _Graph:
    """A captured step for a number of rows, with the tensors that it reads and writes."""

    def __init__(self, decoder: GraphDecoder, rows: int, device: torch.device) -> None:
        self.state = torch.zeros(4, rows, dtype=torch.long, device=device)
        # Warm-up and capture write a column that the replay, or nobody, writes again: the one after
        # those in use, where there is one.
        lengths = decoder._rows.length
        self.state[3, : len(lengths)] = torch.from_numpy(lengths).to(device)
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            decoder._forward(*self.state)
        torch.cuda.current_stream().wait_stream(stream)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.logits = decoder._forward(*self.state)


def _bucket(rows: int) -> int:
    """The next power of two."""
    return max(_FEWEST_ROWS, 1 << (rows - 1).bit_length())


def _normed(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    return functional.rms_norm(x, weight.shape, weight, eps)
