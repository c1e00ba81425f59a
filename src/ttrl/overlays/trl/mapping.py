"""A run's config as arguments of TRL's GRPOConfig, and what of it TRL has no words for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import yaml

from ttrl.algorithm_settings import ALGORITHM_ROWS
from ttrl.config import YAML_ERRORS, RunConfig
from ttrl.errors import ConfigError
from ttrl.overlays.trl.rollout import Share, updates_of_step
from ttrl.types import SIMILAR_TASKS

ALGORITHMS = [name for name, row in ALGORITHM_ROWS.items() if row.trl is not None]
"""Those whose loss and advantages GRPOTrainer has."""
LOSS_TYPES = {"token-mean": "dapo", "sequence-mean": "grpo", "constant": "dr_grpo"}
"""TRL's names of a loss's denominator."""
SCALE_REWARDS = {"normalized": "group", "centered": "none"}
"""TRL's names of the advantages that it has."""
EXPONENT = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+")
"""Numbers such as 1e-6, which YAML takes for texts, and TRL would not read."""
LONGEST_WAIT = 7 * 24 * 3600
"""Seconds that processes wait for the one that evaluates. A crash ends them at once all the same."""


def check_mapping(config: RunConfig) -> None:
    """Raises ConfigError with every setting that TRL has no words for, and what to do about it."""
    found = list(_unmapped(config))
    if found:
        raise ConfigError(
            "engine=trl cannot do what this config asks for:\n"
            + "".join(f"  {key}: {why}\n" for key, why in found)
            + "Change these, or train with engine: native, which has all of them on one machine."
        )


def _unmapped(config: RunConfig) -> list[tuple[str, str]]:
    found = []

    def refuse(key: str, why: str) -> None:
        found.append((f"{key}={getattr(config, key)}", why))

    if config.algorithm not in ALGORITHMS:
        refuse(
            "algorithm",
            f"GRPOTrainer's hook for votes serves {', '.join(ALGORITHMS)}; TRL's other trainers have none.",
        )
    if config.votes == "adaptive":
        refuse("votes", "processes draw together, so all questions have the same number of votes.")
    if config.view_names:
        refuse("views", "TRL's hook draws all votes on the question itself.")
    if config.label_votes:
        refuse("label_votes", "TRL's hook has no second sampler.")
    if config.keep == "best":
        refuse("keep", "TRL saves whole checkpoints alone, and nobody asks them what they answer.")
    if config.refill_rounds:
        refuse("refill_rounds", "TRL has no second draw in a step.")
    if config.kl_coefficient and (config.kl_in, config.kl_estimator) != ("loss", "k3"):
        refuse(
            "kl_estimator",
            "TRL adds k3 to the loss and nothing else (kl_in: loss, kl_estimator: k3).",
        )
    if config.algorithm in ALGORITHMS and config.advantage not in SCALE_REWARDS:
        refuse(
            "advantage", f"TRL computes advantages itself, and has {' and '.join(SCALE_REWARDS)}."
        )
    if config.advantage_clip:
        refuse("advantage_clip", "TRL does not clip advantages.")
    if config.importance_cap and config.vllm == "off":
        refuse(
            "importance_cap",
            "transformers tells no log-probabilities of the sampler, so there is no mismatch to correct; "
            "with vllm it becomes vllm_importance_sampling_clip_max.",
        )
    if config.guard == "slow":
        refuse("guard", "TRL's learning rate cannot be halved on the way; guard has stop and warn.")
    if not config.steps:
        refuse("steps", "TRL takes 0 for no bound. `ttrl eval` evaluates a model as it is.")
    if config.stop:
        refuse("stop", "TRL takes completions that end without an end token for cut ones.")
    if config.sampling_dtype != "model":
        refuse("sampling_dtype", "TRL samples in the model's own type, or as its vLLM is set up.")
    if config.device.startswith("cuda:"):
        refuse("device", "each process takes its own GPU; choose them by CUDA_VISIBLE_DEVICES.")
    return found


def grpo_arguments(
    config: RunConfig, share: Share, *, prompt_tokens: int, output_dir: str
) -> dict[str, Any]:
    """Translates a config into the keyword arguments of GRPOConfig.

    Args:
        prompt_tokens: of the longest prompt; decides how many completions a micro-batch holds.

    Raises:
        ConfigError: an option of --trl that is set from another key, or is no KEY=VALUE.
    """
    updates = updates_of_step(config)
    fitting = max(1, config.micro_batch_tokens // (prompt_tokens + config.max_tokens))
    micro = max(n for n in range(1, share.rows_of_update + 1) if _fits(n, share, fitting))
    arguments: dict[str, Any] = {
        "output_dir": output_dir,
        "seed": config.seed,
        "shuffle_dataset": False,
        "max_steps": config.steps * updates,
        "per_device_train_batch_size": micro,
        "steps_per_generation": share.rows // micro,
        "gradient_accumulation_steps": share.rows_of_update // micro,
        "num_iterations": config.passes_per_step,
        "num_generations": config.trained_per_question,
        "max_completion_length": config.max_tokens,
        "temperature": config.temperature,
        "top_p": config.top_p,
        "top_k": config.top_k,
        "learning_rate": config.learning_rate,
        "lr_scheduler_type": "cosine" if config.schedule == "cosine" else "constant_with_warmup",
        "warmup_steps": config.warmup_steps * updates,
        "weight_decay": config.weight_decay,
        "adam_beta2": config.adam_beta2,
        "max_grad_norm": config.clip_norm,
        "loss_type": LOSS_TYPES[str(config.loss_aggregation)],
        "scale_rewards": SCALE_REWARDS[str(config.advantage)],
        **(ALGORITHM_ROWS[config.algorithm].trl or {}),
        "epsilon": config.clip_low,
        "epsilon_high": config.clip_high,
        "delta": config.dual_clip or None,
        "beta": config.kl_coefficient,
        "use_bias_correction_kl": False,
        "entropy_coef": config.entropy_coefficient,
        "mask_truncated_completions": config.mask_truncated,
        "gradient_checkpointing": config.gradient_checkpointing,
        "bf16": config.dtype == "bfloat16",
        "use_cpu": config.device == "cpu",
        # As natively: no dropout, and no loss but ours where a mixture of experts declares one.
        "disable_dropout": True,
        "router_aux_loss_coef": 0.0,
        "ddp_timeout": LONGEST_WAIT,
        # A line of the records is a log, and a run goes on from a checkpoint: neither is the user's to move.
        "logging_strategy": "steps",
        "logging_steps": updates,
        "logging_first_step": False,
        "eval_strategy": "no",
        "save_strategy": "steps",
        "save_steps": config.checkpoint_every * updates,
        "save_total_limit": 2,
        "save_only_model": False,
        "ignore_data_skip": False,
        "report_to": "none",
        "disable_tqdm": True,
        **_vllm(config),
    }
    return arguments | _given(config.trl, arguments)


def differences(config: RunConfig) -> list[str]:
    """Lists what this config asks for and TRL does differently from the native engine."""
    found = [
        "votes are drawn by torch's generator, seeded for each step and process: other ones than natively",
        "advantages are divided by the standard deviation + 1e-4 (native: 1e-6), and the first update of the "
        "warm-up has the learning rate 0",
        "a step in which no group differs still moves the weights by the optimizer's momentum",
    ]
    if config.updates_per_step > 1:
        found.append("the updates of a step take random completions of it, not whole questions")
    if config.weight_decay:
        found.append("weight decay leaves biases and the weights of norms alone")
    if config.entropy_coefficient:
        found.append("the entropy bonus is a mean over each micro-batch, then over these")
    if config.mask_truncated and config.loss_aggregation != "token-mean":
        found.append(
            "completions cut at max_tokens count in the loss's denominator, with a loss of 0"
        )
    if config.task in SIMILAR_TASKS:
        found.append(
            "groups that the reward leaves out count in the loss's denominator and in KL and entropy terms"
        )
    if config.vllm != "off" and not config.importance_cap:
        found.append(
            "TRL weighs what vLLM computes otherwise than the trainer by its own default "
            "(vllm_importance_sampling_mode)"
        )
    if config.dtype == "bfloat16" and not config.lora:
        found.append("dtype bfloat16 computes in bfloat16 on float32 weights (autocast)")
    return found


def _vllm(config: RunConfig) -> dict[str, Any]:
    if config.vllm == "off":
        return {"use_vllm": False}
    found: dict[str, Any] = {"use_vllm": True, "vllm_mode": config.vllm}
    if config.importance_cap:
        found |= {
            "vllm_importance_sampling_mode": "token_truncate",
            "vllm_importance_sampling_clip_max": config.importance_cap,
        }
    return found


def _given(options: Sequence[str], arguments: dict[str, Any]) -> dict[str, Any]:
    found = {}
    for option in options:
        key, sign, value = option.partition("=")
        if not sign or not key.isidentifier():
            raise ConfigError(
                f"trl={option!r}: wanted KEY=VALUE, a field of TRL's GRPOConfig, such as "
                "vllm_gpu_memory_utilization=0.3."
            )
        if key in arguments and key != "ddp_timeout":
            raise ConfigError(
                f"trl={option!r}: {key} is set from this config to {arguments[key]!r}. Change the key it "
                "comes from (docs/trl.md lists them), and leave it out here. If there is none, records and "
                "resuming rest on it."
            )
        if key == "chat_template_kwargs":
            raise ConfigError(
                f"trl={option!r}: prompts of training would be others than those that are evaluated. Leave "
                "it out, or write the prompt yourself: --prompt-template."
            )
        found[key] = _value(option, value)
    return found


def _value(option: str, text: str) -> Any:
    try:
        value = yaml.safe_load(text)
    except YAML_ERRORS:
        raise ConfigError(f"trl={option:.80}: the value is not valid YAML. Quote it.") from None
    if isinstance(value, str) and EXPONENT.fullmatch(value):
        return float(value)
    return value


def _fits(rows: int, share: Share, largest: int) -> bool:
    return rows == 1 or (rows <= largest and share.rows_of_update % rows == 0)
