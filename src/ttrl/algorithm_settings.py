"""Which settings each algorithm reads, and what they are unless the user says otherwise.

A key that is not in an algorithm's row is not one of its parameters, and setting it is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

AlgorithmName = Literal[
    "grpo", "dr-grpo", "dapo", "gspo", "rloo", "reinforce++", "ppo", "dpo", "prime"
]

_POLICY_GRADIENT: dict[str, Any] = {
    "clip_low": 0.2,
    "clip_high": 0.2,
    "dual_clip": 0.0,
    "loss_aggregation": "token-mean",
    "kl_coefficient": 0.0,
    "kl_estimator": "k3",
    "kl_in": "loss",
    "entropy_coefficient": 0.0,
    "advantage_clip": 0.0,
    "importance_cap": 0.0,
}

ALGORITHM_SETTINGS: Mapping[AlgorithmName, Mapping[str, Any]] = {
    "grpo": _POLICY_GRADIENT,
    "dr-grpo": _POLICY_GRADIENT | {"loss_aggregation": "constant"},
    "dapo": _POLICY_GRADIENT | {"clip_high": 0.28, "refill_rounds": 0},
    "gspo": _POLICY_GRADIENT
    | {"clip_low": 3e-4, "clip_high": 4e-4, "loss_aggregation": "sequence-mean"},
    "rloo": _POLICY_GRADIENT
    | {"loss_aggregation": "sequence-mean", "kl_estimator": "k1", "kl_in": "reward"},
    "reinforce++": _POLICY_GRADIENT | {"kl_estimator": "k1", "kl_in": "reward"},
    "ppo": _POLICY_GRADIENT | {"gae_lambda": 1.0, "value_clip": 0.5, "critic_learning_rate": 1e-3},
    "dpo": {"dpo_beta": 0.1, "dpo_loss": "sigmoid", "dpo_label_smoothing": 0.0},
    "prime": _POLICY_GRADIENT | {"prime_beta": 0.05, "prime_learning_rate": 2e-4},
}

ALGORITHM_KEYS = frozenset(key for row in ALGORITHM_SETTINGS.values() for key in row)
COMPANIONS: Mapping[AlgorithmName, str] = {"ppo": "critic", "prime": "implicit reward model"}
"""Models that are trained beside the policy."""
NEEDS_REFERENCE: frozenset[AlgorithmName] = frozenset({"dpo", "prime"})
"""Algorithms that need the base model whatever their KL term."""
WHOLE_COMPLETION: frozenset[AlgorithmName] = frozenset({"gspo", "rloo"})
"""Algorithms whose probability ratio is that of a whole completion."""
NEEDS_TWO = frozenset(get_args(AlgorithmName)) - {"ppo", "reinforce++"}
"""Algorithms that compare the completions of one question with each other."""


def readers_of(key: str) -> list[AlgorithmName]:
    """The algorithms whose parameter it is."""
    return [name for name, row in ALGORITHM_SETTINGS.items() if key in row]
