"""The vote on a batch of verl's: which samples stay, with which reward, and which go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ttrl.errors import DataError
from ttrl.overlays.verl.sessions import Session
from ttrl.overlays.voting import GroupVoter, rewards_of
from ttrl.types import Completion, Question, ScoredGroup


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A prompt of the batch."""

    question: Question
    votes: int
    """M"""
    sessions: tuple[Session, ...]
    completions: tuple[Completion, ...]
    """One of each session.   [sessions]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchVote:
    """What a vote makes of a batch."""

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
