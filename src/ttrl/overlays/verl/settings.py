"""The block `ttrl` of verl's config: how to vote. All else is verl's own."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from ttrl.config import RunConfig, key_names, keys_read_by, resolve
from ttrl.errors import ConfigError

VOTING_KEYS = tuple(keys_read_by("verl"))
"""Keys of `ttrl train` that mean the same here."""
OWNED_BY_VERL = {
    "votes_per_question": "the column __rollout_n__ of data.train_files, which "
    "`ttrl export-data --votes-per-question` writes",
    "trained_per_question": "actor_rollout_ref.rollout.n",
    "votes": "none: every question gets as many votes as its row says",
    "steps": "trainer.total_training_steps or trainer.total_epochs",
    "questions_per_step": "data.train_batch_size",
    "updates_per_step": "actor_rollout_ref.actor.ppo_mini_batch_size",
    "passes_per_step": "actor_rollout_ref.actor.ppo_epochs",
    "algorithm": "algorithm.adv_estimator",
    "learning_rate": "actor_rollout_ref.actor.optim.lr",
    "schedule": "actor_rollout_ref.actor.optim.lr_scheduler_type",
    "warmup_steps": "actor_rollout_ref.actor.optim.lr_warmup_steps",
    "weight_decay": "actor_rollout_ref.actor.optim.weight_decay",
    "clip_norm": "actor_rollout_ref.actor.optim.clip_grad",
    "clip_low": "actor_rollout_ref.actor.clip_ratio_low",
    "clip_high": "actor_rollout_ref.actor.clip_ratio_high",
    "dual_clip": "actor_rollout_ref.actor.clip_ratio_c",
    "kl_coefficient": "actor_rollout_ref.actor.kl_loss_coef",
    "kl_estimator": "actor_rollout_ref.actor.kl_loss_type",
    "kl_in": "actor_rollout_ref.actor.use_kl_loss or algorithm.use_kl_in_reward",
    "entropy_coefficient": "actor_rollout_ref.actor.entropy_coeff",
    "loss_aggregation": "actor_rollout_ref.actor.loss_agg_mode",
    "temperature": "actor_rollout_ref.rollout.temperature",
    "top_p": "actor_rollout_ref.rollout.top_p",
    "top_k": "actor_rollout_ref.rollout.top_k",
    "max_tokens": "data.max_response_length",
    "eval_temperature": "actor_rollout_ref.rollout.val_kwargs.temperature",
    "samples": "actor_rollout_ref.rollout.val_kwargs.n",
    "model": "actor_rollout_ref.model.path",
    "lora": "actor_rollout_ref.model.lora_rank",
    "questions": "data.train_files",
    "holdout": "data.val_files",
    "out": "trainer.default_local_dir",
    "resume": "trainer.resume_mode",
    "checkpoint_every": "trainer.save_freq",
    "report_to": "trainer.logger",
}
"""Keys of `ttrl train` that verl has under a name of its own."""


def block_of(config: Mapping[str, object]) -> Mapping[str, object]:
    """Finds the block `ttrl` of verl's config; a config without one votes by the defaults.

    Raises:
        ConfigError: it is something else than keys with values.
    """
    block = config.get("ttrl")
    if block is None:
        return {}
    if not isinstance(block, Mapping):
        raise ConfigError(f"ttrl={block!r:.80}: wanted keys, such as +ttrl.reward=majority")
    return block


def voting_config(block: Mapping[str, object], *, trained: int) -> RunConfig:
    """Resolves the settings of the vote.

    Args:
        block: what stands under `ttrl` in verl's config.
        trained: K, verl's `actor_rollout_ref.rollout.n`.

    Raises:
        ConfigError: a key that does not exist or that verl owns, or a bad value.
    """
    for key in block:
        if key not in VOTING_KEYS:
            raise ConfigError(_refusal(str(key)))
    try:
        settings = resolve(block, environment={}).values
    except ConfigError as error:
        told = str(error).replace("command line: ", "")
        raise ConfigError(f"the block ttrl of verl's config: {told}") from None
    # M is each row's own; how often a question is drawn and what is learned from it is verl's to say.
    return settings.model_copy(update={"trained_per_question": trained})


def _refusal(key: str) -> str:
    if key in OWNED_BY_VERL:
        return (
            f"ttrl.{key}: with verl this is not a setting of ttrl. Leave it out; verl's own is: "
            f"{OWNED_BY_VERL[key]}."
        )
    near = difflib.get_close_matches(key.replace("-", "_"), VOTING_KEYS, n=1, cutoff=0.5)
    if key in key_names() and not near:
        hint = (
            "It is a key of `ttrl train` that has no part in a vote, so verl has its own or none."
        )
    else:
        hint = f"Did you mean ttrl.{near[0]}?" if near else ""
    return f"ttrl.{key}: no such key. {hint} There are: {', '.join(VOTING_KEYS)}."
