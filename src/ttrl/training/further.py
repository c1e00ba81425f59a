"""All votes of a step: those of the groups, and further ones that elect beside them.

Further votes elect the labels and are not trained on. They come from views (`ttrl.training.view_votes`),
which take the spare votes of a group, and from sources that draw votes of their own or remember them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ttrl.config import RunConfig
from ttrl.seeding import derive_seed
from ttrl.training.view_votes import draw_with_views
from ttrl.training.votes import draw_votes
from ttrl.types import FurtherVotes, Group, Metrics, Question, Sampler, Task


class VoteSource(Protocol):
    """Gives further votes on the questions of a step."""

    name: str
    """That of its votes, see `FurtherVotes.source`."""
    sampled_tokens: int
    """Number of tokens drawn for it so far."""

    def votes(self, groups: Sequence[Group], *, step: int) -> Sequence[FurtherVotes | None]:
        """Returns its votes on each group's question, or None where it has none."""
        ...

    def after_update(self, *, step: int) -> None:
        """Follows the policy, whose weights have just changed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """The votes on some questions, in their order."""

    groups: Sequence[Group]
    further: Sequence[tuple[FurtherVotes, ...]]
    tokens: Metrics
    """Number of tokens of the further votes: `sample/further_tokens`, and by source."""


def draw(
    questions: Sequence[Question],
    *,
    sampler: Sampler,
    task: Task,
    config: RunConfig,
    step: int,
    sources: Sequence[VoteSource] = (),
) -> Drawn:
    """Draws the votes of the groups, asks each source for its votes, and counts their tokens.

    Raises:
        ConfigError: adaptive votes on answers that are similar and not equal.
    """
    seed = derive_seed(config.seed, "sample", step)
    if not config.view_names and not sources:
        groups = draw_votes(questions, sampler=sampler, task=task, config=config, seed=seed)
        return Drawn(groups=groups, further=[()] * len(groups), tokens={})
    found: list[list[FurtherVotes]] = [[] for _ in questions]
    spent: dict[str, int] = {}
    if config.view_names:
        drawn = draw_with_views(
            questions, sampler=sampler, task=task, config=config, step=step, seed=seed
        )
        groups, spent["views"] = drawn.groups, drawn.tokens
        _join(found, drawn.votes)
    else:
        groups = draw_votes(questions, sampler=sampler, task=task, config=config, seed=seed)
    for source in sources:
        before = source.sampled_tokens
        _join(found, source.votes(groups, step=step))
        spent[source.name] = source.sampled_tokens - before
    return Drawn(
        groups=groups, further=[tuple(votes) for votes in found], tokens=_token_metrics(spent)
    )


def _join(found: Sequence[list[FurtherVotes]], more: Sequence[FurtherVotes | None]) -> None:
    for votes, one in zip(found, more, strict=True):
        if one is not None and one.answers:
            votes.append(one)


def _token_metrics(spent: dict[str, int]) -> Metrics:
    """Of the sources that there are; visits are remembered and cost none."""
    by_key = {
        "sample/views_tokens": "views",
        "sample/base_tokens": "base",
        "sample/teacher_tokens": "teacher",
        "sample/peer_tokens": "peer",
    }
    metrics = {key: float(spent[name]) for key, name in by_key.items() if name in spent}
    return {"sample/further_tokens": float(sum(spent.values())), **metrics}
