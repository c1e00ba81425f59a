"""The process in which verl's trainer runs, with ours registered in it.

Ray starts it on any node and finds this class by the name of its module, so importing it is all that
registration takes; no other process of a run needs it.
"""

from __future__ import annotations

from typing import Any

import ray
from verl.trainer.main_ppo import TaskRunnerV1

import ttrl.overlays.verl.trainer  # noqa: F401, registers the trainer

_PLAIN: Any = TaskRunnerV1.__ray_metadata__.modified_class.__ray_actor_class__
"""verl's class as it was before Ray made an actor of it: actors have no subclasses."""


@ray.remote
class TTRLTaskRunner(_PLAIN):  # type: ignore[misc]
    """verl's task runner, in a process that knows the trainer `ttrl`."""
