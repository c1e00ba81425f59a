import copy

import pytest

from ttrl.errors import ConfigError
from ttrl.overlays.verl.checks import REWARD_CLASS, REWARD_MODULE, check_config

GOOD = {
    "trainer": {"use_v1": True, "v1": {"trainer_mode": "ttrl"}, "n_gpus_per_node": 8, "nnodes": 2},
    "reward": {
        "reward_manager": {
            "source": "importlib",
            "name": REWARD_CLASS,
            "module": {"path": REWARD_MODULE},
        },
        "reward_model": {"enable": False},
    },
    "algorithm": {"adv_estimator": "grpo", "filter_groups": {"enable": False}},
    "data": {"train_batch_size": 32},
    "actor_rollout_ref": {
        "rollout": {"n": 32, "calculate_log_probs": False},
        "actor": {
            "ppo_mini_batch_size": 1,
            "strategy": "fsdp",
            "ulysses_sequence_parallel_size": 1,
        },
    },
    "ttrl": {"task": "math"},
}


@pytest.fixture
def check():
    """`check({"a.b": value})`: the good config with these values."""

    def run(changes):
        config = copy.deepcopy(GOOD)
        for path, value in changes.items():
            *above, name = path.split(".")
            place = config
            for part in above:
                place = place[part]
            place[name] = value
        check_config(config)

    return run


def test_the_papers_sizes_pass(check):
    check({})


BAD = {
    "other trainer": ({"trainer.v1.trainer_mode": "sync"}, ["trainer_mode=sync", "trainer_mode=ttrl"]),
    "legacy": ({"trainer.use_v1": False}, ["use_v1=False"]),
    "verl's grader": (
        {"reward.reward_manager": {"source": "register", "name": "naive"}}, ["naive", "Add reward."],
    ),
    "reward model": ({"reward.reward_model.enable": True}, ["the vote is the reward"]),
    "remax": ({"algorithm.adv_estimator": "remax"}, ["remax", "greedy", "grpo"]),
    "gdpo": ({"algorithm.adv_estimator": "gdpo"}, ["gdpo", "several kinds"]),
    "filtered groups": ({"algorithm.filter_groups": {"enable": True}}, ["filter_groups", "for ever"]),
    "one trained": ({"actor_rollout_ref.rollout.n": 1}, ["rollout.n=1", "at least 2"]),
    "mini-batch": (
        {"data.train_batch_size": 9, "actor_rollout_ref.actor.ppo_mini_batch_size": 2}, ["9", "=2"],
    ),
    "GPUs": ({"actor_rollout_ref.rollout.n": 24}, ["1 x 24 = 24", "16 copies"]),
    "no updates": (
        {"actor_rollout_ref.actor.ppo_mini_batch_size": 0}, ["ppo_mini_batch_size=0", "at least 1"],
    ),
    "no number": ({"actor_rollout_ref.rollout.n": "abc"}, ["rollout.n=abc", "whole number"]),
    "half a completion": ({"actor_rollout_ref.rollout.n": 2.5}, ["rollout.n=2.5", "whole number"]),
    "no batch": ({"data.train_batch_size": None}, ["train_batch_size=None", "whole number"]),
    "no sequence": (
        {"actor_rollout_ref.actor.ulysses_sequence_parallel_size": 0}, ["ulysses_sequence_parallel_size=0"],
    ),
    "no block": ({"ttrl": "majority"}, ["ttrl='majority'", "+ttrl.reward="]),
    "log-probabilities": ({"ttrl": {"reward": "confidence"}}, ["calculate_log_probs=True"]),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_what_would_not_vote_is_told_with_what_mends_it(check, kind):
    changes, told = BAD[kind]
    with pytest.raises(ConfigError) as error:
        check(changes)
    for part in told:
        assert part in str(error.value)


def test_sequence_parallel_gpus_hold_one_copy_of_the_model_together(check):
    """16 GPUs by two are 8 copies, which share 24 completions evenly."""
    check(
        {
            "actor_rollout_ref.rollout.n": 24,
            "actor_rollout_ref.actor.ulysses_sequence_parallel_size": 2,
        }
    )


def test_a_config_without_the_block_votes_by_the_defaults(check):
    check({"ttrl": None})
