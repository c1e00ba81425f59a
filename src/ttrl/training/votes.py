"""The votes of a step: M for each question, or fewer where more would hardly change the winner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise

from ttrl.config import RunConfig
from ttrl.config.advantage_checks import of_equal_answers
from ttrl.consensus.adaptive import is_decided, rounds
from ttrl.consensus.summary import mean
from ttrl.consensus.vote import vote_on_group
from ttrl.errors import ConfigError
from ttrl.types import SIMILAR_TASKS, Group, Metrics, Question, Sampler, SamplingParams, Task


def draw_votes(
    questions: Sequence[Question], *, sampler: Sampler, task: Task, config: RunConfig, seed: int
) -> list[Group]:
    """Draws M completions for each question, or fewer with `votes: adaptive`; groups keep the order.

    Adaptive votes come in rounds (`ttrl.consensus.adaptive`), each question's until it is decided. They are
    the first of its M fixed votes. The error rate is shared evenly by the looks.

    Raises:
        ConfigError: adaptive votes on answers that are similar and not equal.
    """
    draw = partial(sampler.sample, params=vote_params(config), seed=seed)
    if config.votes == "fixed":
        return draw(questions, n=config.votes_per_question)
    sizes = rounds(config.adaptive_first, config.votes_per_question)
    level = config.adaptive_error / max(1, len(sizes) - 1)
    groups = draw(questions, n=sizes[0])
    undecided = list(range(len(questions)))
    for size, larger in pairwise(sizes):
        remaining = config.votes_per_question - size
        undecided = [
            i
            for i in undecided
            if not _is_decided(task, groups[i], remaining=remaining, level=level)
        ]
        if not undecided:
            break
        more = draw([questions[i] for i in undecided], n=larger - size, first=size)
        for i, group in zip(undecided, more, strict=True):
            completions = (*groups[i].completions, *group.completions)
            groups[i] = replace(group, completions=completions)
    return groups


def _is_decided(task: Task, group: Group, *, remaining: int, level: float) -> bool:
    consensus = vote_on_group(task, group, tie_seed=0)  # a tie decides nothing
    if consensus.centrality is not None:
        raise ConfigError(
            f"votes=adaptive, {_similar(group.question, task.for_question(group.question).name)}, so no lead "
            "can be counted. Use votes: fixed, or leave these questions out."
        )
    return is_decided(consensus.counts, remaining=remaining, level=level)


def check_votes(questions: Sequence[Question], config: RunConfig) -> None:
    """Checks the tasks that questions name themselves, before a model is loaded.

    Raises:
        ConfigError: a setting that needs equal answers, such as adaptive votes, and answers that are similar
            and not equal.
    """
    for setting, remedy in of_equal_answers(config):
        for question in questions:
            if question.task in SIMILAR_TASKS:
                raise ConfigError(
                    f"{setting}, {_similar(question, question.task)}, {remedy}, or leave these questions out."
                )


def _similar(question: Question, task: str | None) -> str:
    return f"question {question.id!r}: answers of the task {task} are similar and not equal"


def vote_params(config: RunConfig) -> SamplingParams:
    """Returns the sampling parameters of the votes."""
    return SamplingParams(
        temperature=config.temperature,
        top_p=config.top_p,
        top_k=config.top_k,
        max_tokens=config.max_tokens,
        stop=config.stop,
    )


def vote_metrics(groups: Sequence[Group], config: RunConfig) -> Metrics:
    """Measures what adaptive votes saved; fixed ones save nothing and have none of these."""
    if config.votes == "fixed":
        return {}
    drawn = [float(len(group.completions)) for group in groups]
    return {
        "sample/votes_per_question": mean(drawn),
        "consensus/stopped_early": mean([float(n < config.votes_per_question) for n in drawn]),
    }
