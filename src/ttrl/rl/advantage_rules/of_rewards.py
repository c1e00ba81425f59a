"""Advantages from the rewards of the trained completions alone."""

from __future__ import annotations

from ttrl.errors import ConfigError
from ttrl.rl.advantage_rules.interface import Advantages
from ttrl.rl.advantages import group_advantages, leave_one_out
from ttrl.rl.folding import FoldedGroup
from ttrl.types import ScoredGroup


def normalized(group: FoldedGroup) -> Advantages:
    """A_i = (r_i - mean r) / std r over the trained completions, see `group_advantages`.   [S]"""
    return group_advantages(group.rewards, divide_by_std=True, weights=group.weights)


def centered(group: FoldedGroup) -> Advantages:
    """A_i = r_i - mean r over the trained completions.   [S]

    Source: Dr. GRPO (arXiv:2503.20783), section 3.
    """
    return group_advantages(group.rewards, divide_by_std=False, weights=group.weights)


def centered_on_others(group: FoldedGroup) -> Advantages:
    """A_i = r_i - mean of the other trained completions' rewards, see `leave_one_out`.   [S]"""
    return leave_one_out(group.rewards, group.weights)


def fixed(group: FoldedGroup) -> Advantages:
    """A_i = +1 for a completion with the reward 1, and -1 for one with the reward 0.   [S]

    Nothing is centred and nothing divided, so how many agree does not matter: where all do, all get +1,
    and where none has an answer, all get -1.
    Source: DDRL (arXiv:2604.21327), its fixed advantages.

    Raises:
        ConfigError: a reward that is neither 0 nor 1.
    """
    for reward in group.rewards:
        if reward not in (0.0, 1.0):
            raise ConfigError(
                f"advantage=fixed, question {group.scored.group.question.id!r}: got the reward {reward:g}, "
                "wanted 0 or 1, for only these become -1 and +1. Choose advantage normalized or centered, or "
                "a reward that is 0 or 1, such as majority."
            )
    return tuple(2 * reward - 1 for reward in group.rewards)


def always(scored: ScoredGroup) -> bool:
    """Returns whether a group may be trained on at all: its completions are pushed even if they agree."""
    return not scored.skipped and bool(scored.kept)
