"""Evaluates a vote of which most members were asked in other words.

    view_maj@n = share of labeled questions whose vote of n is right, where the n votes are spread evenly over
    the question and its views (`ttrl.data.views`), and answers to views are mapped back

It is to be compared with maj@n, a vote of as many completions of the question as it is written.
"""

from __future__ import annotations

from collections.abc import Sequence

from ttrl.config import RunConfig
from ttrl.consensus.vote import elect
from ttrl.data.views import views_of
from ttrl.evaluation.answer_key import AnswerSheet, right_classes
from ttrl.evaluation.statistics import mean_interval
from ttrl.interval import Interval
from ttrl.seeding import derive_seed
from ttrl.types import SIMILAR_TASKS, Group, Sampler, SamplingParams, Task, View


def view_majority(
    groups: Sequence[Group],
    answers: AnswerSheet | None,
    *,
    sampler: Sampler,
    task: Task,
    config: RunConfig,
    params: SamplingParams,
    seed: int,
) -> Interval | None:
    """Draws votes on views and returns view_maj@n with its interval over questions.

    None if no question with exact answers is labeled. The votes on the question itself are the first ones of
    its group, so only those on views are drawn. A question without a view has the vote of its group.

    Args:
        groups: the completions of each question, n of each.
        seed: of sampling.
    """
    truths = [None if answers is None else answers.key(task, group.question) for group in groups]
    exact = [task.for_question(group.question).name not in SIMILAR_TASKS for group in groups]
    asked = [
        g for g, truth, is_exact in zip(groups, truths, exact, strict=True) if is_exact and truth
    ]
    if not asked:
        return None
    views = [_views(group, task=task, config=config) for group in asked]
    votes = _votes(asked, views, sampler=sampler, task=task, params=params, seed=seed)
    right = []
    for group, found in zip(asked, votes, strict=True):
        own = task.for_question(group.question)
        tie_seed = derive_seed(config.seed, "statistics")
        elected = elect(
            found,
            own.keys(found),
            tie_seed=derive_seed(tie_seed, "vote", group.question.id),
        )
        truth = None if answers is None else answers.key(task, group.question)
        right.append(float(truth is not None and elected.winner in right_classes(elected, truth)))
    return mean_interval(
        right, seed=derive_seed(derive_seed(config.seed, "statistics"), "bootstrap")
    )


def _views(group: Group, *, task: Task, config: RunConfig) -> list[View]:
    """At most n - 1 of them, so that the question itself has a vote."""
    return views_of(
        group.question,
        task=task,
        names=config.view_names,
        count=min(config.view_count, len(group.completions) - 1),
        seed=derive_seed(config.seed, "evaluate"),
    )


def _votes(
    groups: Sequence[Group],
    views: Sequence[Sequence[View]],
    *,
    sampler: Sampler,
    task: Task,
    params: SamplingParams,
    seed: int,
) -> list[list[str | None]]:
    """The n votes of each question: the first ones of its group, then those on its views, mapped back."""
    shares: dict[int, list[tuple[int, View]]] = {}
    votes: list[list[str | None]] = []
    for place, (group, its_views) in enumerate(zip(groups, views, strict=True)):
        n, askers = len(group.completions), len(its_views) + 1
        own = task.for_question(group.question)
        kept = group.completions[: -(-n // askers)]
        votes.append([own.extract(completion) for completion in kept])
        for at, view in enumerate(its_views, start=1):
            shares.setdefault(n // askers + (at < n % askers), []).append((place, view))
    for share, asked in sorted(shares.items()):
        drawn = sampler.sample([v.question for _, v in asked], n=share, params=params, seed=seed)
        for (place, view), group in zip(asked, drawn, strict=True):
            reader = task.for_question(view.question)
            for completion in group.completions:
                answer = reader.extract(completion)
                votes[place].append(None if answer is None else view.restore(answer))
    return votes
