"""verl's own config takes every override of recipes/verl, and our checks and verl's pass."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

RECIPE = Path(__file__).parents[2] / "recipes" / "verl" / "train.sh"
PAPER = {"aime24": (8, 512, 80), "amc": (8, 1024, 30), "math500": (32, 1024, 10)}


def overrides(*arguments: str, **variables: str) -> list[str]:
    """What the script would give to the launcher."""
    shown = {"RUN": "printf %s\\n", "DATA": "d", **variables}
    done = subprocess.run(
        ["bash", str(RECIPE), *arguments], env=dict(os.environ) | shown, capture_output=True, text=True
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("name", PAPER)
def test_the_papers_values_stand_in_verls_config(compose, name):
    config = compose(*overrides(name))
    questions, prompt, epochs = PAPER[name]
    actor, rollout = config.actor_rollout_ref.actor, config.actor_rollout_ref.rollout
    assert config.data.train_batch_size == questions and config.data.max_prompt_length == prompt
    assert config.trainer.total_epochs == epochs and config.data.max_response_length == 3072
    assert rollout.n == 32 and actor.ppo_mini_batch_size == 1 and actor.ppo_epochs == 1
    assert (actor.optim.lr, actor.optim.lr_scheduler_type) == (5e-7, "cosine")
    assert actor.optim.lr_warmup_steps_ratio == 0.03 and actor.optim.weight_decay == 0.01
    assert actor.use_kl_loss and actor.kl_loss_coef == 0.001 and actor.kl_loss_type == "low_var_kl"
    assert (actor.clip_ratio, actor.clip_ratio_c, actor.loss_agg_mode) == (0.2, 3.0, "token-mean")
    assert (rollout.temperature, rollout.top_p, rollout.top_k) == (1.0, 1.0, -1)
    assert (rollout.val_kwargs.n, rollout.val_kwargs.temperature) == (16, 0.6)
    assert dict(config.ttrl) == {"task": "math", "reward": "agreement", "trained_choice": "first"}
    assert config.data.train_files == f"d/{name}/train.parquet"


@pytest.mark.parametrize("name", PAPER)
@pytest.mark.parametrize(("nodes", "gpus"), [("1", "8"), ("2", "8"), ("4", "8"), ("1", "4")])
def test_our_checks_and_verls_pass_on_one_node_and_on_several(compose, model, name, nodes, gpus):
    from omegaconf import OmegaConf
    from verl.utils.config import validate_config

    from ttrl.overlays.verl.checks import check_config

    config = compose(*overrides(name, MODEL=str(model), NODES=nodes, GPUS=gpus))
    check_config(OmegaConf.to_container(config, resolve=True))
    validate_config(config, use_reference_policy=True, use_critic=False)
    assert config.trainer.nnodes * config.trainer.n_gpus_per_node == int(nodes) * int(gpus)


def test_overrides_of_the_user_win(compose):
    config = compose(*overrides("amc", "actor_rollout_ref.rollout.n=16", "+ttrl.seed=3"))
    assert config.actor_rollout_ref.rollout.n == 16 and config.ttrl.seed == 3


def test_a_set_that_there_is_not_is_told():
    done = subprocess.run(["bash", str(RECIPE), "gsm8k"], capture_output=True, text=True)
    assert done.returncode == 2 and "aime24, amc, math500" in done.stderr
