"""What would stop a run under TRL later, told before a model is loaded."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ttrl.config import RunConfig
from ttrl.errors import ConfigError
from ttrl.evaluate.sets import QuestionSet, build_sets
from ttrl.overlays.pins import TRL
from ttrl.overlays.trl.mapping import check_mapping
from ttrl.overlays.trl.share import Share, share_of
from ttrl.train.votes import check_votes

if TYPE_CHECKING:
    from ttrl.engine.models.source import ModelSource


def check_trl(config: RunConfig, count: int) -> tuple[Sequence[QuestionSet], Share]:
    """The questions, and each process's share of a step.

    Args:
        count: processes.

    Raises:
        ConfigError: TRL is missing or of another version, cannot do what the config asks for, or would split
            groups; vLLM without a GPU or not installed; several GPUs for one process.
        DataError: the questions.
    """
    TRL.check()
    check_mapping(config)
    _check_vllm(config)
    _check_gpus(config, count)
    sets = build_sets(config)
    check_votes(sets[0].questions, config)
    return sets, share_of(config, questions=len(sets[0].questions), processes=count)


def check_reference(config: RunConfig, source: ModelSource) -> None:
    """Raises ConfigError for a reference that TRL would look for beside a GGUF file, and not in it."""
    if source.kind == "gguf" and config.kl_coefficient and not config.lora:
        raise ConfigError(
            f"kl_coefficient={config.kl_coefficient} with the GGUF file {source.spec} under engine=trl: TRL "
            "reads the reference of the KL term from a folder or the hub. Set kl_coefficient: 0, train "
            "adapters (--lora 16), whose base is the reference, or name the model as a folder."
        )


def _check_gpus(config: RunConfig, count: int) -> None:
    if count > 1 or config.device == "cpu":
        return
    import torch

    if (visible := torch.cuda.device_count()) > 1:
        raise ConfigError(
            f"engine=trl in one process, and {visible} GPUs are visible: TRL takes one for each process. "
            f"Start torchrun --nproc_per_node {visible} -m ttrl train ..., or set CUDA_VISIBLE_DEVICES=0."
        )


def _check_vllm(config: RunConfig) -> None:
    if config.vllm == "off":
        return
    import torch

    if not torch.cuda.is_available():
        raise ConfigError(
            f"vllm={config.vllm}: no GPU is visible here, and vLLM needs one, as does sending weights to its "
            "server. Leave vllm out, and transformers samples; or look at nvidia-smi, CUDA_VISIBLE_DEVICES."
        )
    if importlib.util.find_spec("vllm") is None:
        raise ConfigError(
            f"vllm={config.vllm}: the package vllm is not installed. Install it: pip install 'trl[vllm]'."
        )
