"""Reward rules by name."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import TYPE_CHECKING

from ttrl.consensus.agreement import AgreementReward
from ttrl.consensus.confidence import ConfidenceReward
from ttrl.consensus.controls import FormatReward, RandomReward
from ttrl.consensus.custom import CustomReward, load_function
from ttrl.consensus.majority import MajorityReward
from ttrl.consensus.selective import SelectiveReward
from ttrl.consensus.similar import SimilarityReward
from ttrl.consensus.soft import SoftReward
from ttrl.errors import ConfigError
from ttrl.types import RewardRule

if TYPE_CHECKING:
    from ttrl.config import RunConfig

ANSWER_KEY = "answer-key"
"""The upper bound from true labels. It lives with them, in `ttrl.evaluate.leakage`."""

RULES: dict[str, Callable[[RunConfig], RewardRule]] = {
    "agreement": lambda c: AgreementReward(tie_seed=c.seed),
    "majority": lambda c: MajorityReward(tie_seed=c.seed),
    "soft": lambda c: SoftReward(tie_seed=c.seed),
    "selective": lambda c: SelectiveReward(
        tie_seed=c.seed,
        share=c.selective_share,
        margin=c.selective_margin,
        negative=c.selective_negative,
        entropy_weight=c.selective_entropy,
    ),
    "confidence": lambda c: ConfidenceReward(tie_seed=c.seed, temperature=c.confidence_temperature),
    "similarity": lambda c: SimilarityReward(tie_seed=c.seed, measure="similarity"),
    "medoid": lambda c: SimilarityReward(tie_seed=c.seed, measure="medoid"),
    "threshold": lambda c: SimilarityReward(
        tie_seed=c.seed, measure="threshold", threshold=c.similarity_threshold
    ),
    "random": lambda c: RandomReward(tie_seed=c.seed),
    "format": lambda c: FormatReward(tie_seed=c.seed),
}


def check_rule(config: RunConfig) -> None:
    """Raises ConfigError if `config.reward` names no rule."""
    if config.reward != ANSWER_KEY:
        make_rule(config)


def make_rule(config: RunConfig) -> RewardRule:
    """The rule that `config.reward` names.

    Raises:
        ConfigError: an unknown name, or a function of the user's that cannot be loaded.
    """
    name = config.reward
    if name in RULES:
        return RULES[name](config)
    if ":" in name:
        return CustomReward(tie_seed=config.seed, name=name, function=load_function(name))
    known = [*RULES, ANSWER_KEY]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise ConfigError(
        f"reward={name!r} is not known.{hint} Choose one of {', '.join(known)}, or name a function of "
        "your own as package.module:function."
    )
