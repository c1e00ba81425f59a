"""Chooses the decoder of a model: native kernels, CUDA graphs, or the model's own layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor
from transformers import PreTrainedModel

from ttrl.engine.fast import kernel
from ttrl.engine.fast.graph_decoder import GraphDecoder
from ttrl.engine.fast.native_decoder import NativeDecoder
from ttrl.engine.fast.prompts import Indices
from ttrl.engine.fast.weights import is_supported
from ttrl.engine.general_decoder import GeneralDecoder


class Decoder(Protocol):
    """Decodes rows of questions: `admit` some, then `step` after `step`."""

    admits: bool
    """Whether questions may enter while others run; otherwise `admit` starts over."""

    def admit(self, places: Indices, prompts: Sequence[Sequence[int]], *, after: int) -> Tensor:
        """Computes the logits after each prompt, [Q, V]; each gets a row after the first `after` rows."""
        ...

    def copy_rows(self, sources: Indices, targets: Indices, rows: int) -> None:
        """Makes row targets[i] a copy of row sources[i], with room for `rows` rows."""
        ...

    def step(self, tokens: Indices, parents: Indices) -> Tensor:
        """Computes the logits after one more token per row, [R, V]; parents: rows before `copy_rows`."""
        ...


def make_decoder(
    model: PreTrainedModel,
    *,
    max_tokens: int,
    longest_prompt: int,
    questions: int,
    rows: int,
    dtype: torch.dtype,
) -> Decoder:
    """Returns the fastest decoder for the model on this machine.

    Args:
        questions, rows: the most questions and rows that may run at the same time.
        dtype: the type to decode in; the general decoder uses the model's own.
    """
    if not can_decode(model):
        return GeneralDecoder(model, max_tokens=max_tokens)
    sizes = {"max_tokens": max_tokens, "longest_prompt": longest_prompt, "questions": questions}
    if model.device.type == "cuda":
        return GraphDecoder(model, **sizes, dtype=dtype)
    return NativeDecoder(model, **sizes, rows=rows, dtype=dtype)


def can_decode(model: PreTrainedModel) -> bool:
    """Returns whether a fast decoder can replace the model's own layers."""
    if not is_supported(model):
        return False
    if model.device.type == "cuda":
        return True
    return model.dtype in kernel.SUFFIX and kernel.compiled() is not None


def decoder_note(model: PreTrainedModel) -> str:
    """Returns a note on which decoder samples from the model, and why not the fast one."""
    if can_decode(model):
        return "fast"
    if not is_supported(model):
        return "general (slower): the fast one knows Llama, Qwen2 and Qwen3 with plain adapters"
    if model.dtype not in kernel.SUFFIX:
        return f"general (slower): the fast one does not know {model.dtype}"
    return "general (slower): no C compiler that works is found for the fast one"
