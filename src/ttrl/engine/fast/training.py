"""Computes hidden states of packed token trees, with gradients, for the Llama family on the CPU.

Matrix products are torch's; norms, rotations, gates and the attention along trees are native kernels,
each forward and backward. The residual stream is float32, whatever the weights are.
"""

from __future__ import annotations

import ctypes
from ctypes import Structure, c_float, c_int64, c_void_p
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel

from ttrl.engine.fast import kernel
from ttrl.engine.fast.weights import base_of, is_supported, rotation
from ttrl.rl.batch import Batch


def can_train(model: PreTrainedModel) -> bool:
    """Returns whether `hidden_states` can replace the model's own layers in updates."""
    return (
        model.device.type == "cpu"
        and model.dtype in kernel.SUFFIX
        and is_supported(model)
        and kernel.compiled() is not None
    )


def hidden_states(model: PreTrainedModel, batch: Batch, *, recompute: bool = False) -> Tensor:
    """Returns the hidden states of every token of a packed batch, after the last norm.   [T, H]

    Args:
        recompute: keep only the input of each layer, and run the layer again in the backward pass.
    """
    base: Any = base_of(model)
    body, config = base.model, base.config
    trees = _trees(batch, base)
    hidden = body.embed_tokens(batch.input_ids[0]).float()
    dtype = body.embed_tokens.weight.dtype
    again = recompute and torch.is_grad_enabled()
    for layer in body.layers:
        given = (layer, hidden, trees, config.rms_norm_eps, dtype)
        if again:
            # Nothing is drawn at random here, so no generator is to be put back.
            hidden = checkpoint(_layer, *given, use_reentrant=False, preserve_rng_state=False)
        else:
            hidden = _layer(*given)
    return _Norm.apply(hidden, body.norm.weight, config.rms_norm_eps, dtype)  # type: ignore[no-any-return,no-untyped-call]


def _layer(layer: Any, hidden: Tensor, trees: _Trees, eps: float, dtype: torch.dtype) -> Tensor:
    attention, mlp = layer.self_attn, layer.mlp
    x = _Norm.apply(hidden, layer.input_layernorm.weight, eps, dtype)  # type: ignore[no-untyped-call]
    qkv = _project(x, [attention.q_proj, attention.k_proj, attention.v_proj])
    if hasattr(attention, "q_norm"):
        qkv = _normed_heads(qkv, attention, trees, eps)
    mixed = _Attention.apply(qkv, trees)  # type: ignore[no-untyped-call]
    hidden = hidden + _project(mixed, [attention.o_proj])
    x = _Norm.apply(hidden, layer.post_attention_layernorm.weight, eps, dtype)  # type: ignore[no-untyped-call]
    gate_up = _project(x, [mlp.gate_proj, mlp.up_proj])
    return hidden + _project(_Gate.apply(gate_up), [mlp.down_proj])  # type: ignore[no-untyped-call]


def _project(x: Tensor, modules: list[Any]) -> Tensor:
    """The outputs of several linear modules side by side, with their adapters."""
    adapted = [hasattr(m, "lora_A") and not m.disable_adapters for m in modules]
    inner = [m.get_base_layer() if hasattr(m, "lora_A") else m for m in modules]
    biases = [m.bias for m in inner if m.bias is not None]
    weight = inner[0].weight if len(inner) == 1 else torch.cat([m.weight for m in inner])
    y = functional.linear(x, weight, torch.cat(biases) if biases else None)
    if not any(adapted):
        return y
    parts = []
    for module, plain, own in zip(modules, inner, adapted, strict=True):
        if not own:
            parts.append(torch.zeros(x.shape[0], plain.weight.shape[0]))
            continue
        (name,) = module.lora_A.keys()
        down, up = module.lora_A[name].weight, module.lora_B[name].weight
        low = functional.linear(x.to(down.dtype), down)
        parts.append(functional.linear(low, up).float() * module.scaling[name])
    return (y + torch.cat(parts, dim=-1)).to(y.dtype)


def _normed_heads(qkv: Tensor, attention: Any, trees: _Trees, eps: float) -> Tensor:
    heads, kv_heads, size = trees.c.heads, trees.c.kv_heads, trees.c.head
    query, key, value = torch.split(qkv, [heads * size, kv_heads * size, kv_heads * size], dim=-1)
    normed = [
        functional.rms_norm(part.reshape(len(qkv), -1, size), (size,), norm.weight, eps).flatten(1)
        for part, norm in ((query, attention.q_norm), (key, attention.k_norm))
    ]
    return torch.cat([*normed, value], dim=-1)


class _TreesInC(Structure):
    _fields_ = (
        ("tokens", c_int64), ("heads", c_int64), ("kv_heads", c_int64), ("head", c_int64),
        ("trees", c_int64), ("tree", c_void_p), ("first", c_void_p), ("parent", c_void_p),
        ("chain_of", c_void_p), ("longest", c_int64), ("threads", c_int64), ("cosine", c_void_p),
        ("sine", c_void_p), ("position", c_void_p),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trees:
    """A batch's trees as trees.h reads them, and what must live as long."""

    c: _TreesInC
    kept: tuple[Tensor, ...]

    def work(self) -> Tensor:
        """Scratch for all threads."""
        library = _library()
        library.attention_work.restype = c_int64
        share = library.attention_work(c_int64(self.c.longest), c_int64(self.c.head))
        return torch.empty(self.c.threads * share)


def _trees(batch: Batch, base: Any) -> _Trees:
    chains = batch.chains
    assert chains is not None, "only packed trees have chains"
    config, tokens = base.config, batch.input_ids.shape[1]
    cosine, sine = rotation(base.model.rotary_emb, chains.longest, torch.zeros(1))
    chain_of = torch.repeat_interleave(chains.first.diff())
    kept = (
        chains.tree, chains.first, chains.parent, chain_of, cosine.contiguous(), sine.contiguous(),
        batch.position_ids[0].contiguous(),
    )  # fmt: skip
    at = [tensor.data_ptr() for tensor in kept]
    return _Trees(
        c=_TreesInC(
            tokens, config.num_attention_heads, config.num_key_value_heads,
            base.model.layers[0].self_attn.head_dim, len(chains.tree) - 1, *at[:4], chains.longest,
            torch.get_num_threads(), *at[4:],
        ),
        kept=kept,
    )  # fmt: skip


class _Norm(torch.autograd.Function):
    """x / rms(x) * weight: [T, H] float32 -> [T, H] of the model's type."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float, dtype: torch.dtype) -> Tensor:
        rows, size = x.shape
        factor = weight.float()
        out, inverse = torch.empty(rows, size, dtype=dtype), torch.empty(rows)
        _call("norm_forward", dtype, x, factor, c_float(eps), rows, size, out, inverse, _threads())
        ctx.save_for_backward(x, weight, inverse)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, inverse = ctx.saved_tensors
        rows, size = x.shape
        dx, dweight = torch.empty_like(x), torch.zeros(_threads(), size)
        grad = grad.contiguous()
        _call("norm_backward", grad.dtype, grad, x, weight.float(), inverse, rows, size, dx, dweight,
              _threads())  # fmt: skip
        return dx, dweight.sum(0).to(weight.dtype), None, None


class _Gate(torch.autograd.Function):
    """silu(gate) * up: [T, 2 M] -> [T, M]."""

    @staticmethod
    def forward(ctx: Any, gate_up: Tensor) -> Tensor:
        rows, size = gate_up.shape[0], gate_up.shape[1] // 2
        out = gate_up.new_empty(rows, size)
        _call("gate_forward", out.dtype, gate_up, rows, size, out, _threads())
        ctx.save_for_backward(gate_up)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (gate_up,) = ctx.saved_tensors
        rows, size = gate_up.shape[0], gate_up.shape[1] // 2
        found = torch.empty_like(gate_up)
        _call(
            "gate_backward", grad.dtype, grad.contiguous(), gate_up, rows, size, found, _threads()
        )
        return found


class _Attention(torch.autograd.Function):
    """Turned by position, then attention along trees: [T, (H + 2 KV) D] -> [T, H D]."""

    @staticmethod
    def forward(ctx: Any, qkv: Tensor, trees: _Trees) -> Tensor:
        about = trees.c
        qkv = qkv.clone(memory_format=torch.contiguous_format)
        _call("turn_all", qkv.dtype, qkv, ctypes.byref(about), c_float(1.0))
        out = qkv.new_empty(about.tokens, about.heads * about.head)
        lse = torch.empty(about.tokens, about.heads)
        _call("attention_forward", qkv.dtype, qkv, ctypes.byref(about), out, lse, trees.work())
        ctx.save_for_backward(qkv, out, lse)
        ctx.trees = trees
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        qkv, out, lse = ctx.saved_tensors
        about = ctx.trees.c
        found = torch.empty_like(qkv)
        sums = torch.zeros(about.tokens, 2 * about.kv_heads * about.head)
        _call("attention_backward", qkv.dtype, grad.contiguous(), qkv, out, lse, ctypes.byref(about),
              found, sums, ctx.trees.work())  # fmt: skip
        _call("turn_all", qkv.dtype, found, ctypes.byref(about), c_float(-1.0))
        return found, None


def _threads() -> int:
    return torch.get_num_threads()


def _library() -> ctypes.CDLL:
    library = kernel.compiled()
    assert library is not None
    return library


def _call(name: str, dtype: torch.dtype, *arguments: Any) -> None:
    """Tensors go as addresses, whole numbers as int64; the rest as it is."""

    def given(value: Any) -> Any:
        if isinstance(value, Tensor):
            assert value.is_contiguous()
            return c_void_p(value.data_ptr())
        return c_int64(value) if isinstance(value, int) else value

    _library()[f"{name}_{kernel.SUFFIX[dtype]}"](*map(given, arguments))
