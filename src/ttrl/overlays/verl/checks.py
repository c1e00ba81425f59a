"""Checks before any model is loaded that verl's config and data files allow a vote."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping, Sequence
from typing import Any

from ttrl.config import RunConfig, key_names, keys_read_by, resolve
from ttrl.data.questions import shown
from ttrl.data.tables import HUB_PREFIX, read_rows
from ttrl.errors import ConfigError, DataError
from ttrl.overlays.verl.rows import REMEDY, VOTES_COLUMN, is_labeled, question_of_row
from ttrl.overlays.voting import GroupVoter

VOTING_KEYS = tuple(keys_read_by("verl"))
"""Keys of `ttrl train` that mean the same here."""
OWNED_BY_VERL = {
    "votes_per_question": "the column __rollout_n__ of data.train_files, which "
    "`ttrl export-data --votes-per-question` writes",
    "trained_per_question": "actor_rollout_ref.rollout.n",
    "votes": "none: every question gets as many votes as its row says",
    "views": "none: all votes of a row are on its own question",
    "label_votes": "none: only the votes of a row elect its label",
    "label_rule": "none: there are no further votes to compare with",
    "view_count": "none: all votes of a row are on its own question",
    "label_temperature": "none: all votes of a row have the temperature of the rollout",
    "further_votes": "none: only the votes of a row elect its label",
    "visit_decay": "none: only the votes of a row elect its label",
    "teacher_decay": "none: only the votes of a row elect its label",
    "peer": "none: only the votes of a row elect its label",
    "augment": "none: verl trains on the rows of data.train_files, so copies have to be among them",
    "guard": "none: nothing here watches for collapse, so watch the metrics of trainer.logger",
    "keep": "none: verl saves every trainer.save_freq steps, and which one to use is yours to choose",
    "steps": "trainer.total_training_steps or trainer.total_epochs",
    "questions_per_step": "data.train_batch_size",
    "updates_per_step": "actor_rollout_ref.actor.ppo_mini_batch_size",
    "passes_per_step": "actor_rollout_ref.actor.ppo_epochs",
    "algorithm": "algorithm.adv_estimator",
    "advantage": "algorithm.adv_estimator and algorithm.norm_adv_by_std_in_grpo",
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
NO_VALIDATION = "trainer.val_before_train=False trainer.test_freq=-1"


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


def check_files(config: Mapping[str, Any]) -> list[str]:
    """Reads the local files that verl's config names; files elsewhere are checked row by row in the run.

    Returns:
        What the user should know.

    Raises:
        ConfigError, DataError: rows that cannot vote, or that a validation cannot grade.
    """
    notes, questions = [], 0
    seen: dict[str, str] = {}
    data, trained = config["data"], config["actor_rollout_ref"]["rollout"]["n"]
    train, elsewhere = _files(data, "train_files")
    for file in train:
        table = read_rows(file)
        labeled = check_training_rows(table.rows, name=file, trained=trained, seen=seen)
        questions += len(table.rows)
        if labeled:
            notes.append(
                f"{table.name}: {labeled} of {len(table.rows)} rows carry a label in "
                "reward_model.ground_truth. Training does not read it."
            )
    if not elsewhere:
        _check_enough(data, questions)
    trainer = config["trainer"]
    graded, _ = _files(data, "val_files")
    for file in graded:
        if trainer["val_before_train"] or (trainer["test_freq"] or 0) > 0:
            _check_validation(file)
        elif not os.path.exists(file):
            raise ConfigError(
                f"data.val_files={file}: no such file, and verl loads it also where nothing is validated. "
                "Name one that is there: that of data.train_files will do."
            )
    return notes


def check_training_rows(
    rows: Sequence[Mapping[str, Any]], *, name: str, trained: int, seen: dict[str, str]
) -> int:
    """Checks a file's rows before anything is loaded; returns how many carry a label.

    Args:
        name: of the file, for messages.
        trained: K, which no question may have fewer votes than.
        seen: where each id of the files before stands; those of this one are added.

    Raises:
        DataError: a row without our fields, with two numbers of votes, or with fewer than K; or an id twice.
    """
    labeled = 0
    for index, row in enumerate(rows):
        place = f"{name} row {index + 1}"
        question, votes = question_of_row(row.get("extra_info"), place=place)
        if row.get(VOTES_COLUMN) != votes:
            raise DataError(
                f"{place}: the column {VOTES_COLUMN} is {shown(row.get(VOTES_COLUMN))}, wanted {votes} as in "
                f"extra_info.votes: without it verl draws only the completions it trains on. {REMEDY}"
            )
        if votes < trained:
            raise DataError(
                f"{place}: question {question.id!r} gets {votes} votes, fewer than the {trained} completions "
                "to be trained on: these are a subset of the votes. Lower actor_rollout_ref.rollout.n, or "
                "export with more --votes-per-question."
            )
        if question.id in seen:
            raise DataError(
                f"{place}: the id {question.id!r} is that of {seen[question.id]} too, wanted "
                "distinct ids. Export the questions from one file, or give them ids of their own there."
            )
        seen[question.id] = place
        labeled += is_labeled(row)
    return labeled


def _check_enough(data: Mapping[str, Any], questions: int) -> None:
    most = data.get("train_max_samples", -1)
    there = min(questions, most) if most > 0 else questions
    if there < data["train_batch_size"]:
        raise ConfigError(
            f"data.train_batch_size={data['train_batch_size']}: data.train_files has {there} questions, and "
            "verl leaves out those that do not fill a step, so there would be none. Set it to at most "
            f"{there}."
        )


def _check_validation(file: str) -> None:
    table = read_rows(file)
    for index, row in enumerate(table.rows):
        if row.get(VOTES_COLUMN) is not None:
            raise ConfigError(
                f"{table.where(index)}: a row that votes (column {VOTES_COLUMN}), and data.val_files names "
                "rows that verl grades. Name another file (ttrl export-data --answers writes one), or "
                f"validate nothing: {NO_VALIDATION}"
            )
        if not is_labeled(row):
            raise ConfigError(
                f"{table.where(index)}: no answer in reward_model.ground_truth, so verl's validation would "
                "count every completion as wrong. Export with --answers, or validate nothing: "
                f"{NO_VALIDATION}"
            )


def _files(data: Mapping[str, Any], key: str) -> tuple[list[str], bool]:
    """The local ones that a key names, and whether there are others."""
    files: str | Sequence[str] = data[key] or []
    named = [files] if isinstance(files, str) else list(files)
    if not named:
        raise ConfigError(f"data.{key} names no file. Name what `ttrl export-data` wrote.")
    for file in named:
        if file.startswith(HUB_PREFIX):
            raise ConfigError(
                f"data.{key}={file}: verl reads files. Export it first: ttrl export-data --format verl "
                f"--questions {file}"
            )
    local = [os.path.expanduser(file) for file in named if "://" not in file]
    return local, len(local) < len(named)
