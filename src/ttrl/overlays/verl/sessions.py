"""What belongs together in a batch of verl's: the outputs of a session, the sessions of a prompt.

verl stores each output of each sampled completion under the key `{prompt}_{session}_{output}`. A plain
completion is a session of one output. One with tools may have several; the last of them is its answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ttrl.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One completion of one prompt."""

    number: int
    """Which of the prompt's M, from 0: the order of sampling."""
    keys: tuple[str, ...]
    """Of its outputs, in their order."""


def sessions_by_prompt(keys: Sequence[str]) -> dict[str, tuple[Session, ...]]:
    """The sessions of each prompt, in the order of sampling, whatever the order of the keys.

    Raises:
        DataError: a key of another form.
    """
    outputs: dict[str, dict[int, list[tuple[int, str]]]] = {}
    for key in keys:
        prompt, session, output = _parts(key)
        outputs.setdefault(prompt, {}).setdefault(session, []).append((output, key))
    return {
        prompt: tuple(
            Session(number=number, keys=tuple(key for _, key in sorted(found)))
            for number, found in sorted(sessions.items())
        )
        for prompt, sessions in outputs.items()
    }


def _parts(key: str) -> tuple[str, int, int]:
    parts = key.rsplit("_", 2)
    if len(parts) != 3 or not (parts[1].isdecimal() and parts[2].isdecimal()):
        raise DataError(
            f"verl's batch holds the key {key!r:.80}, wanted prompt_session_output, two numbers at its end. "
            "This adapter is for verl 0.9.1; another agent loop may name its samples otherwise."
        )
    return parts[0], int(parts[1]), int(parts[2])
