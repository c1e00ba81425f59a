"""The rules of advantages, by the names that `advantage` has for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from ttrl.algorithm_settings import ALGORITHM_ROWS, AdvantageName
from ttrl.config import RunConfig
from ttrl.errors import ConfigError
from ttrl.rl.advantage_rules.entropy_scaled import entropy_scaled
from ttrl.rl.advantage_rules.interface import AdvantageRule, each
from ttrl.rl.advantage_rules.marginal import LACKING, expected_scores, has_contrast
from ttrl.rl.advantage_rules.of_rewards import (
    always,
    centered,
    centered_on_others,
    fixed,
    normalized,
)
from ttrl.rl.advantage_rules.restrain import LACKING as NO_ANSWERS
from ttrl.rl.advantage_rules.restrain import has_answers_to_compare, restrained


def _centered(config: RunConfig) -> AdvantageRule:
    others = ALGORITHM_ROWS[config.algorithm].leaves_one_out
    return AdvantageRule(name="centered", compare=each(centered_on_others if others else centered))


def _restrain(config: RunConfig) -> AdvantageRule:
    least = config.restrain_least
    compare = partial(
        restrained,
        center=config.restrain_center,
        width=config.restrain_width,
        least=least,
        penalty=config.restrain_penalty,
    )
    return AdvantageRule(
        name="restrain",
        compare=each(compare),
        teaches=partial(has_answers_to_compare, least=least),
        lacking=NO_ANSWERS,
    )


ADVANTAGES: Mapping[AdvantageName, Callable[[RunConfig], AdvantageRule]] = {
    "normalized": lambda _: AdvantageRule(name="normalized", compare=each(normalized)),
    "centered": _centered,
    "fixed": lambda _: AdvantageRule(
        name="fixed",
        compare=each(fixed),
        teaches=always,
        lacking="no group is left to train on",
    ),
    "marginal": lambda _: AdvantageRule(
        name="marginal", compare=expected_scores, teaches=has_contrast, lacking=LACKING
    ),
    "entropy-scaled": lambda _: AdvantageRule(name="entropy-scaled", compare=each(entropy_scaled)),
    "restrain": _restrain,
}
"""One row per rule, from the settings that it reads."""


def make_advantage(config: RunConfig) -> AdvantageRule:
    """Makes the rule that `config.advantage` names.

    Raises:
        ConfigError: an unknown name.
    """
    made = ADVANTAGES.get(config.advantage or "normalized")
    if made is None:
        raise ConfigError(
            f"advantage={config.advantage} is not known. Choose one of {', '.join(ADVANTAGES)}."
        )
    return made(config)
