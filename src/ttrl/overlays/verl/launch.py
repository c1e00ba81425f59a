"""verl's own command, with the checks that a vote needs before it and our task runner in it."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import hydra
import ray
from omegaconf import OmegaConf
from verl.trainer.main_ppo import TaskRunnerV1, run_ppo
from verl.trainer.ppo.core_algos import ADV_ESTIMATOR_REGISTRY
from verl.trainer.ppo.utils import need_critic, need_reference_policy
from verl.utils.config import validate_config
from verl.utils.device import auto_set_device

from ttrl.errors import ConfigError, TtrlError
from ttrl.overlays.verl.checks import NO_ESTIMATOR, check_config, check_files

_PLAIN: Any = TaskRunnerV1.__ray_metadata__.modified_class.__ray_actor_class__
"""verl's class as it was before Ray made an actor of it: actors have no subclasses."""


@ray.remote
class TTRLTaskRunner(_PLAIN):  # type: ignore[misc]
    """verl's task runner, in the one process that has to know the trainer `ttrl`: the trainer's own."""

    def run(self, config: Any) -> None:
        """Runs verl's trainer.

        Ray sends this class by value, so what registers the trainer is imported there and not here.
        """
        importlib.import_module("ttrl.overlays.verl.trainer")
        super().run(config)


@hydra.main(config_path="pkg://verl.trainer.config", config_name="ppo_trainer", version_base=None)  # type: ignore[untyped-decorator, unused-ignore]
def launch(config: Any) -> None:
    """Checks and runs one config. Hydra fills it from the command line."""
    try:
        for note in check_run(config):
            print(f"ttrl verl: {note}", file=sys.stderr)
        _run(config)
    except TtrlError as error:
        # One that was raised in a process of Ray comes with that process's traceback around it.
        print(f"ttrl verl: {getattr(error, 'cause', error)}", file=sys.stderr)
        sys.exit(error.exit_code)


def _run(config: Any) -> None:
    auto_set_device(config)
    validate_config(
        config=config,
        use_reference_policy=need_reference_policy(config),
        use_critic=need_critic(config),
    )
    run_ppo(config, task_runner_class=TTRLTaskRunner)


def check_run(config: Any) -> list[str]:
    """Checks everything that can be known before Ray starts and a model is loaded.

    Returns:
        What the user should know.

    Raises:
        ConfigError, DataError: what would stop the run, or make it another than was asked for.
    """
    plain: Any = OmegaConf.to_container(config, resolve=True)
    check_config(plain)
    _check_estimator(plain["algorithm"]["adv_estimator"])
    notes = check_files(plain)
    _check_gpus(plain)
    return notes


def _check_estimator(name: object) -> None:
    """Refuses an unknown estimator now; verl asks for it at the first update only."""
    if name not in ADV_ESTIMATOR_REGISTRY:
        known = sorted(set(map(str, ADV_ESTIMATOR_REGISTRY)) - NO_ESTIMATOR.keys())
        raise ConfigError(
            f"algorithm.adv_estimator={name}: verl has none of that name. Choose one of {', '.join(known)}."
        )


def _check_gpus(plain: Any) -> None:
    """Counts the GPUs of this machine where verl would start a cluster; one that is there knows its own."""
    address = plain["ray_kwargs"]["ray_init"].get("address")
    if address or os.environ.get("RAY_ADDRESS") or plain["trainer"]["device"] != "cuda":
        return
    import torch

    wanted, found = plain["trainer"]["n_gpus_per_node"], torch.cuda.device_count()
    if found < wanted:
        raise ConfigError(
            f"trainer.n_gpus_per_node={wanted}, and this machine has {found} GPUs: verl samples with "
            f"{plain['actor_rollout_ref']['rollout']['name']}, which needs them. Lower "
            "trainer.n_gpus_per_node, or start a Ray cluster that has them and set RAY_ADDRESS."
        )
