"""What docs/scaling.md reckons with: shapes of the Qwen2.5 family, and what each engine keeps of a model.

The second was read in the sources: ttrl's own, TRL 1.16.0 with accelerate 1.15.0, verl 0.9.1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Engine = Literal["native", "trl", "trl-fsdp2", "verl"]
RANK = 16
"""Of LoRA adapters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A Qwen2 model by its config.json."""

    name: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    mlp: int
    vocabulary: int
    tied: bool
    rows: int
    """Drawn side by side by one copy of the sampler, in the estimates of time."""
    copy: int
    """GPUs that one copy of the sampler is spread over, in the same."""

    @property
    def key_width(self) -> int:
        return self.hidden // self.heads * self.kv_heads

    @property
    def head(self) -> int:
        """Weights of the output layer."""
        return self.vocabulary * self.hidden

    @property
    def layer(self) -> int:
        """Weights of one layer: attention with biases of queries, keys and values, MLP, two norms."""
        h, k = self.hidden, self.key_width
        return 2 * h * h + 2 * h * k + h + 2 * k + 3 * h * self.mlp + 2 * h

    @property
    def parameters(self) -> int:
        return self.layers * self.layer + self.hidden + self.head * (1 if self.tied else 2)

    @property
    def multiplied(self) -> int:
        """Parameters that every token is multiplied with: all but an embedding that is only looked up."""
        return self.parameters - (0 if self.tied else self.head)

    @property
    def adapter(self) -> int:
        """LoRA weights on every linear layer but the output one."""
        h, k, m = self.hidden, self.key_width, self.mlp
        return RANK * self.layers * (2 * (h + h) + 2 * (h + k) + 3 * (h + m))

    @property
    def cache(self) -> int:
        """Bytes of keys and values per position, bfloat16."""
        return 2 * self.layers * self.key_width * 2


QWEN: Sequence[Model] = (
    Model(
        name="Qwen2.5-1.5B", layers=28, hidden=1536, heads=12, kv_heads=2, mlp=8960,
        vocabulary=151_936, tied=True, rows=64, copy=1,
    ),
    Model(
        name="Qwen2.5-7B", layers=28, hidden=3584, heads=28, kv_heads=4, mlp=18_944,
        vocabulary=152_064, tied=False, rows=64, copy=1,
    ),
    Model(
        name="Qwen2.5-32B", layers=64, hidden=5120, heads=40, kv_heads=8, mlp=27_648,
        vocabulary=152_064, tied=False, rows=256, copy=8,
    ),
)  # fmt: skip
"""Source: config.json of huggingface.co/Qwen/<name>. Qwen2.5-Math has the same shapes."""
MEASURED = Model(
    name="Qwen2-0.5B", layers=24, hidden=896, heads=14, kv_heads=2, mlp=4864,
    vocabulary=151_936, tied=True, rows=64, copy=1,
)  # fmt: skip
"""The shape that docs/experiments.md has H100 figures of. Source: config.json of Qwen/Qwen2-0.5B."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Bytes per parameter through the whole training, over all GPUs that share one copy."""

    base: int
    """Weights of a model of which only adapters are trained."""
    weights: int
    gradients: int
    moments: int
    masters: int
    buckets: int
    """Copies of gradients that DistributedDataParallel sends."""
    reference: int

    @property
    def trained(self) -> int:
        """Per trained parameter."""
        return self.weights + self.gradients + self.moments + self.masters + self.buckets


KEPT: Mapping[Engine, Kept] = {
    "native": Kept(
        base=2, weights=2, gradients=4, moments=8, masters=4, buckets=0, reference=2
    ),
    "trl": Kept(base=2, weights=4, gradients=4, moments=8, masters=0, buckets=4, reference=4),
    "trl-fsdp2": Kept(
        base=2, weights=4, gradients=4, moments=8, masters=0, buckets=0, reference=4
    ),
    "verl": Kept(base=4, weights=4, gradients=4, moments=8, masters=0, buckets=0, reference=0),
}  # fmt: skip
ADAPTER = 16
"""Bytes per weight of an adapter: float32 with gradient and two moments, in every engine."""
