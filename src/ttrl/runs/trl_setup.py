"""Prepares a run under TRL: questions, prompts and TRL's arguments, without any weights.

What would stop the run later is found here, before a model is loaded.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttrl.answers.tasks import make_task
from ttrl.config import RunConfig
from ttrl.errors import ConfigError
from ttrl.evaluation.labels import RunSets, build_sets
from ttrl.overlays.pins import TRL
from ttrl.overlays.trl.mapping import check_mapping, differences, grpo_arguments
from ttrl.overlays.trl.rollout import Share, share_of
from ttrl.runs.interrupts import rank_and_processes
from ttrl.training.votes import check_votes

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ttrl.data.prompts import Prompter
    from ttrl.engine.models import ModelSource
    from ttrl.types import Question


@dataclass(frozen=True, slots=True, kw_only=True)
class TrlSetup:
    """A run under TRL that is checked, and of which no weights are loaded."""

    config: RunConfig
    rank: int
    processes: int
    sets: RunSets
    share: Share
    source: ModelSource
    tokenizer: PreTrainedTokenizerBase
    prompter: Prompter
    asked: Mapping[str, Question]
    """The questions that are trained on, by the keys of their prompts."""
    template: str | None
    """The prompt template of the config or the model; None if prompts are chats."""
    folder: Path
    """The folder of TRL's own checkpoints, in the run directory."""
    arguments: Mapping[str, Any]
    """The arguments of GRPOConfig."""

    def lines(self) -> list[str]:
        """Returns lines about the engine for the plan of the run."""
        config, share, arguments = self.config, self.share, self.arguments
        parts, micro = (
            arguments[key] for key in ("steps_per_generation", "per_device_train_batch_size")
        )
        sampler = "transformers" if config.vllm == "off" else f"vLLM ({config.vllm})"
        told = differences(config)
        return [
            f"engine      trl {TRL.check()}, {self.processes} process{'' if self.processes == 1 else 'es'}, "
            f"sampling by {sampler}",
            f"            a step: {share.questions} questions x {config.votes_per_question} votes, of which "
            f"{config.trained_per_question} are trained on; on each process {share.rows} completions, "
            f"{parts} x {micro} at once",
            *(f"            not as natively: {line}" for line in told),
        ]


def open_trl(config: RunConfig) -> TrlSetup:
    """Reads the questions and the tokenizer.

    Raises:
        ConfigError: TRL is missing or of another version, cannot do what the config asks for, or would split
            groups; vLLM without a GPU or not installed; several GPUs for one process.
        TtrlError: questions or a model that cannot be read.
    """
    rank, processes = rank_and_processes()
    TRL.check()
    check_mapping(config)
    _check_vllm(config)
    _check_gpus(config, processes)
    sets = build_sets(config)
    questions = sets.training.trained
    check_votes(questions, config)
    share = share_of(config, questions=len(questions), processes=processes)

    from ttrl.data.prompts import Prompter
    from ttrl.engine.models import find_model, load_prompting
    from ttrl.overlays.trl.questions import by_prompt
    from ttrl.overlays.trl.training import check_options

    check_options(config.trl)
    source = find_model(config.model)
    _check_reference(config, source)
    tokenizer, template = load_prompting(source)
    template = config.prompt_template or template
    prompter = Prompter(tokenizer, template=template, task=make_task(config))
    folder = Path(str(config.out)) / "trl"
    return TrlSetup(
        config=config,
        rank=rank,
        processes=processes,
        sets=sets,
        share=share,
        source=source,
        tokenizer=tokenizer,
        prompter=prompter,
        asked=by_prompt(questions, [prompter.prompt(q) for q in questions]),
        template=template,
        folder=folder,
        arguments=grpo_arguments(
            config,
            share,
            prompt_tokens=prompter.longest(questions),
            output_dir=str(folder),
        ),
    )


def _check_reference(config: RunConfig, source: ModelSource) -> None:
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
