"""Votes on views: the same question in other words, asked by the votes that are not trained on.

A model that makes the same mistake every time agrees with itself. On a view it makes the mistake elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ttrl.config import RunConfig
from ttrl.data.views import views_of
from ttrl.seeding import derive_seed
from ttrl.training.votes import vote_params
from ttrl.types import FurtherVotes, Group, Question, Sampler, Task, View


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnWithViews:
    """The votes on some questions and on their views, in the order of the questions."""

    groups: list[Group]
    """K completions of a question with views, and M of one without."""
    votes: list[FurtherVotes | None]
    """The M - K votes on its views, mapped back; None if it has none."""
    tokens: int
    """Number of tokens of the votes on views."""


def draw_with_views(
    questions: Sequence[Question],
    *,
    sampler: Sampler,
    task: Task,
    config: RunConfig,
    step: int,
    seed: int,
) -> DrawnWithViews:
    """Draws K completions of each question and M - K on its views, evenly, at `label_temperature`.

    Views differ from step to step. A question without views has its M votes, the same ones as in a run
    without views; the K of any other are the first of them.

    Args:
        seed: of the votes on the questions themselves.
    """
    k, m = config.trained_per_question, config.votes_per_question
    views = _views(questions, m - k, task=task, config=config, step=step)
    groups: dict[int, Group] = {}
    for size in (k, m):
        places = [i for i, its in enumerate(views) if (k if its else m) == size]
        asked = [questions[i] for i in places]
        if asked:
            drawn = sampler.sample(asked, n=size, params=vote_params(config), seed=seed)
            groups |= dict(zip(places, drawn, strict=True))
    answers, tokens = _answers(views, m - k, sampler=sampler, task=task, config=config, step=step)
    return DrawnWithViews(
        groups=[groups[i] for i in range(len(questions))],
        votes=_joining(views, answers),
        tokens=tokens,
    )


def views_in_step(
    question: Question, *, task: Task, config: RunConfig, step: int
) -> Sequence[View]:
    """Returns the views on which a question is asked in a step, counted from 0; empty if it has none."""
    spare = config.votes_per_question - config.trained_per_question
    return _views([question], spare, task=task, config=config, step=step)[0]


def draw_on_views(
    questions: Sequence[Question],
    votes: int,
    *,
    sampler: Sampler,
    task: Task,
    config: RunConfig,
    step: int,
) -> list[FurtherVotes | None]:
    """Draws that many votes on each question's views alone, as in this step; None if it has none."""
    views = _views(questions, votes, task=task, config=config, step=step)
    answers, _ = _answers(views, votes, sampler=sampler, task=task, config=config, step=step)
    return _joining(views, answers)


def _views(
    questions: Sequence[Question], votes: int, *, task: Task, config: RunConfig, step: int
) -> list[Sequence[View]]:
    """The views of each question in a step, no more of them than votes."""
    return [
        views_of(
            question,
            task=task,
            names=config.view_names,
            count=min(config.view_count, votes),
            seed=derive_seed(config.seed, "views", step),
        )
        for question in questions
    ]


def _joining(
    views: Sequence[Sequence[View]], answers: Sequence[Sequence[str | None]]
) -> list[FurtherVotes | None]:
    return [
        FurtherVotes(source="views", answers=tuple(found), weights=(1.0,) * len(found))
        if its
        else None
        for its, found in zip(views, answers, strict=True)
    ]


def _answers(
    views: Sequence[Sequence[View]],
    votes: int,
    *,
    sampler: Sampler,
    task: Task,
    config: RunConfig,
    step: int,
) -> tuple[list[list[str | None]], int]:
    """The answers of `votes` completions on the views of each question, mapped back, and their tokens."""
    params = replace(vote_params(config), temperature=config.label_temperature)
    shares: dict[int, list[tuple[int, View]]] = {}
    for place, its in enumerate(views):
        for at, view in enumerate(its):
            share = votes // len(its) + (at < votes % len(its))
            shares.setdefault(share, []).append((place, view))
    answers: list[list[str | None]] = [[] for _ in views]
    tokens = 0
    for share, asked in sorted(shares.items()):  # one call for all views with as many votes
        drawn = sampler.sample(
            [view.question for _, view in asked],
            n=share,
            params=params,
            seed=derive_seed(config.seed, "view", step),
        )
        for (place, view), group in zip(asked, drawn, strict=True):
            reader = task.for_question(view.question)
            for completion in group.completions:
                answer = reader.extract(completion)
                answers[place].append(None if answer is None else view.restore(answer))
                tokens += len(completion.token_ids)
    return answers, tokens
