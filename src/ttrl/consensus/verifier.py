"""Weighs votes by a program of the user's, which sees question, answer and completion.

One JSON line per vote, and one in reply:

    {"question": "...", "answer": "7", "completion": "..."}     completion: null where only an answer is known
    {"weight": 2.0}         weighs that much, from 0 to 10^9
    {"verified": true}      weighs `verifier_weight`
    {"verified": false}     weighs 1, as without a verifier
    "unknown"               weighs 1 too, as do {"weight": "unknown"} and whatever cannot be read

Source: T3RL (arXiv:2603.02203), whose votes weigh 5 if a program reproduces their answer. Deviations: the
program decides what is verified and how; where it cannot say, the vote counts as if nobody had asked.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from ttrl.consensus.verifier_process import LineProgram, NoReply
from ttrl.errors import ConfigError
from ttrl.types import Group, Metrics, Question

WEIGHT_LIMIT = 1e9
FAILURES = 3
"""Most votes in a row without a reply; each costs a start of the program."""
PLAIN = 1.0
"""Weight of a vote of which the verifier says nothing."""

Ballot = tuple[str, str, str | None]
"""Question, answer and completion."""


@dataclass(slots=True, kw_only=True)
class _Counts:
    asked: int = 0
    unknown: int = 0
    killed: int = 0
    seconds: float = 0.0


class Verifier:
    """Asks the program about each vote that has an answer; equal votes of a question are asked about once.

    The program is started at the first question and lives as long as the verifier.

    Args:
        command: program and arguments, as a shell would split them; no shell reads it.
        verified_weight: of a vote that is verified.
        seconds: time for one vote.

    Raises:
        ConfigError: a command that names no program.
    """

    def __init__(self, command: str, *, verified_weight: float, seconds: float) -> None:
        self.command = command
        self._words = command_of(command)
        self._verified_weight, self._seconds = verified_weight, seconds
        self._program: LineProgram | None = None
        self._owner = 0
        self._failed = 0
        self._counts = _Counts()

    def weigh(self, group: Group, answers: Sequence[str | None]) -> tuple[float, ...]:
        """Weighs the votes of a group.   [G]

        Raises:
            ConfigError: the program fails again and again.
        """
        texts = [completion.text for completion in group.completions]
        return self._weights(group.question, answers, texts)

    def weigh_answers(self, question: Question, answers: Sequence[str | None]) -> tuple[float, ...]:
        """Weighs votes of which only the answers are known.   [F]

        Raises:
            ConfigError: the program fails again and again.
        """
        return self._weights(question, answers, [None] * len(answers))

    def measure(self) -> Metrics:
        """Counts what was asked since it was last called: see docs/metrics.md."""
        counts, self._counts = self._counts, _Counts()
        return {
            "verifier/asked": float(counts.asked),
            "verifier/unknown": float(counts.unknown),
            "verifier/killed": float(counts.killed),
            "verifier/seconds": counts.seconds,
        }

    def close(self) -> None:
        """Ends the program. The next vote starts it again."""
        if self._program is not None:
            self._program.end()
            self._program = None

    def _weights(
        self, question: Question, answers: Sequence[str | None], texts: Sequence[str | None]
    ) -> tuple[float, ...]:
        started = time.monotonic()
        known: dict[Ballot, float] = {}
        weights = []
        for answer, text in zip(answers, texts, strict=True):
            if answer is None:
                weights.append(PLAIN)
                continue
            ballot = (question.prompt, answer, text)
            if ballot not in known:
                known[ballot] = self._weight(ballot, question)
            weights.append(known[ballot])
        self._counts.seconds += time.monotonic() - started
        return tuple(weights)

    def _weight(self, ballot: Ballot, question: Question) -> float:
        self._counts.asked += 1
        line = json.dumps(dict(zip(("question", "answer", "completion"), ballot, strict=True)))
        try:
            reply = self._running(question).ask(line.encode() + b"\n")
        except NoReply as reason:
            self._counts.killed += 1
            self._counts.unknown += 1
            self._count_failure(str(reason), question)
            return PLAIN
        self._failed = 0
        weight = weight_of(reply, verified_weight=self._verified_weight)
        if weight is None:
            self._counts.unknown += 1
            return PLAIN
        return weight

    def _running(self, question: Question) -> LineProgram:
        if self._program is None or self._owner != os.getpid():  # a fork starts its own
            try:
                self._program = LineProgram(self._words, seconds=self._seconds)
            except OSError as error:
                raise ConfigError(
                    f"verifier={self.command}, question {question.id!r}: no process could be started "
                    f"({error}). Free memory or processes, or leave verifier out."
                ) from None
            self._owner = os.getpid()
        return self._program

    def _count_failure(self, reason: str, question: Question) -> None:
        program, self._program = self._program, None
        self._failed += 1
        if self._failed >= FAILURES:
            said = (program.messages if program else "") or "nothing"
            raise ConfigError(
                f"verifier={self.command}, question {question.id!r}: {reason}, for {FAILURES} votes in a "
                "row. It has to write one JSON line for each that it reads, such as "
                f'{{"verified": true}}. On its standard error it wrote: {said}'
            )


def command_of(command: str) -> list[str]:
    """Splits a command and looks for its program.

    Raises:
        ConfigError: it cannot be split, is empty, or names no program that can be run.
    """
    words: list[str] = []
    with suppress(ValueError):
        words = shlex.split(command)
    if not words:
        raise ConfigError(
            f"verifier={command!r}: wanted a program with its arguments, and quotes in pairs, such as "
            "'python verify.py'."
        )
    if "\0" in command or shutil.which(words[0]) is None:
        raise ConfigError(
            f"verifier={command!r}: no program {words[0]!r} that can be run. Give its path, or make it "
            "executable."
        )
    return words


def weight_of(reply: bytes, *, verified_weight: float) -> float | None:
    """Reads a reply of the program; None for `unknown` and for anything that is no reply."""
    try:
        value = json.loads(reply.decode())
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    if "weight" in value:
        return _number(value["weight"])
    verified = value.get("verified")
    if isinstance(verified, bool):
        return verified_weight if verified else PLAIN
    return None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # Compared first: a whole number may be too large for a float. NaN is in no range.
    return float(value) if 0 <= value <= WEIGHT_LIMIT else None
