"""A second model that starts as the policy does: a critic, an implicit reward model."""

from __future__ import annotations

import copy

from torch import Tensor, nn
from transformers import PreTrainedModel


def twin(model: PreTrainedModel) -> PreTrainedModel:
    """A copy with trainable weights of its own; frozen ones (the base under an adapter) are shared."""
    shared = {id(p): p for p in model.parameters() if not p.requires_grad}
    made: PreTrainedModel = copy.deepcopy(model, shared)
    return made


def trained_weights(model: nn.Module) -> dict[str, Tensor]:
    """By name; what a checkpoint has to hold of a twin."""
    return {
        name: p.detach().clone().contiguous()
        for name, p in model.named_parameters()
        if p.requires_grad
    }


def load_weights(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    """The inverse of `trained_weights`.

    Raises:
        KeyError: a tensor is missing.
    """
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            parameter.data.copy_(tensors[name])
