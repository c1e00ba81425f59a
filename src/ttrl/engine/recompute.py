"""Trades time for memory: layers recompute their activations in the backward pass.

Models are trained in evaluation mode, without dropout, where the switch of transformers does nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from types import MethodType
from typing import Any

import torch
from torch.backends import cuda
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.checkpoint import checkpoint
from transformers import Cache, PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer

from ttrl.errors import ModelError

_ATTENTION: tuple[tuple[SDPBackend, Callable[[], bool]], ...] = (
    (SDPBackend.FLASH_ATTENTION, cuda.flash_sdp_enabled),
    (SDPBackend.EFFICIENT_ATTENTION, cuda.mem_efficient_sdp_enabled),
    (SDPBackend.CUDNN_ATTENTION, cuda.cudnn_sdp_enabled),
    (SDPBackend.MATH, cuda.math_sdp_enabled),
)


def can_recompute(model: PreTrainedModel) -> bool:
    """Returns whether transformers marks the model's layers as able to run a second time."""
    return any(isinstance(module, GradientCheckpointingLayer) for module in model.modules())


def recompute_layers(model: PreTrainedModel) -> None:
    """Makes each layer keep only its input for the backward pass from now on, in every mode.

    Calls without gradients, and calls that fill a cache of keys and values, are as before.

    Raises:
        ModelError: no layer of the model can run a second time.
    """
    if not can_recompute(model):
        raise ModelError(
            f"gradient_checkpointing: {type(model).__name__} has no layers that transformers can run a "
            "second time. Leave gradient_checkpointing out, or lower micro_batch_tokens to save memory."
        )
    for module in model.modules():
        if isinstance(module, GradientCheckpointingLayer):
            # A bound method, unlike a closure, follows its layer into a deep copy of the model.
            module.forward = MethodType(_forward, module)


def _forward(layer: GradientCheckpointingLayer, *args: Any, **kwargs: Any) -> Any:
    plain = partial(type(layer).forward, layer, **kwargs)
    # A second run would write its keys and values into the cache once more.
    cached = any(isinstance(value, Cache) for value in (*args, *kwargs.values()))
    if cached or not torch.is_grad_enabled():
        return plain(*args)
    return checkpoint(
        plain,
        *args,
        use_reentrant=False,
        context_fn=_same_attention,
        preserve_rng_state=layer.training,  # evaluation mode draws nothing
    )


def _same_attention() -> tuple[AbstractContextManager[object], AbstractContextManager[object]]:
    """Gives the second run, which the caller's choice does not reach, the same attention as the first."""
    return nullcontext(), sdpa_kernel([kind for kind, enabled in _ATTENTION if enabled()])
