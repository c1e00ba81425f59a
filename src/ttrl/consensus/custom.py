"""A user's own rule, named as package.module:function."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ttrl.consensus.vote import vote_on_group
from ttrl.errors import ConfigError
from ttrl.types import Consensus, Group, ScoredGroup, Task

RewardFunction = Callable[[Task, Group, Consensus], Sequence[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomReward:
    """Rewards from a function of (task, group, consensus): one finite number per completion."""

    tie_seed: int
    name: str
    function: RewardFunction

    def __call__(self, task: Task, group: Group) -> ScoredGroup:
        consensus = vote_on_group(task, group, tie_seed=self.tie_seed)
        task = task.for_question(group.question)
        try:
            given = self.function(task, group, consensus)
        except Exception as error:  # a user's function can fail in any way
            raise ConfigError(
                f"{self._place(group)}: the function fails ({type(error).__name__}: {error}). "
                "It is called with (task, group, consensus)."
            ) from error
        try:
            rewards = tuple(float(reward) for reward in given)
        except (TypeError, ValueError):
            raise ConfigError(
                f"{self._place(group)}: got {given!r:.80}, {self._wanted(group)}"
            ) from None
        if len(rewards) != len(group.completions):
            raise ConfigError(
                f"{self._place(group)}: got {len(rewards)} numbers, {self._wanted(group)}"
            )
        if not all(map(math.isfinite, rewards)):
            raise ConfigError(
                f"{self._place(group)}: got a number not finite, {self._wanted(group)}"
            )
        return ScoredGroup(group=group, consensus=consensus, rewards=rewards)

    def _place(self, group: Group) -> str:
        return f"reward={self.name}, question {group.question.id!r}"

    def _wanted(self, group: Group) -> str:
        return (
            f"wanted {len(group.completions)} finite numbers, one per completion. Mend the function: "
            "it is called with (task, group, consensus)."
        )


def load_function(name: str) -> RewardFunction:
    """The function that `package.module:function` names.

    Raises:
        ConfigError: no such module or function, or a module that fails to import.
    """
    module_name, _, function_name = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # a user's module can fail in any way
        raise ConfigError(
            f"reward={name}: the module {module_name!r} cannot be imported "
            f"({type(error).__name__}: {error}). It has to be installed, or in a folder of PYTHONPATH."
        ) from None
    function = getattr(module, function_name, None)
    if not callable(function):
        raise ConfigError(
            f"reward={name}: {module_name} has no function {function_name!r}. "
            "Write package.module:function."
        )
    return function  # type: ignore[no-any-return]
