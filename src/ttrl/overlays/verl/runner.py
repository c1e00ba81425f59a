"""The process in which verl's trainer runs, with ours registered in it. No other process needs it."""

from __future__ import annotations

import importlib
from typing import Any

import ray
from verl.trainer.main_ppo import TaskRunnerV1

_PLAIN: Any = TaskRunnerV1.__ray_metadata__.modified_class.__ray_actor_class__
"""verl's class as it was before Ray made an actor of it: actors have no subclasses."""


@ray.remote
class TTRLTaskRunner(_PLAIN):  # type: ignore[misc]
    """verl's task runner, in a process that knows the trainer `ttrl`."""

    def run(self, config: Any) -> None:
        """Runs verl's trainer.

        Ray sends this class by value, so nothing that its module imports is imported here.
        """
        importlib.import_module("ttrl.overlays.verl.trainer")  # registers
        super().run(config)
