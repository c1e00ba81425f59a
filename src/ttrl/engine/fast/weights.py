"""Reads the weights of a Llama, Qwen2 or Qwen3 model for the fast decoders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedModel

FAMILIES = frozenset({"llama", "qwen2", "qwen3"})
"""Supported model types; SmolLM, TinyLlama and others have the type llama."""
_FIXED_ROTATIONS = frozenset({"default", "linear", "llama3", "yarn"})
"""Rotary embeddings that depend on the position alone, not on the length of the text."""
LARGEST_HEAD = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear:
    """A linear layer: y = x W^T + b, plus (x A^T) B^T for adapters that are not merged."""

    weight: Tensor
    bias: Tensor | None
    down: Tensor | None = None
    up: Tensor | None = None

    def __call__(self, x: Tensor) -> Tensor:
        y = functional.linear(x, self.weight, self.bias)
        if self.down is None or self.up is None:
            return y
        return y + functional.linear(functional.linear(x, self.down), self.up)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One transformer layer; projections of the same input are fused into one matrix."""

    input_norm: Tensor
    qkv: Linear
    query_norm: Tensor | None
    key_norm: Tensor | None
    output: Linear
    mlp_norm: Tensor
    gate_up: Linear
    down: Linear

    @property
    def linears(self) -> tuple[Linear, ...]:
        """Returns the layer's four matrices in the order of use."""
        return self.qkv, self.output, self.gate_up, self.down


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The number and size of attention heads, and epsilon of the norms."""

    heads: int
    kv_heads: int
    head_size: int
    eps: float


class Weights:
    """A snapshot of a model's weights; fused matrices are copies, so each update needs a new one.

    In float32 adapters are merged. In bfloat16 they stay apart, because a merged sum would lose most of
    a small adapter to rounding and the sampler would drift from the policy that is trained.
    """

    def __init__(self, model: PreTrainedModel, *, dtype: torch.dtype) -> None:
        """Args: dtype: the type of the snapshot."""
        base = base_of(model)
        config = base.config
        self.shape = Shape(
            heads=config.num_attention_heads,
            kv_heads=config.num_key_value_heads,
            head_size=base.model.layers[0].self_attn.head_dim,
            eps=config.rms_norm_eps,
        )
        self.embedding: Tensor = base.model.embed_tokens.weight.detach().to(dtype)
        self.norm: Tensor = base.model.norm.weight.detach().to(dtype)
        self.head = _linear(base.lm_head, dtype)
        self.layers = [_layer(layer, dtype) for layer in base.model.layers]
        self._rotary: Any = base.model.rotary_emb

    def rotation(self, longest: int, *, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Returns the model's cosines and signed sines; see the function `rotation`."""
        return rotation(self._rotary, longest, self.embedding.new_zeros(1, dtype=dtype))


def rotation(rotary: Any, longest: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Returns cosines and signed sines by position; x cos + swap(x) sin rotates a head.   [longest, D] each

    Args:
        rotary: a Hugging Face rotary embedding.
        like: a tensor with the type and device of the result.
    """
    positions = torch.arange(longest, device=like.device).unsqueeze(0)
    with torch.no_grad():
        cos, sin = rotary(like, positions)
    half = sin.shape[-1] // 2
    return cos[0], torch.cat([-sin[0, :, :half], sin[0, :, half:]], dim=-1)


def is_supported(model: PreTrainedModel) -> bool:
    """Returns whether the fast decoder can replace the model's own layers."""
    config: Any = model.config
    if config.model_type not in FAMILIES or config.hidden_act != "silu":
        return False
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    rotation = getattr(base_of(model).model.rotary_emb, "rope_type", "default")
    head = base_of(model).model.layers[0].self_attn.head_dim
    plain = all(_is_plain(module) for module in model.modules() if hasattr(module, "lora_A"))
    return (
        plain
        and kinds == {"full_attention"}
        and rotation in _FIXED_ROTATIONS
        and head <= LARGEST_HEAD
    )


def _is_plain(module: Any) -> bool:
    """Whether an adapter is one product beside the module's own, and nothing else."""
    return (
        len(module.lora_A) == 1
        and not module.merged
        and not any(module.lora_bias.values())
        and not len(module.lora_magnitude_vector)
    )


def base_of(model: Any) -> Any:
    """Returns the Hugging Face model under its adapters, if any."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def _layer(layer: Any, dtype: torch.dtype) -> Layer:
    attention, mlp = layer.self_attn, layer.mlp
    return Layer(
        input_norm=layer.input_layernorm.weight.detach().to(dtype),
        qkv=_fused([attention.q_proj, attention.k_proj, attention.v_proj], dtype),
        query_norm=attention.q_norm.weight.detach().to(dtype)
        if hasattr(attention, "q_norm")
        else None,
        key_norm=attention.k_norm.weight.detach().to(dtype)
        if hasattr(attention, "k_norm")
        else None,
        output=_linear(attention.o_proj, dtype),
        mlp_norm=layer.post_attention_layernorm.weight.detach().to(dtype),
        gate_up=_fused([mlp.gate_proj, mlp.up_proj], dtype),
        down=_linear(mlp.down_proj, dtype),
    )


def _linear(module: Any, dtype: torch.dtype) -> Linear:
    base = module.get_base_layer() if hasattr(module, "lora_A") else module
    weight = base.weight.detach()
    bias = None if base.bias is None else base.bias.detach().to(dtype)
    if not hasattr(module, "lora_A"):
        return Linear(weight=weight.to(dtype), bias=bias)
    (name,) = module.lora_A.keys()
    down = module.lora_A[name].weight.detach()
    up = module.lora_B[name].weight.detach() * module.scaling[name]
    if dtype == weight.dtype == torch.float32:
        return Linear(weight=weight + up @ down, bias=bias)
    return Linear(weight=weight.to(dtype), bias=bias, down=down.to(dtype), up=up.to(dtype))


def _fused(modules: list[Any], dtype: torch.dtype) -> Linear:
    parts = [_linear(module, dtype) for module in modules]
    biases = [p.bias for p in parts if p.bias is not None]
    downs = [p.down for p in parts if p.down is not None]
    # A part without an adapter keeps its rows in the second half.
    ups = [p.weight.new_zeros(p.weight.shape[0], 0) if p.up is None else p.up for p in parts]
    return Linear(
        weight=torch.cat([p.weight for p in parts]),
        bias=torch.cat(biases) if biases else None,
        down=torch.cat(downs) if downs else None,
        up=torch.block_diag(*ups) if downs else None,  # type: ignore[no-untyped-call]
    )
