"""Adds LoRA adapters to a model and loads them, through peft."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import PreTrainedModel

from ttrl.errors import CheckpointError
from ttrl.seeding import derive_seed


def lora_settings(rank: int) -> LoraConfig:
    """Returns settings for adapters on all linear layers but the output; alpha is 2 x rank, no dropout."""
    return LoraConfig(
        r=rank,
        lora_alpha=2 * rank,
        lora_dropout=0.0,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


def adapt(model: PreTrainedModel, *, rank: int, seed: int) -> PreTrainedModel:
    """Returns the model with new adapters of one rank.

    Their first weights are a function of the seed; torch's global generator is left as it was.
    """
    with torch.random.fork_rng(), _quiet():
        torch.manual_seed(derive_seed(seed, "lora"))
        return get_peft_model(model, lora_settings(rank))  # type: ignore[return-value]


def load_adapter(model: PreTrainedModel, folder: Path) -> PreTrainedModel:
    """Returns the model with the adapters of a checkpoint, ready for further training.

    Raises:
        CheckpointError: adapters that do not fit the model.
    """
    try:
        with _quiet():
            return PeftModel.from_pretrained(model, folder, is_trainable=True)  # type: ignore[return-value]
    except (ValueError, RuntimeError, OSError, KeyError) as error:
        raise CheckpointError(f"adapter {folder} does not fit the model: {error}.") from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Peft asks transformers by a name that is on its way out; the user can do nothing about that."""
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning
        )
        yield
