"""Samples what the probe looks at: votes, a few sharper ones, and votes on changed questions.

With 48 questions and 8 votes these are 384 + 144 + at most 96 completions, and up to 192 on views.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ttrl.config import RunConfig
from ttrl.consensus.vote import vote_on_group
from ttrl.data.changed import changed_questions
from ttrl.seeding import derive_seed
from ttrl.training.view_votes import draw_on_views
from ttrl.training.votes import vote_params
from ttrl.types import (
    Consensus,
    FurtherVotes,
    Group,
    Question,
    Sampler,
    SamplingParams,
    Task,
)

SHARP = 0.6
"""Temperature of the sharper votes; if the run's is below 1, this share of it."""
CHANGES = 2
"""Number of changed copies of each question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Voted:
    """A group of completions, further votes on its question, and the consensus of all of them."""

    group: Group
    consensus: Consensus
    further: tuple[FurtherVotes, ...] = ()

    @property
    def elected(self) -> object:
        """Returns the key of the elected answer, or None if all votes abstain."""
        return None if self.consensus.winner is None else self.consensus.keys[0]

    def share_of(self, key: object) -> float:
        """Returns the share of all votes, in [0, 1], that give the answer with this key."""
        votes = zip(self.consensus.keys, self.consensus.counts, strict=True)
        return sum(count for k, count in votes if k == key) / len(self.consensus.class_of)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """Everything sampled before the trial, in the order of the questions."""

    votes: Sequence[Voted]
    """Votes on the questions themselves, drawn with the settings of the run."""
    labels: Sequence[Voted]
    """The votes that elect the labels: of a question with views the first half of `votes`, and as many more
    on its views as the other half has; of any other all of `votes`."""
    sharp: Sequence[Voted]
    """Votes at `sharp_temperature`, three for every eight of `votes`."""
    changed: Sequence[Sequence[Voted]]
    """Votes at `sharp_temperature` on each question's changed copies, one for every eight of `votes`; a
    question without a number to change has none."""
    vote_seconds: float
    """Seconds that sampling `votes` took."""

    @property
    def completions(self) -> int:
        """Returns the number of all completions sampled."""
        everyone = (*self.votes, *self.sharp, *(v for each in self.changed for v in each))
        on_views = sum(len(f.answers) for v in self.labels for f in v.further)
        return sum(len(v.group.completions) for v in everyone) + on_views


def choose_questions(questions: Sequence[Question], count: int, *, seed: int) -> list[Question]:
    """Returns at most `count` questions, chosen by the seed and independent of the file's order."""
    return sorted(questions, key=lambda q: derive_seed(seed, "probe", q.id))[:count]


def sharp_temperature(temperature: float) -> float:
    """Returns the temperature of the sharper votes: 0.6, or 0.6 times a temperature below 1."""
    return SHARP * min(1.0, temperature)


def draw(
    questions: Sequence[Question], *, sampler: Sampler, task: Task, config: RunConfig, votes: int
) -> Draws:
    """Samples the completions of a probe and votes on them. Ties are decided as in the run."""
    params = vote_params(config)
    sharp = replace(params, temperature=sharp_temperature(config.temperature))

    def vote(asked: Sequence[Question], n: int, how: SamplingParams, name: str) -> list[Voted]:
        seed = derive_seed(config.seed, "probe", name)
        groups = sampler.sample(asked, n=n, params=how, seed=seed)
        return voted(groups, task=task, config=config)

    copies = [changed_questions(q, task=task, count=CHANGES, seed=config.seed) for q in questions]
    on_copies = iter(
        vote([c for each in copies for c in each], max(1, votes // 8), sharp, "changed")
    )
    begin = time.perf_counter()
    as_in_the_run = vote(questions, votes, params, "votes")
    seconds = time.perf_counter() - begin
    on_views = votes_on_views(questions, votes, sampler=sampler, task=task, config=config)
    label_groups = [
        v.group if more is None else first_votes(v.group, trained_votes(votes))
        for v, more in zip(as_in_the_run, on_views, strict=True)
    ]
    return Draws(
        votes=as_in_the_run,
        labels=voted(label_groups, on_views, task=task, config=config),
        vote_seconds=seconds,
        sharp=vote(questions, max(2, votes * 3 // 8), sharp, "sharp"),
        changed=[[next(on_copies) for _ in each] for each in copies],
    )


def trained_votes(votes: int) -> int:
    """Returns how many of a question's votes the trial may train on: half, 2 or more."""
    return max(2, votes // 2)


def votes_on_views(
    questions: Sequence[Question], votes: int, *, sampler: Sampler, task: Task, config: RunConfig
) -> list[FurtherVotes | None]:
    """Draws the half of the votes that is not trained on, on the views of the run's first step.

    None for a question that has no views, and for all of them in a run without views.
    """
    if not config.view_names:
        return [None] * len(questions)
    spare = votes - trained_votes(votes)
    return draw_on_views(questions, spare, sampler=sampler, task=task, config=config, step=0)


def first_votes(group: Group, count: int) -> Group:
    """Returns the group with its first completions alone."""
    return Group(question=group.question, completions=group.completions[:count])


def voted(
    groups: Sequence[Group],
    further: Sequence[FurtherVotes | None] | None = None,
    *,
    task: Task,
    config: RunConfig,
) -> list[Voted]:
    """Votes on groups by majority, whatever the reward rule, and returns all of it together.

    Args:
        further: votes that join those of each group; none if left out.
    """
    found = []
    for group, more in zip(groups, further or [None] * len(groups), strict=True):
        joining = () if more is None else (more,)
        consensus = vote_on_group(
            task, group, tie_seed=config.seed, further=joining, label_rule=config.label_rule
        )
        found.append(Voted(group=group, consensus=consensus, further=joining))
    return found
