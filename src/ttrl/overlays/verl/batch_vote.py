"""Votes on a batch of verl's and decides which samples stay, with which reward, and which go.

verl stores each output of each sampled completion under the key `{prompt}_{session}_{output}`. A plain
completion is a session of one output. One with tools may have several; the last of them is its answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ttrl.errors import DataError
from ttrl.overlays.voting import GroupVoter, rewards_of
from ttrl.types import Completion, Question, ScoredGroup


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One completion of one prompt."""

    number: int
    """Which of the prompt's M, from 0: the order of sampling."""
    keys: tuple[str, ...]
    """The keys of its outputs, in their order."""


def sessions_by_prompt(keys: Sequence[str]) -> dict[str, tuple[Session, ...]]:
    """Groups keys into the sessions of each prompt, in the order of sampling, whatever their own order.

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A prompt of the batch with everything that votes on it."""

    question: Question
    votes: int
    """How many there should be: M."""
    sessions: tuple[Session, ...]
    completions: tuple[Completion, ...]
    """One of each session.   [sessions]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchVote:
    """The outcome of the vote on a batch."""

    scored: tuple[ScoredGroup, ...]
    """All votes of each prompt."""
    rewards: Mapping[str, float]
    """Of the keys that are trained on: each output of a session has the session's reward."""
    dropped: tuple[str, ...]
    """Keys of completions that voted and are not trained on."""


def vote_on_batch(voter: GroupVoter, prompts: Sequence[Asked], *, step: int) -> BatchVote:
    """Votes on whole groups and keeps K of M of each.

    Args:
        step: from 0, as the native engine counts.

    Raises:
        DataError: a group that is not whole.
    """
    scored: list[ScoredGroup] = []
    rewards: dict[str, float] = {}
    dropped: list[str] = []
    for asked in prompts:
        _check_whole(asked, step)
        group = voter.vote(asked.question, asked.completions, step=step)
        scored.append(group)
        kept = dict(zip(group.kept, rewards_of(group, group.kept), strict=True))
        for place, session in enumerate(asked.sessions):
            if place in kept:
                rewards |= dict.fromkeys(session.keys, kept[place])
            else:
                dropped += session.keys
    return BatchVote(scored=tuple(scored), rewards=rewards, dropped=tuple(dropped))


def _check_whole(asked: Asked, step: int) -> None:
    numbers = [session.number for session in asked.sessions]
    if numbers != list(range(asked.votes)):
        missing = sorted(set(range(asked.votes)) - set(numbers))
        raise DataError(
            f"verl, step {step + 1}: question {asked.question.id!r} has {len(numbers)} completions, wanted "
            f"{asked.votes}{_listed(missing)}. A vote is on whole groups: see the agent loop's error for the "
            "completion that failed, and resume from the last checkpoint (trainer.resume_mode=auto)."
        )


def _listed(missing: Sequence[int]) -> str:
    if not missing:
        return ""
    shown = ", ".join(map(str, missing[:5])) + (", ..." if len(missing) > 5 else "")
    return f"; sessions {shown} are missing"


def _parts(key: str) -> tuple[str, int, int]:
    parts = key.rsplit("_", 2)
    if len(parts) != 3 or not (parts[1].isdecimal() and parts[2].isdecimal()):
        raise DataError(
            f"verl's batch holds the key {key!r:.80}, wanted prompt_session_output, two numbers at its end. "
            "This adapter is for verl 0.9.1; another agent loop may name its samples otherwise."
        )
    return parts[0], int(parts[1]), int(parts[2])
