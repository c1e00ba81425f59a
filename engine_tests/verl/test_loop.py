"""verl's own loop, from the data file to the update, with our trainer in it and no GPU behind it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

TEXTS = [r"\boxed{7}", r"so \boxed{7.0}", r"\boxed{9}", "no idea", "and on and on " * 9]


@pytest.fixture
def built(queue, compose, small, model, tokenizer, export, tmp_path):
    """A trainer as verl builds it, but for what needs a GPU: servers and workers."""
    from verl.experimental.reward_loop import RewardLoopManager
    from verl.trainer.ppo.v1 import AgentLoopManagerTQ
    from verl_fakes import NoReplicas, ScriptedServer, StillWorkers

    from ttrl.overlays.verl.trainer import TTRLTrainer

    rows = [{"id": f"q{n}", "question": f"What is {n} + {n}?", "answer": str(2 * n)} for n in range(4)]
    file = tmp_path / "q.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = export("--questions", str(file), "--answers", "answer", "--votes-per-question", "6")
    config = compose(
        *small,
        f"data.train_files={data}/train.parquet",
        f"data.val_files={data}/evaluation.parquet",
        f"actor_rollout_ref.model.path={model}",
        "actor_rollout_ref.rollout.val_kwargs.n=2",
        "trainer.total_training_steps=2",
        "trainer.test_freq=2",
        f"trainer.default_local_dir={tmp_path}/checkpoints",
    )
    trainer = TTRLTrainer(config)
    trainer._init_tokenizer()
    trainer._init_dataloader()
    trainer._init_dump_executor()
    trainer.actor_rollout_wg = StillWorkers()
    trainer.checkpoint_manager = NoReplicas()
    trainer.reward_loop_manager = RewardLoopManager(config=config)
    trainer.resource_pool_manager = type("Pool", (), {"get_n_gpus": lambda self: 2})()
    trainer.global_steps = 0
    trainer.ref_in_actor = False
    loop = AgentLoopManagerTQ.create(
        config=config,
        llm_client=ScriptedServer(tokenizer, TEXTS, longest=24),
        teacher_client=None,
        reward_loop_worker_handles=trainer.get_reward_handles(),
    )
    return trainer, loop


def test_two_steps_of_verls_own_loop(built, queue, capsys):
    trainer, loop = built
    logged: list[dict[str, Any]] = []
    import verl.trainer.ppo.v1.trainer_base as base

    real = base.Tracking.log
    base.Tracking.log = lambda self, data, step: (logged.append(dict(data)), real(self, data, step))[1]
    try:
        trainer.fit(loop)
    finally:
        base.Tracking.log = real
    print(len(logged), logged)
    print(trainer.actor_rollout_wg.updates)
    print(queue.kv_list())
    assert 0
