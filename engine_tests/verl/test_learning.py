"""verl's loop with workers that learn: votes without labels move the embedded model's weights.

LEARNING_STEPS=60 LEARNING_OUT=FOLDER makes it a run of that length whose weights `ttrl eval` can read.
"""

from __future__ import annotations

import json
import os
import shutil
from typing import Any

import pytest
import torch

STEPS = int(os.environ.get("LEARNING_STEPS", "3"))
TEMPLATE = "{{ messages[0]['content'].split('\\n')[0] }}\n"
"""The form of the embedded model's prompts: the question and a line end."""


@pytest.fixture(scope="module")
def learned(fit, compose, small, model, tmp_path_factory):
    """Three steps of 8 questions, M = 16, K = 8, on the embedded questions."""
    from transformers import AutoModelForCausalLM
    from verl_learners import CpuServer, LearningWorkers, SharedWeights

    from ttrl.cli.main import main
    from ttrl.overlays.verl.trainer import TTRLTrainer

    folder = tmp_path_factory.mktemp("learning")
    settings = json.loads((model / "tokenizer_config.json").read_text("utf-8"))
    copy = shutil.copytree(model, folder / "model")
    (copy / "tokenizer_config.json").write_text(json.dumps(settings | {"chat_template": TEMPLATE}))
    options = "--limit 64 --difficulty 4 --votes-per-question 16 --format verl"
    assert main(["export-data", *options.split(), "--out", f"{folder}/data"]) == 0
    config = compose(
        *small,
        f"data.train_files={folder}/data/train.parquet",
        f"data.val_files={folder}/data/train.parquet",
        "data.train_batch_size=8",
        "data.max_response_length=96",
        f"actor_rollout_ref.model.path={copy}",
        "actor_rollout_ref.rollout.n=8",
        "actor_rollout_ref.actor.ppo_mini_batch_size=8",
        "actor_rollout_ref.actor.optim.lr=2e-4",
        "trainer.n_gpus_per_node=1",
        f"trainer.total_training_steps={STEPS}",
        f"trainer.total_epochs={STEPS}",
        "trainer.val_before_train=False",
        "trainer.test_freq=-1",
        f"trainer.default_local_dir={folder}/checkpoints",
    )
    logged: list[dict[str, Any]] = []

    class Watched(TTRLTrainer):
        def _compute_metrics(self, batch, metrics, *arguments, **options):
            super()._compute_metrics(batch, metrics, *arguments, **options)
            logged.append(metrics)

    policy = AutoModelForCausalLM.from_pretrained(copy)
    before = {name: value.clone() for name, value in policy.state_dict().items()}
    trainer = Watched(config)
    trainer.replay_buffer.poll_interval = 0.2
    weights = folder / "weights.pt"
    fit(
        trainer,
        workers=LearningWorkers(policy, config),
        weights=SharedWeights(weights, policy),
        server=CpuServer(copy, weights, longest=96),
    )
    if "LEARNING_OUT" in os.environ:
        policy.save_pretrained(shutil.copytree(copy, os.environ["LEARNING_OUT"]))
    return logged, before, policy.state_dict()


def test_the_sampler_always_has_the_trainers_weights(learned):
    """In each step, log-probabilities of both agree to rounding: new weights arrive, tokens are aligned."""
    logged, _, _ = learned
    assert len(logged) == STEPS
    for metrics in logged:
        assert metrics["training/rollout_probs_diff_max"] < 1e-4


def test_votes_alone_move_the_weights(learned):
    logged, before, after = learned
    assert any(metrics["reward/groups_with_signal"] > 0 for metrics in logged)
    assert any(metrics["actor/grad_norm"] > 0 for metrics in logged)
    moved = [name for name in before if not torch.equal(before[name], after[name])]
    assert moved and all(torch.isfinite(value).all() for value in after.values())
