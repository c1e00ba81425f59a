"""One Ray with one TransferQueue for all tests, and verl's config as its own command would make it."""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
SOURCE = HERE.parents[1] / "src"
TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)
sys.path.insert(0, str(HERE))
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["HF_HUB_OFFLINE"] = "1"

TTRL = [
    "trainer.v1.trainer_mode=ttrl",
    "reward.reward_manager.source=importlib",
    "reward.reward_manager.name=NoTrainingReward",
    "reward.reward_manager.module.path=pkg://ttrl.overlays.verl.reward",
    "algorithm.adv_estimator=grpo",
    "actor_rollout_ref.rollout.name=vllm",
]
SMALL = [
    "data.train_batch_size=2",
    "data.dataloader_num_workers=0",
    "data.max_prompt_length=256",
    "data.max_response_length=24",
    "actor_rollout_ref.actor.ppo_mini_batch_size=2",
    "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=1",
    "actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu=1",
    "actor_rollout_ref.rollout.n=4",
    "actor_rollout_ref.rollout.agent.num_workers=1",
    "reward.num_workers=1",
    "trainer.n_gpus_per_node=2",
    "trainer.logger=[console]",
    "trainer.resume_mode=disable",
    "transfer_queue.enable=True",
    "transfer_queue.backend.SimpleStorage.num_data_storage_units=2",
]


@pytest.fixture(scope="session")
def compose() -> Callable[..., Any]:
    """`compose(*overrides)`: verl's own config with these overrides, as its command reads them."""
    import hydra

    def make(*overrides: str) -> Any:
        with hydra.initialize_config_module("verl.trainer.config", version_base=None):
            return hydra.compose("ppo_trainer", list(overrides))

    return make


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded model's folder with a chat template, which verl asks for."""
    folder = tmp_path_factory.mktemp("model") / "tiny"
    shutil.copytree(SOURCE / "ttrl" / "embedded" / "ttrl-tiny", folder)
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps(settings | {"chat_template": TEMPLATE}), "utf-8")
    return folder


@pytest.fixture(scope="session")
def tokenizer(model: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(model)


@pytest.fixture(scope="session")
def queue(compose: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Verl's TransferQueue on a Ray of this machine.

    Its actors ask for a CPU each, and wait for ever where there are too few: eight are declared.
    """
    import ray
    import transfer_queue

    ray.init(
        num_cpus=8,
        include_dashboard=False,
        object_store_memory=200 * 2**20,
        log_to_driver=False,
        runtime_env={
            "env_vars": {
                "PYTHONPATH": os.pathsep.join([str(SOURCE), str(HERE)]),
                "TRANSFER_QUEUE_ENABLE": "1",
                "OMP_NUM_THREADS": "1",
            }
        },
    )
    transfer_queue.init(compose(*SMALL).transfer_queue)
    yield transfer_queue
    transfer_queue.close()
    ray.shutdown()


@pytest.fixture(scope="session")
def small() -> list[str]:
    """Overrides of a run that fits a test."""
    return [*TTRL, *SMALL]


@pytest.fixture(scope="session")
def fit(queue: Any) -> Callable[..., None]:
    """`fit(trainer, workers=, weights=, server=)`: verl's loop as its runner builds it, but for these."""
    import ray
    from verl.experimental.reward_loop import RewardLoopManager
    from verl.trainer.ppo.v1 import AgentLoopManagerTQ
    from verl_fakes import TwoGpus

    def run(trainer: Any, *, workers: Any, weights: Any, server: Any) -> None:
        trainer.actor_rollout_wg, trainer.ref_in_actor = workers, False
        trainer.checkpoint_manager, trainer.resource_pool_manager = weights, TwoGpus()
        trainer._init_tokenizer()
        trainer._init_dataloader()
        trainer._init_dump_executor()
        trainer._load_checkpoint()
        trainer.on_init_end()
        trainer.reward_loop_manager = RewardLoopManager(config=trainer.config)
        loop = AgentLoopManagerTQ.create(
            config=trainer.config,
            llm_client=server,
            teacher_client=None,
            reward_loop_worker_handles=trainer.get_reward_handles(),
        )
        try:
            trainer.fit(loop)
        finally:
            for actor in [*loop.agent_loop_workers, *trainer.get_reward_handles()]:
                ray.kill(actor)
            while is_there("reward_loop_worker_0"):  # the next run wants its name
                time.sleep(0.05)

    def is_there(name: str) -> bool:
        try:
            ray.get_actor(name)
        except ValueError:
            return False
        return True

    return run


@pytest.fixture
def put(queue: Any, tokenizer: Any) -> Iterator[Callable[..., Any]]:
    """`put({uid: (row, [[text, ...], ...])})`: samples as verl's agent loop stores them.

    Each session is a list of its outputs' texts; None is a session that failed. A text that ends in "..." was
    cut: it has no stop token; one that begins with "surely" was drawn with -0.1 nats a token, others with -2.
    Returns the batch's keys. What a test leaves is cleared.
    """
    import torch
    from transfer_queue import KVBatchMeta
    from verl.utils.tensordict_utils import list_of_dict_to_tensordict

    stored: list[str] = []

    def write(prompts: dict[str, tuple[Any, list[list[str] | None]]], *, shuffle: int = 0) -> Any:
        rows, keys, tags = [], [], []
        for uid, (row, sessions) in prompts.items():
            for number, outputs in enumerate(sessions):
                for index, text in enumerate(outputs or []):
                    ids = tokenizer.encode(text, add_special_tokens=False)
                    if text and not text.endswith("..."):
                        ids.append(tokenizer.eos_token_id)
                    logprob = -0.1 if text.startswith("surely") else -2.0
                    rows.append(sample(uid, row, torch.tensor(ids, dtype=torch.int64), logprob))
                    keys.append(f"{uid}_{number}_{index}")
                    tags.append({"response_len": len(ids), "seq_len": 3 + len(ids)})
        order = list(range(len(keys)))
        random.Random(shuffle).shuffle(order)
        keys, tags, rows = ([part[i] for i in order] for part in (keys, tags, rows))
        queue.kv_batch_put(
            keys=keys, partition_id="train", fields=list_of_dict_to_tensordict(rows), tags=tags
        )
        stored.extend(keys)
        return KVBatchMeta(partition_id="train", keys=keys, tags=tags)

    def sample(uid: str, row: Any, response: Any, logprob: float) -> dict[str, Any]:
        prompt, ones = torch.tensor([2, 3, 4]), torch.ones_like(response)
        whole = torch.cat([prompt, response])
        return {
            "uid": uid,
            "prompts": prompt,
            "responses": response,
            "response_mask": ones,
            "loss_mask": ones,
            "input_ids": whole,
            "position_ids": torch.arange(len(whole)),
            "rm_scores": torch.zeros(len(response)),
            "rollout_log_probs": torch.full((len(response),), logprob),
            "extra_info": row["extra_info"],
            "multi_modal_inputs": {},
            "num_turns": 2,
        }

    yield write
    left = [key for key in stored if key in queue.kv_list("train").get("train", {})]
    if left:
        queue.kv_clear(keys=left, partition_id="train")


@pytest.fixture
def row() -> Callable[..., Any]:
    """`row(id, votes=M)`: a row of train.parquet."""
    from ttrl.answers.tasks import get_task
    from ttrl.overlays.verl.rows import training_row
    from ttrl.types import Question

    def make(id: str, *, votes: int, task: str | None = None, options: tuple[str, ...] = ()) -> Any:
        question = Question(id=id, prompt=f"Question {id}?", task=task, options=options)
        return training_row(
            question, index=0, task=get_task("math"), votes=votes, data_source="none"
        )

    return make


@pytest.fixture
def trainer(compose: Callable[..., Any], small: list[str], model: Path, tokenizer: Any) -> Any:
    """`trainer(*overrides)`: our trainer at step 1, as verl constructs it, without servers and workers."""
    from verl_fakes import StillWorkers

    from ttrl.overlays.verl.trainer import TTRLTrainer

    def make(*overrides: str) -> Any:
        made = TTRLTrainer(compose(*small, f"actor_rollout_ref.model.path={model}", *overrides))
        made.tokenizer, made.global_steps = tokenizer, 1
        made.actor_rollout_wg = StillWorkers()
        return made

    return make


@pytest.fixture
def export(tmp_path: Path) -> Callable[..., Path]:
    """`export(*options)`: the folder that `ttrl export-data` writes."""
    from ttrl.cli.main import main

    def write(*options: str) -> Path:
        folder = tmp_path / "data"
        assert main(["export-data", "--format", "verl", "--out", str(folder), *options]) == 0
        return folder

    return write
