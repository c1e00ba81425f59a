"""What would stop a run under TRL later, told before a model is loaded."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from ttrl.config import RunConfig
from ttrl.errors import ConfigError
from ttrl.evaluate.sets import QuestionSet, build_sets
from ttrl.overlays.pins import TRL
from ttrl.overlays.trl.mapping import check_mapping
from ttrl.overlays.trl.share import Share, share_of
from ttrl.train.votes import check_votes


def check_trl(config: RunConfig, count: int) -> tuple[Sequence[QuestionSet], Share]:
    """The questions, and each process's share of a step.

    Args:
        count: processes.

    Raises:
        ConfigError: TRL is missing or of another version, cannot do what the config asks for, or would split
            groups; vLLM without a GPU or not installed.
        DataError: the questions.
    """
    TRL.check()
    check_mapping(config)
    _check_vllm(config)
    sets = build_sets(config)
    check_votes(sets[0].questions, config)
    return sets, share_of(config, questions=len(sets[0].questions), processes=count)


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
