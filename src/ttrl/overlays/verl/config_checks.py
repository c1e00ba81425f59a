"""What verl's config has to say for a vote to work, asked before any model is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ttrl.errors import ConfigError
from ttrl.overlays.verl.settings import block_of, voting_config
from ttrl.overlays.voting import GroupVoter

TRAINER = "ttrl"
"""Name of the trainer, for `trainer.v1.trainer_mode`."""
REWARD_MODULE = "pkg://ttrl.overlays.verl.reward"
REWARD_CLASS = "NoTrainingReward"
REWARD_OVERRIDES = (
    "reward.reward_manager.source=importlib "
    f"reward.reward_manager.name={REWARD_CLASS} "
    f"reward.reward_manager.module.path={REWARD_MODULE}"
)
NO_ESTIMATOR = {
    "remax": "it compares with the reward of a greedy completion, and a vote gives none",
    "gdpo": "it reads rewards of several kinds per sample, and a vote gives one",
}
"""Advantage estimators that cannot learn from votes, and why."""


def check_config(config: Mapping[str, Any]) -> GroupVoter:
    """Checks verl's resolved config, as plain dicts, and makes the voter that it asks for.

    Raises:
        ConfigError: a setting under which there would be no vote, or another reward beside it.
    """
    _check_selected(config)
    reward = config["reward"]
    if reward["reward_model"]["enable"]:
        raise ConfigError(
            "reward.reward_model.enable=True: the vote is the reward, so a reward model would be run for "
            "nothing. Set it to False."
        )
    algorithm = config["algorithm"]
    estimator = str(algorithm["adv_estimator"])
    if estimator in NO_ESTIMATOR:
        raise ConfigError(
            f"algorithm.adv_estimator={estimator}: {NO_ESTIMATOR[estimator]}. Choose grpo, rloo, "
            "reinforce_plus_plus or gae, say."
        )
    if (algorithm.get("filter_groups") or {}).get("enable"):
        raise ConfigError(
            "algorithm.filter_groups.enable=True: verl filters on rewards before the vote gives any, so it "
            "would drop every group and draw for ever. Set it to False: groups that agree have advantage 0."
        )
    _check_sizes(config)
    rollout = config["actor_rollout_ref"]["rollout"]
    voter = GroupVoter(voting_config(block_of(config), trained=rollout["n"]))
    if "logprobs" in voter.rule.needs and not rollout["calculate_log_probs"]:
        raise ConfigError(
            f"ttrl.reward={voter.config.reward} needs the log-probabilities of sampled tokens. Add "
            "actor_rollout_ref.rollout.calculate_log_probs=True, or choose another reward."
        )
    return voter


def _check_selected(config: Mapping[str, Any]) -> None:
    trainer = config["trainer"]
    if not trainer["use_v1"]:
        raise ConfigError(
            "trainer.use_v1=False: the adapter is a trainer of verl's V1. Leave it out."
        )
    mode = trainer["v1"]["trainer_mode"]
    if mode != TRAINER:
        raise ConfigError(
            f"trainer.v1.trainer_mode={mode}: verl would train without a vote. Add "
            f"trainer.v1.trainer_mode={TRAINER}"
        )
    manager = config["reward"]["reward_manager"]
    chosen = (manager["source"], manager["name"], (manager.get("module") or {}).get("path"))
    if chosen != ("importlib", REWARD_CLASS, REWARD_MODULE):
        raise ConfigError(
            f"reward.reward_manager is {manager['name']} (source {manager['source']}): it would grade each "
            f"sample against a label while it is drawn. Add {REWARD_OVERRIDES}"
        )


def _check_sizes(config: Mapping[str, Any]) -> None:
    actor = config["actor_rollout_ref"]["actor"]
    trained = _whole(config, "actor_rollout_ref.rollout.n")
    if trained < 2:
        raise ConfigError(
            f"actor_rollout_ref.rollout.n={trained}: it is K, the completions of a question that are trained "
            "on, and one alone has nobody to be compared with. Set it to at least 2 (the paper uses 32)."
        )
    questions = _whole(config, "data.train_batch_size")
    mini = _whole(config, "actor_rollout_ref.actor.ppo_mini_batch_size")
    if questions % mini:
        raise ConfigError(
            f"data.train_batch_size={questions} is no multiple of "
            f"actor_rollout_ref.actor.ppo_mini_batch_size={mini}: verl would fill the last update with empty "
            "samples, so it would weigh its few real ones like a whole one. Change one of them."
        )
    if actor["strategy"] in {"fsdp", "fsdp2"}:
        gpus = _whole(config, "trainer.n_gpus_per_node") * _whole(config, "trainer.nnodes")
        parts = _whole(config, "actor_rollout_ref.actor.ulysses_sequence_parallel_size")
        copies = max(1, gpus // parts)
        if mini * trained % copies:
            raise ConfigError(
                "actor_rollout_ref.actor.ppo_mini_batch_size x actor_rollout_ref.rollout.n = "
                f"{mini} x {trained} = {mini * trained} completions in an update, which {copies} copies of "
                "the model cannot share evenly. Change one of them."
            )


def _whole(config: Mapping[str, Any], name: str) -> int:
    value: Any = config
    for part in name.split("."):
        value = value[part]
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"{name}={value}: wanted a whole number of at least 1.")
    return value
