"""The classes of the algorithms, by the names of their rows in `ttrl.algorithm_settings`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from ttrl.algorithm_settings import AlgorithmName
from ttrl.config import RunConfig
from ttrl.rl.advantage_rules.registry import make_advantage
from ttrl.rl.algorithms.dapo import Dapo
from ttrl.rl.algorithms.dpo import Dpo
from ttrl.rl.algorithms.dr_grpo import DrGrpo
from ttrl.rl.algorithms.grpo import Grpo
from ttrl.rl.algorithms.gspo import Gspo
from ttrl.rl.algorithms.interface import Algorithm
from ttrl.rl.algorithms.ppo import Ppo
from ttrl.rl.algorithms.prime import Prime
from ttrl.rl.algorithms.reinforce_pp import ReinforcePlusPlus
from ttrl.rl.algorithms.rloo import Rloo

ALGORITHMS: Mapping[AlgorithmName, Any] = {
    "grpo": Grpo,
    "dr-grpo": DrGrpo,
    "dapo": Dapo,
    "gspo": Gspo,
    "rloo": Rloo,
    "reinforce++": ReinforcePlusPlus,
    "ppo": Ppo,
    "dpo": Dpo,
    "prime": Prime,
}


def make_algorithm(config: RunConfig) -> Algorithm:
    """Makes the algorithm that the config names. The fields of its class are config keys.

    Raises:
        ConfigError: no such advantage.
    """
    made = ALGORITHMS[config.algorithm]
    settings = {field.name: getattr(config, field.name) for field in fields(made)}
    if "advantage" in settings:
        settings["advantage"] = make_advantage(config)
    algorithm: Algorithm = made(**settings)
    return algorithm
