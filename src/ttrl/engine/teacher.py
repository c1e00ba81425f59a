"""A teacher whose weights are a moving average of the policy's, and who votes beside it."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from transformers import PreTrainedModel

from ttrl.engine.companions import twin


class Teacher:
    """The averaged copy: adapters of its own on the shared base, or a copy of all weights.

        teacher <- a teacher + (1 - a) policy    after each step with an update

    Source: Co-rewarding-II (arXiv:2508.00410). Deviation: averages are float32 whatever the model's type is,
    since bfloat16 rounds such small steps away.

    Args:
        policy: the model that is trained, whose weights the teacher starts from.
        decay: a at first.
        steps: of the run, over which it rises to 0.9999.
    """

    def __init__(self, policy: PreTrainedModel, *, decay: float, steps: int) -> None:
        self.model = twin(policy)
        self._policy, self._decay, self._steps = policy, decay, steps
        self._average = {
            name: p.data if p.dtype == torch.float32 else p.data.float()
            for name, p in self.model.named_parameters()
            if p.requires_grad
        }

    def follow(self, *, step: int) -> None:
        """Moves the teacher towards the policy after a step, counted from 0."""
        share = 1 - decay_of(step, first=self._decay, steps=self._steps)
        own = dict(self.model.named_parameters())
        with torch.no_grad():
            for name, p in self._policy.named_parameters():
                if name in self._average:
                    average = self._average[name]
                    average.lerp_(p.data.float(), share)
                    own[name].data.copy_(average)

    def state(self) -> dict[str, dict[str, Tensor]]:
        """Returns the averages, by the name of their file in a checkpoint."""
        return {"teacher": {name: a.detach().clone() for name, a in self._average.items()}}

    def load_state(self, tensors: dict[str, dict[str, Tensor]]) -> None:
        """Puts back what `state` gave.

        Raises:
            KeyError: state of another model, or of a run without a teacher.
        """
        own = dict(self.model.named_parameters())
        for name, average in self._average.items():
            average.copy_(tensors["teacher"][name])
            own[name].data.copy_(average)


def decay_of(step: int, *, first: float, steps: int, last: float = 0.9999) -> float:
    """Returns the share of the teacher's weights that stays in a step, in [0, 1).

    a_t = last + (first - last) (1 + cos(pi t / T)) / 2 for step t of T; it never falls.
    """
    last = max(first, last)
    return last + (first - last) * (1 + math.cos(math.pi * step / max(1, steps))) / 2
