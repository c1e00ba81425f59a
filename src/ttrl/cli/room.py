"""Whether the models of a run, with their gradients and optimizers, fit into memory at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ttrl.config import RunConfig
from ttrl.errors import ConfigError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

ONE_MODEL = "grpo, rloo, reinforce++"
"""Algorithms that need no model beside the policy, for messages."""


def standing_memory(model: PreTrainedModel, config: RunConfig) -> dict[str, int]:
    """Bytes that are there throughout training: what each model of the algorithm holds.

    A reference is a frozen copy, or the base under the adapter, which costs nothing. A critic and an
    implicit reward model have trainable weights of their own and share frozen ones.
    """
    from ttrl.rl.algorithms.registry import make_algorithm

    size = model.dtype.itemsize
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    masters = 4 if size < 4 and not config.lora else 0
    learning = trained * (size + 8 + masters)
    second = config.algorithm in {"ppo", "prime"}
    own_reference = make_algorithm(config).needs_reference and not config.lora
    return {
        "weights": weights + (weights if own_reference else 0) + (trained * size if second else 0),
        "gradients_and_optimizer": learning * (2 if second else 1),
    }


def check_room(model: PreTrainedModel, config: RunConfig) -> None:
    """Called with the policy loaded and nothing else.

    Raises:
        ConfigError: the rest cannot fit, and why.
    """
    free = free_bytes(model.device)
    loaded = sum(p.numel() * p.element_size() for p in model.parameters())
    needed = sum(standing_memory(model, config).values()) - loaded
    if free is None or needed <= free:
        return
    beside = {
        "ppo": " and a critic as large as the model",
        "prime": " and an implicit reward model as large as the model",
    }.get(config.algorithm, "")
    fixes = [
        *([] if config.lora else ["lora: 16 (adapters share the base's weights)"]),
        *(["dtype: bfloat16"] if config.dtype == "float32" else []),
        *([f"an algorithm with one model ({ONE_MODEL})"] if beside else []),
        "a smaller model",
    ]
    raise ConfigError(
        f"algorithm={config.algorithm} on {config.model}: optimizer and gradients{beside} need at least "
        f"{needed / 2**30:.1f} GiB beside the loaded model, and {free / 2**30:.1f} GiB are free on "
        f"{model.device}. What helps: {'; '.join(fixes)}."
    )


def free_bytes(device: torch.device) -> int | None:
    """Memory that this process could still take; None where that cannot be told."""
    if device.type == "cuda":
        import torch

        return int(torch.cuda.mem_get_info(device)[0])
    found = [
        int(line.split()[1]) * 1024
        for line in _read("/proc/meminfo").splitlines()
        if line.startswith("MemAvailable:")
    ]
    limit, used = (_read(f"/sys/fs/cgroup/memory.{name}").strip() for name in ("max", "current"))
    if limit.isdigit() and used.isdigit():
        statistics = dict(line.split() for line in _read("/sys/fs/cgroup/memory.stat").splitlines())
        cache = int(statistics.get("inactive_file", 0))  # counts as used, and is given back
        found.append(max(0, int(limit) - int(used) + cache))
    return min(found, default=None)


def _read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8")
    except OSError:
        return ""
