"""Checks what an advantage, or a choice of completions, cannot go with."""

from __future__ import annotations

from collections.abc import Iterator

from ttrl.config.settings import RunConfig
from ttrl.errors import ConfigError

PLAIN_VOTE = ("agreement", "majority")
"""Rewards of 0 or 1 by a vote in which each counts once, where answers are equal or different."""
GRADED = frozenset({"soft", "selective", "similarity", "novel"})
"""Rewards that lie between 0 and 1, or below 0, on every task."""


def of_equal_answers(values: RunConfig) -> Iterator[tuple[str, str]]:
    """Yields settings that need answers which are equal or different, each with the reason and the remedy."""
    if values.votes == "adaptive":
        yield "votes=adaptive", "so no lead can be counted. Use votes: fixed"
    if values.trained_choice == "extremes":
        yield (
            "trained_choice=extremes",
            "so none is more frequent than another. Use trained_choice: spread",
        )
    if values.verifier is not None:
        yield f"verifier={values.verifier}", "so votes have no weights. Leave verifier out"
    if values.reward == "novel":
        yield "reward=novel", "so no two sides of a vote are apart. Use reward: agreement"
    if values.advantage == "restrain":
        yield "advantage=restrain", "so they have no shares. Use advantage: normalized"
    if values.keep == "best":
        yield "keep=best", "so no share of votes equals those of the base. Use keep: last"
    if values.advantage == "marginal":
        yield "advantage=marginal", "so no vote can be redrawn. Use advantage: normalized"
    if values.advantage == "fixed" and values.reward in {"agreement", "medoid"}:
        yield (
            "advantage=fixed",
            "so the reward is neither 0 nor 1. Use reward: threshold, or advantage: normalized",
        )


def check_advantage(values: RunConfig) -> None:
    """Checks the advantage against reward, votes and KL term.

    Raises:
        ConfigError: a combination that would not do what it says.
    """
    name, reward = values.advantage, values.reward
    if name not in {"fixed", "marginal", "restrain"}:
        return
    if values.kl_coefficient and values.kl_in == "reward":
        raise ConfigError(
            f"kl_in=reward with advantage={name}: it is a function of the vote, with no place for a "
            "penalty on the reward. Set kl_in: loss, or advantage: normalized."
        )
    if name == "fixed" and reward in GRADED:
        raise ConfigError(
            f"advantage=fixed with reward={reward}: only the rewards 0 and 1 become -1 and +1, and these are "
            "graded. Use a reward that is 0 or 1, such as majority, or advantage: normalized."
        )
    if name == "marginal" and reward not in PLAIN_VOTE:
        raise ConfigError(
            f"advantage=marginal with reward={reward}: it redraws a plain vote and knows no other reward. "
            f"Set reward to {' or '.join(PLAIN_VOTE)}, or advantage: normalized."
        )
    if name == "restrain" and reward not in PLAIN_VOTE:
        raise ConfigError(
            f"advantage=restrain with reward={reward}: it takes every answer for the label in turn and reads "
            f"no reward. Set reward to {' or '.join(PLAIN_VOTE)}, or advantage: normalized."
        )
    if name == "marginal" and values.verifier is not None:
        raise ConfigError(
            f"advantage=marginal with verifier={values.verifier}: it redraws a vote in which each counts "
            "once, so the verifier's weights would be ignored. Leave one of them out."
        )
    if name == "marginal" and values.label_rule != "pooled":
        raise ConfigError(
            f"advantage=marginal with label_rule={values.label_rule}: it redraws votes that are counted "
            "together. Set label_rule: pooled, or advantage: normalized."
        )
