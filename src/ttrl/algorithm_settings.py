"""The algorithms, one row each: what sets one apart, its own settings and their defaults.

This is the only place where such a fact stands. The config reads it without loading torch, the classes in
`ttrl.rl.algorithms` look it up under their names, and TRL's adapter and the pages follow it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

AlgorithmName = Literal[
    "grpo", "dr-grpo", "dapo", "gspo", "rloo", "reinforce++", "ppo", "dpo", "prime"
]
AdvantageName = Literal["normalized", "centered", "fixed", "marginal", "entropy-scaled", "restrain"]
Ratio = Literal["token", "sequence-mean", "sequence-sum"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Companion:
    """A model that is trained beside the policy."""

    kind: Literal["critic", "implicit reward model"]
    settings: Mapping[str, str]
    """Arguments of its class in `ttrl.engine`, and the keys of the config that they come from."""
    usual_rate: str
    """A learning rate that suits models of a billion parameters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart of the pages that only runs of this algorithm have."""

    title: str
    unit: str
    line: str
    metric: str
    share: bool = False
    """The metric is a share and is drawn in percent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlgorithmRow:
    """The facts about one algorithm."""

    settings: Mapping[str, Any]
    """The parameters with their defaults. Setting another algorithm's parameter is an error."""
    ratio: Ratio = "token"
    """The unit of the probability ratio: each token, or the whole completion (its probability, or the
    geometric mean of that over tokens)."""
    compares: Literal["question", "step"] = "question"
    """The completions that are compared with each other: those of one question, or all of the step."""
    leaves_one_out: bool = False
    """Whether centered advantages leave a completion's own reward out of the mean that they are taken to."""
    needs_reference: bool = False
    """Whether it needs the base model even without a KL term."""
    companion: Companion | None = None
    trl: Mapping[str, str] | None = None
    """Arguments of TRL's GRPOConfig that make its trainer this algorithm; None where there are none."""
    chart: Chart | None = None

    @property
    def whole_completion(self) -> bool:
        """Returns whether a completion has a single probability ratio, and so a single loss."""
        return self.ratio != "token"

    @property
    def one_model(self) -> bool:
        """Returns whether the algorithm can run with the policy alone."""
        return self.companion is None and not self.needs_reference


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
_AS_GRPO = {"importance_sampling_level": "token"}

_NORMALIZED = _POLICY_GRADIENT | {"advantage": "normalized"}

ALGORITHM_ROWS: Mapping[AlgorithmName, AlgorithmRow] = {
    "grpo": AlgorithmRow(settings=_NORMALIZED, trl=_AS_GRPO),
    "dr-grpo": AlgorithmRow(
        settings=_POLICY_GRADIENT | {"advantage": "centered", "loss_aggregation": "constant"},
        trl=_AS_GRPO,
    ),
    "dapo": AlgorithmRow(
        settings=_NORMALIZED | {"clip_high": 0.28, "refill_rounds": 0}, trl=_AS_GRPO
    ),
    "gspo": AlgorithmRow(
        settings=_NORMALIZED
        | {"clip_low": 3e-4, "clip_high": 4e-4, "loss_aggregation": "sequence-mean"},
        ratio="sequence-mean",
        trl=_AS_GRPO | {"importance_sampling_level": "sequence"},
    ),
    "rloo": AlgorithmRow(
        settings=_POLICY_GRADIENT
        | {
            "advantage": "centered",
            "loss_aggregation": "sequence-mean",
            "kl_estimator": "k1",
            "kl_in": "reward",
        },
        ratio="sequence-sum",
        leaves_one_out=True,
    ),
    "reinforce++": AlgorithmRow(
        settings=_POLICY_GRADIENT | {"kl_estimator": "k1", "kl_in": "reward"}, compares="step"
    ),
    "ppo": AlgorithmRow(
        settings=_POLICY_GRADIENT
        | {"gae_lambda": 1.0, "value_clip": 0.5, "critic_learning_rate": 1e-3},
        compares="step",
        companion=Companion(
            kind="critic",
            settings={"learning_rate": "critic_learning_rate", "value_clip": "value_clip"},
            usual_rate="1e-5",
        ),
        chart=Chart(
            title="What the critic explains",
            unit="share of variance",
            line="explained",
            metric="train/critic_explained",
        ),
    ),
    "dpo": AlgorithmRow(
        settings={"dpo_beta": 0.1, "dpo_loss": "sigmoid", "dpo_label_smoothing": 0.0},
        needs_reference=True,
        chart=Chart(
            title="Preferences that the policy shares with the vote",
            unit="% of pairs",
            line="pairs",
            metric="train/dpo_accuracy",
            share=True,
        ),
    ),
    "prime": AlgorithmRow(
        settings=_POLICY_GRADIENT | {"prime_beta": 0.05, "prime_learning_rate": 2e-4},
        needs_reference=True,
        companion=Companion(
            kind="implicit reward model",
            settings={"learning_rate": "prime_learning_rate", "beta": "prime_beta"},
            usual_rate="1e-6",
        ),
        chart=Chart(
            title="What the implicit reward model gets right",
            unit="% of completions",
            line="right",
            metric="train/prime_accuracy",
            share=True,
        ),
    ),
}

ALGORITHM_SETTINGS: Mapping[AlgorithmName, Mapping[str, Any]] = {
    name: row.settings for name, row in ALGORITHM_ROWS.items()
}
ALGORITHM_KEYS = frozenset(key for row in ALGORITHM_ROWS.values() for key in row.settings)


def readers_of(key: str) -> list[AlgorithmName]:
    """Returns the algorithms that have this parameter, in the order of the rows."""
    return [name for name, row in ALGORITHM_ROWS.items() if key in row.settings]
