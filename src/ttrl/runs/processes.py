"""Finds out which process this is, if a launcher has started several."""

from __future__ import annotations

import os

from ttrl.config import RunConfig
from ttrl.errors import ConfigError


def rank_and_processes() -> tuple[int, int]:
    """Returns this process's number and how many there are, as torchrun and accelerate set them.

    Raises:
        ConfigError: RANK or WORLD_SIZE is not a valid number.
    """
    rank, count = _number("RANK", 0), _number("WORLD_SIZE", 1)
    if count == 1:
        return 0, 1
    if rank >= count:
        raise ConfigError(
            f"RANK={rank} with WORLD_SIZE={count}: wanted a rank below it. torchrun and accelerate launch "
            "set both; unset them to start one process."
        )
    return rank, count


def _number(name: str, default: int) -> int:
    text = os.environ.get(name) or str(default)
    if not text.isdecimal():
        raise ConfigError(
            f"{name}={text!r} in the environment: wanted a number, as torchrun and accelerate launch set it. "
            "Unset it to start one process."
        )
    return int(text)


def check_processes(config: RunConfig) -> bool:
    """Returns whether this process is the first one, which is the one that writes.

    Raises:
        ConfigError: the native engine, or no run directory that they agree on.
    """
    rank, count = rank_and_processes()
    if count == 1:
        return True
    if config.engine == "native":
        raise ConfigError(
            f"engine=native works in one process, and {count} were started (WORLD_SIZE). Start one, or set "
            "engine: trl."
        )
    if config.out is None and config.resume is None:
        raise ConfigError(
            f"{count} processes have to agree on the run directory. Name it with --out."
        )
    return rank == 0
