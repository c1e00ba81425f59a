"""A user's own rule, named as package.module:function."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Sequence

from ttrl.errors import ConfigError
from ttrl.types import Consensus, Group, Task

RewardFunction = Callable[[Task, Group, Consensus], Sequence[float]]


def custom_rewards(
    group: Group, consensus: Consensus, *, task: Task, name: str, function: RewardFunction
) -> tuple[float, ...]:
    """Calls a user's function with (task, group, consensus), and checks the numbers it returns.   [M]

    Args:
        name: of the function, for messages.

    Raises:
        ConfigError: the function fails, or returns anything else.
    """
    place = f"reward={name}, question {group.question.id!r}"
    wanted = (
        f"wanted {len(group.completions)} finite numbers, one per completion. Mend the function: "
        "it is called with (task, group, consensus)."
    )
    try:
        given = function(task.for_question(group.question), group, consensus)
    except Exception as error:  # a user's function can fail in any way
        raise ConfigError(
            f"{place}: the function fails ({type(error).__name__}: {error}). "
            "It is called with (task, group, consensus)."
        ) from error
    try:
        rewards = tuple(float(reward) for reward in given)
    except (TypeError, ValueError):
        raise ConfigError(f"{place}: got {given!r:.80}, {wanted}") from None
    if len(rewards) != len(group.completions):
        raise ConfigError(f"{place}: got {len(rewards)} numbers, {wanted}")
    if not all(map(math.isfinite, rewards)):
        raise ConfigError(f"{place}: got a number not finite, {wanted}")
    return rewards


def load_function(name: str) -> RewardFunction:
    """Imports the function that `package.module:function` names.

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
