"""The settings of a call from Python, read by the rules of the command that does the same."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import Any

from ttrl.config import Layers, keys_read_by, read_layers
from ttrl.errors import ConfigError

OF_COMMANDS = frozenset({"dry_run", "json"})
"""Keys that say how a command shows what it does."""
FUNCTIONS = {"eval": "evaluate"}
"""Names of the functions that are not called like their command."""


def layers_of_call(
    command: str, settings: Mapping[str, Any], *, own: Collection[str] = ()
) -> Layers:
    """Reads the config files and arguments of a call; TTRL_ variables are for commands.

    Args:
        own: settings of the command that are not keys of a run.

    Raises:
        ConfigError: a name that does not exist (the nearest one is offered), or that is not read here.
    """
    source = f"{FUNCTIONS.get(command, command)}()"
    given = {key: _plain(value) for key, value in settings.items()}
    layers = read_layers(given, environment={}, command_keys=own, source=source)
    _refuse(
        given.keys() & OF_COMMANDS, source, f"It belongs to the command `ttrl {command}` alone."
    )
    others = given.keys() - {*keys_read_by(command), *own}
    _refuse(others, source, "It is a setting of train().")
    return layers


def _refuse(keys: Collection[str], source: str, why: str) -> None:
    for key in sorted(keys):
        raise ConfigError(f"{source}: {key!r} is not read here. {why} Leave it out.")


def _plain(value: object) -> object:
    """Converts paths to texts, also in lists."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
