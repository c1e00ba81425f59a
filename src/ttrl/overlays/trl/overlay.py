"""TTRL for a TRL script of one's own: three arguments of GRPOTrainer."""

from __future__ import annotations

import sys
from typing import Any

from ttrl.config import RunConfig, keys_read_by, resolve
from ttrl.errors import ConfigError
from ttrl.overlays.pins import TRL
from ttrl.overlays.trl.questions import labels_of, questions_of_dataset
from ttrl.overlays.trl.rollout import VotingRollout, check_whole_evaluations, check_whole_groups
from ttrl.overlays.voting import GroupVoter

DEFAULT_VOTES = 64
OF_TRL = {
    "trained_per_question": "num_generations",
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "max_tokens": "max_completion_length",
    "learning_rate": "learning_rate",
    "steps": "max_steps",
    "questions_per_step": "generation_batch_size",
    "algorithm": "loss_type",
    "report_to": "report_to",
}
"""Settings of ours that a TRL script says in GRPOConfig."""
OWN = frozenset(keys_read_by("Overlay"))


class Overlay:
    r"""Puts votes in the place of labels, for GRPOTrainer.

    Attributes:
        dataset: for `train_dataset`: the given one without the columns that are named like true answers.
        rollout: for `rollout_func`.
        reward: for `reward_funcs`, alone or beside others.

    Args:
        args: the GRPOConfig of the trainer. Its num_generations is K, the completions that are trained on.
        dataset: map-style, with a column "prompt" of texts or chat messages that ask for answers as the task
            reads them (task math: in \boxed{}).
        rows_at_once: most completions that transformers draws side by side; vLLM needs no such bound.
        settings: votes_per_question (M >= K), task, reward, trained_choice, seed, task_column, options_column
            and the other keys of the group Consensus, as in `ttrl train`.

    Raises:
        ConfigError: another TRL than this was tested with, groups that would be split over processes, K > M,
            an unknown setting, or one that GRPOConfig decides.
        DataError: a data set without prompts.
    """

    def __init__(
        self, args: Any, dataset: Any, *, rows_at_once: int | None = None, **settings: Any
    ) -> None:
        TRL.check()
        check_whole_groups(
            per_device=args.per_device_train_batch_size,
            steps_per_generation=args.steps_per_generation,
            num_generations=args.num_generations,
        )
        if args.do_eval:  # as an eval_strategy sets it
            check_whole_evaluations(
                per_device=args.per_device_eval_batch_size,
                num_generations=args.num_generations_eval or args.num_generations,
            )
        config = _config(args, settings)
        questions = questions_of_dataset(
            dataset,
            task=config.task,
            task_column=config.task_column,
            options_column=config.options_column,
        )
        labels = labels_of(dataset.column_names)
        if labels and args.process_index == 0:
            print(
                f"ttrl: left out of training: {', '.join(labels)}. Labels never reach it.",
                file=sys.stderr,
            )
        self.dataset = dataset.remove_columns(labels)
        hooks = VotingRollout(GroupVoter(config), questions, rows_at_once=rows_at_once)
        self.rollout = hooks.rollout
        self.reward = hooks.reward


def _config(args: Any, settings: dict[str, Any]) -> RunConfig:
    for key in settings:
        if key in OF_TRL:
            raise ConfigError(
                f"Overlay: {key} is {OF_TRL[key]} of GRPOConfig. Set it there, and leave it out here."
            )
    k, m = args.num_generations, settings.get("votes_per_question", DEFAULT_VOTES)
    if isinstance(m, int) and k > m:
        raise ConfigError(
            f"num_generations={k} of GRPOConfig is more than votes_per_question={m}: the trained completions "
            f"are a subset of the votes. Set votes_per_question >= {k}."
        )
    resolved = resolve(
        {"votes_per_question": m, "trained_per_question": k} | settings, environment={}
    )
    foreign = sorted(resolved.given - OWN - OF_TRL.keys())
    if foreign:
        raise ConfigError(
            f"Overlay: {foreign[0]} is nothing that a vote reads; wanted {', '.join(sorted(OWN))}. TRL's own "
            "settings belong into GRPOConfig."
        )
    return resolved.values
