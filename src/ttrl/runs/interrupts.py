"""Ctrl-C, SIGTERM and a closed terminal interrupt at once, but never while the weights change."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any

from ttrl.config import RunConfig
from ttrl.errors import ConfigError


class RunInterrupted(KeyboardInterrupt):
    """Work was interrupted and what is done of it is saved; the text says how to go on."""


class Interrupts:
    """While active, these signals raise KeyboardInterrupt, but never inside `deferred`.

    Signals reach the main thread alone; in any other one nothing changes.
    """

    def __init__(self) -> None:
        self._depth = 0
        self._pending = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is not threading.main_thread():
            return self
        numbers = [signal.SIGINT, signal.SIGTERM]
        # Under nohup a closed terminal is to end nothing; Windows has no such signal.
        if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
            numbers.append(signal.SIGHUP)
        for number in numbers:
            self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    @property
    def pending(self) -> bool:
        """Returns whether a signal came inside `deferred` and has not taken effect yet."""
        return self._pending

    def deferred(self) -> Deferred:
        """Returns a context in which interrupts wait until its block is finished. It may be nested."""
        return Deferred(self)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._depth:
            self._pending = True
        else:
            raise KeyboardInterrupt


class Deferred:
    """The context that `Interrupts.deferred` returns."""

    def __init__(self, interrupts: Interrupts) -> None:
        self._interrupts = interrupts

    def __enter__(self) -> None:
        self._interrupts._depth += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._interrupts._depth -= 1
        if self._interrupts._depth == 0 and self._interrupts._pending:
            self._interrupts._pending = False
            if error is None:
                raise KeyboardInterrupt


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
