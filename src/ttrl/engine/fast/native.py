"""Packs the weights of a model for the native kernels and calls the kernels."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, Structure, c_double, c_float, c_int64, c_void_p
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ttrl.engine.fast import kernel
from ttrl.engine.fast.prompts import Indices
from ttrl.engine.fast.weights import Layer, Linear, Weights

_FEW_ROWS = 24
"""With fewer rows for each thread, reading large weights takes longer than using them."""
_LARGE_WEIGHTS = 1 << 23


class _Linear(Structure):
    _fields_ = (("weight", c_void_p), ("bias", c_void_p), ("down", c_void_p), ("rank", c_int64))


class _Layer(Structure):
    _fields_ = (
        ("input_norm", c_void_p), ("query_norm", c_void_p), ("key_norm", c_void_p), ("mlp_norm", c_void_p),
        ("qkv", _Linear), ("output", _Linear), ("gate_up", _Linear), ("down", _Linear),
        ("prompt_keys", c_void_p), ("prompt_values", c_void_p), ("keys", c_void_p), ("values", c_void_p),
    )  # fmt: skip


class _Model(Structure):
    _fields_ = (
        ("hidden", c_int64), ("heads", c_int64), ("kv_heads", c_int64), ("head", c_int64), ("mlp", c_int64),
        ("gate_up", c_int64), ("layers", c_int64), ("vocabulary", c_int64), ("eps", c_double),
        ("embedding", c_void_p), ("norm", c_void_p), ("cosine", c_void_p), ("sine", c_void_p),
        ("head_matrix", _Linear), ("layer", POINTER(_Layer)),
    )  # fmt: skip


class _Batch(Structure):
    _fields_ = (
        ("rows", c_int64), ("threads", c_int64), ("share_columns", c_int64),
        ("tokens", c_void_p), ("position", c_void_p), ("owner", c_void_p), ("length", c_void_p),
        ("prompt_length", c_void_p), ("prompt_room", c_int64), ("room", c_int64), ("stride", c_int64),
        ("hidden", c_void_p), ("qkv", c_void_p), ("scores", c_void_p), ("logits", c_void_p),
        ("x", c_void_p), ("y", c_void_p),
    )  # fmt: skip


class NativeModel:
    """Packed weights; `cache` sets where keys and values are, `step` decodes one token per row."""

    def __init__(self, weights: Weights, *, longest: int) -> None:
        library = kernel.compiled()
        assert library is not None
        self._lanes, self._tile_rows = int(library.lanes()), int(library.tile_rows())
        self.panel = int(library.panel())
        """Caches hold multiples of this many positions and head sizes."""
        self.dtype = weights.embedding.dtype
        suffix = kernel.SUFFIX[self.dtype]
        self._pack, self._packed_size = library[f"pack_{suffix}"], library[f"packed_size_{suffix}"]
        self._packed_size.restype = c_int64
        self._step, self._copy = library[f"step_{suffix}"], library[f"copy_rows_{suffix}"]
        self._store_prompt = library[f"store_prompt_{suffix}"]
        self._kept: list[Tensor] = []
        shape, first = weights.shape, weights.layers[0]
        hidden, mlp = weights.embedding.shape[1], first.down.weight.shape[1]
        wide = (shape.heads + 2 * shape.kv_heads) * shape.head_size
        blocks = -(-mlp // self._lanes)
        self.vocabulary = weights.head.weight.shape[0]
        cosine, sine = weights.rotation(longest, dtype=torch.float32)
        self._layers = (_Layer * len(weights.layers))(*map(self._layer, weights.layers))
        self._model = _Model(
            hidden, shape.heads, shape.kv_heads, shape.head_size, mlp, 2 * blocks * self._lanes,
            len(weights.layers), self.vocabulary, shape.eps, self._keep(weights.embedding),
            self._floats(weights.norm), self._floats(cosine), self._floats(sine),
            self._linear(weights.head), self._layers,
        )  # fmt: skip
        inputs = [hidden, shape.heads * shape.head_size, blocks * self._lanes]
        linears = [weights.head, *(one for layer in weights.layers for one in layer.linears)]
        rank = max((one.down.shape[0] for one in linears if one.down is not None), default=0)
        self._stride = (max(inputs) + rank + 3) // 2 * 2
        self._sizes = (hidden, wide)
        self._large = sum(t.numel() * t.element_size() for t in self._kept) > _LARGE_WEIGHTS
        self._rows = 0

    def store_prompt(
        self, keys: Tensor, values: Tensor, length: int, prompt_keys: Tensor, prompt_values: Tensor
    ) -> None:
        """Packs the last `length` positions of a prompt's keys and values, [KV, P, D] each."""
        heads, width, size = keys.shape
        keys, values = (block.to(self.dtype).contiguous() for block in (keys, values))
        sizes = (heads, width, size, length, prompt_keys.shape[-1] // size)
        self._store_prompt(
            c_void_p(keys.data_ptr()),
            c_void_p(values.data_ptr()),
            *map(c_int64, sizes),
            c_void_p(prompt_keys.data_ptr()),
            c_void_p(prompt_values.data_ptr()),
        )

    def cache(self, layer: int, blocks: tuple[Tensor, Tensor, Tensor, Tensor]) -> None:
        """Sets a layer's blocks: keys and values of prompts, then of rows, laid out as in attention.h."""
        assert all(block.is_contiguous() for block in blocks)
        at = self._layers[layer]
        at.prompt_keys, at.prompt_values, at.keys, at.values = (b.data_ptr() for b in blocks)

    def step(
        self,
        tokens: Indices,
        position: Indices,
        owner: Indices,
        length: Indices,
        prompt_length: Indices,
        *,
        prompt_room: int,
        room: int,
    ) -> Tensor:
        """Computes the logits after one more token in each row.   [R] -> [R, V] float32

        Args:
            position: of the token in its text.   [R]
            owner: question of each row.   [R]
            length: tokens that the row has decoded before, and so the column it writes.   [R]
            prompt_length: of each question.   [Q]
        """
        rows, threads = len(tokens), torch.get_num_threads()
        self._make_room(rows)
        scores = torch.empty(threads * 2 * self._tile_rows * (prompt_room + room))
        logits = torch.empty(rows, self.vocabulary)
        given = [
            np.ascontiguousarray(a, dtype=np.int64)
            for a in (tokens, position, owner, length, prompt_length)
        ]
        batch = _Batch(
            rows, threads, int(self._large and rows < _FEW_ROWS * threads),
            *(a.ctypes.data for a in given), prompt_room, room, self._stride,
            self._hidden.data_ptr(), self._qkv.data_ptr(), scores.data_ptr(), logits.data_ptr(),
            self._x.data_ptr(), self._y.data_ptr(),
        )  # fmt: skip
        self._step(ctypes.byref(self._model), ctypes.byref(batch))
        return logits

    def copy_rows(self, sources: Indices, targets: Indices, length: Indices, *, room: int) -> None:
        """Copies row sources[i], of which length[sources[i]] columns are used, to row targets[i]."""
        given = [np.ascontiguousarray(a, dtype=np.int64) for a in (sources, targets, length)]
        at = [c_void_p(a.ctypes.data) for a in given]
        self._copy(
            ctypes.byref(self._model), at[0], at[1], c_int64(len(sources)), at[2], c_int64(room)
        )

    def _make_room(self, rows: int) -> None:
        if rows > self._rows:
            self._rows = rows
            hidden, wide = self._sizes
            self._hidden, self._qkv = torch.empty(rows, hidden), torch.empty(rows, wide)
            # Zeros: what pads a row is multiplied with weights of 0, so it must hold numbers.
            self._x = torch.zeros(rows, self._stride, dtype=self.dtype)
            self._y = torch.zeros(rows, self._stride, dtype=self.dtype)

    def _layer(self, layer: Layer) -> _Layer:
        return _Layer(
            self._floats(layer.input_norm), self._floats(layer.query_norm),
            self._floats(layer.key_norm), self._floats(layer.mlp_norm),
            self._linear(layer.qkv), self._linear(layer.output),
            self._linear(self._side_by_side(layer.gate_up)), self._linear(layer.down),
            None, None, None, None,
        )  # fmt: skip

    def _side_by_side(self, gate_up: Linear) -> Linear:
        """Vectors of gates and of their ups in turn, so that a panel holds both."""

        def in_turn(rows: Tensor) -> Tensor:
            halves = rows.view(2, rows.shape[0] // 2, -1)
            fill = -halves.shape[1] % self._lanes
            halves = torch.nn.functional.pad(halves, (0, 0, 0, fill))
            turned = halves.view(2, -1, self._lanes, halves.shape[2]).transpose(0, 1)
            return turned.reshape(2 * (rows.shape[0] // 2 + fill), *rows.shape[1:])

        return Linear(
            weight=in_turn(gate_up.weight),
            bias=None if gate_up.bias is None else in_turn(gate_up.bias),
            down=gate_up.down,
            up=None if gate_up.up is None else in_turn(gate_up.up),
        )

    def _linear(self, linear: Linear) -> _Linear:
        if linear.down is None or linear.up is None:
            return _Linear(self._packed(linear.weight), self._floats(linear.bias), None, 0)
        beside = torch.cat([linear.weight, linear.up], dim=1)
        return _Linear(
            self._packed(beside),
            self._floats(linear.bias),
            self._packed(linear.down),
            linear.down.shape[0],
        )

    def _packed(self, matrix: Tensor) -> int:
        rows, columns = matrix.shape
        matrix = matrix.contiguous()
        size = self._packed_size(c_int64(rows), c_int64(columns))
        packed = torch.empty(size, dtype=matrix.dtype)
        self._pack(
            c_void_p(matrix.data_ptr()),
            c_void_p(packed.data_ptr()),
            c_int64(rows),
            c_int64(columns),
        )
        return self._keep(packed)

    def _floats(self, vector: Tensor | None) -> int | None:
        return None if vector is None else self._keep(vector.float().contiguous())

    def _keep(self, tensor: Tensor) -> int:
        self._kept.append(tensor)
        return tensor.data_ptr()


def draw(
    logits: Tensor,
    uniform: NDArray[np.float64],
    row_of: Indices,
    *,
    scale: float,
    greedy: bool,
    top_k: int,
    top_p: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Returns tokens, log-probabilities and entropies as `ttrl.engine.draw.draw` defines them.   [S] each"""
    library: Any = kernel.compiled()
    logits = logits.float().contiguous()
    vocabulary = logits.shape[1]
    samples, threads = len(row_of), torch.get_num_threads()
    library.draw_work.restype = c_int64
    share = library.draw_work(c_int64(vocabulary))
    work = torch.empty(threads * share, dtype=torch.float64)
    tokens = torch.empty(samples, dtype=torch.long)
    logprobs, entropy = torch.empty(samples), torch.empty(samples)
    uniform, row_of = np.ascontiguousarray(uniform), np.ascontiguousarray(row_of)
    library.draw(
        c_void_p(logits.data_ptr()), c_int64(vocabulary), c_void_p(uniform.ctypes.data),
        c_void_p(row_of.ctypes.data), c_int64(samples), c_float(scale), c_int64(greedy), c_int64(top_k),
        c_double(top_p), c_void_p(work.data_ptr()), c_int64(threads), c_void_p(tokens.data_ptr()),
        c_void_p(logprobs.data_ptr()), c_void_p(entropy.data_ptr()),
    )  # fmt: skip
    return tokens, logprobs, entropy
