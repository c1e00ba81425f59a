"""Implements the learning-rate schedule and AdamW with float32 masters of shorter weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Literal

import torch
from torch import Tensor, nn

from ttrl.errors import NumericsError


def rate_share(
    step: int,
    *,
    schedule: Literal["constant", "cosine"],
    warmup_steps: int,
    steps: int,
) -> float:
    """Returns the learning rate in step `step`, counted from 0, as a share of its peak in [0, 1].

    It rises linearly to 1 over the warm-up, then stays or falls to 0 along a cosine.
    """
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    if schedule == "constant":
        return 1.0
    progress = (step - warmup_steps) / max(1, steps - warmup_steps)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


class MasterAdamW:
    """AdamW on float32 copies of shorter weights; float32 weights need no copy.

    bfloat16 has 8 bits of mantissa: an update of less than 1/256 of a weight would vanish in it.
    """

    def __init__(
        self,
        named: Iterable[tuple[str, nn.Parameter]],
        *,
        beta2: float,
        weight_decay: float,
        clip_norm: float,
    ) -> None:
        self._clip_norm = clip_norm
        self._named = {name: p for name, p in named if p.requires_grad}
        self._masters = {
            name: p if p.dtype == torch.float32 else nn.Parameter(p.detach().float())
            for name, p in self._named.items()
        }
        self._adamw = torch.optim.AdamW(
            self._masters.values(), lr=0.0, betas=(0.9, beta2), weight_decay=weight_decay
        )

    def update(self, loss: float, learning_rate: float) -> float:
        """Clips the gradients, makes one step and returns their norm before clipping.

        Raises:
            NumericsError: a loss or gradient that is not finite; the weights are as before.
        """
        norm = nn.utils.clip_grad_norm_(self._named.values(), self._clip_norm).item()
        if not (math.isfinite(loss) and math.isfinite(norm)):
            self.zero_grad()
            raise NumericsError(
                f"loss {loss} and gradient norm {norm}: not finite, so no update was made with it. "
                "Lower learning_rate (or that of the model beside the policy) or use dtype: float32."
            )
        self.step(learning_rate)
        return norm

    def step(self, learning_rate: float) -> None:
        """Makes one update with the current gradients, then drops them."""
        for group in self._adamw.param_groups:
            group["lr"] = learning_rate
        short = [n for n, p in self._named.items() if self._masters[n] is not p]
        for name in short:
            gradient = self._named[name].grad
            self._masters[name].grad = None if gradient is None else gradient.float()
            self._named[name].grad = None
        self._adamw.step()
        with torch.no_grad():
            for name in short:
                self._named[name].copy_(self._masters[name])
                self._masters[name].grad = None
        self.zero_grad()

    def zero_grad(self) -> None:
        for parameter in self._named.values():
            parameter.grad = None

    def state(self) -> dict[str, Tensor]:
        """Returns moments, counts and masters by name, for safetensors."""
        tensors: dict[str, Tensor] = {}
        for name, master in self._masters.items():
            for key, value in self._adamw.state[master].items():
                tensors[f"{key}:{name}"] = value.detach().clone().contiguous()
            if master is not self._named[name]:
                tensors[f"master:{name}"] = master.detach().clone().contiguous()
        return tensors

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """Puts back what `state` gave.

        Raises:
            KeyError: a tensor of another model.
        """
        with torch.no_grad():
            for label, tensor in tensors.items():
                key, _, name = label.partition(":")
                master = self._masters[name]
                if key == "master":
                    master.copy_(tensor)
                else:
                    # AdamW keeps its count on the CPU and its moments beside the weights.
                    self._adamw.state[master][key] = (
                        tensor.clone() if key == "step" else tensor.to(master.device, copy=True)
                    )


MakeOptimizer = Callable[[Iterable[tuple[str, nn.Parameter]]], MasterAdamW]
"""Makes the optimizer of named weights, with the settings of the run."""
