"""`ttrl.vote`: texts in, consensus and rewards out, without a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ttrl.answers.tasks import make_task
from ttrl.consensus.rules import ANSWER_KEY, make_rule
from ttrl.consensus.vote import vote_on_group
from ttrl.data.completions import read_completion
from ttrl.data.questions import options_of_cell
from ttrl.errors import ConfigError, DataError
from ttrl.types import Group, Question, RewardRule, Task

if TYPE_CHECKING:
    from ttrl.config import RunConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """The result of a vote on one question, as `ttrl vote` writes it.   [G] per completion"""

    id: str
    pseudo_label: str | None
    """The elected answer in its smallest spelling; None if every completion abstains."""
    majority_ratio: float
    """Votes of the elected answer / all votes, abstentions included."""
    tied: bool
    answers: tuple[str | None, ...]
    """As extracted; None abstains.   [G]"""
    classes: tuple[int | None, ...]
    """Equal numbers are equal answers; 0 is the elected one.   [G]"""
    counts: tuple[int, ...]
    """Votes of each class."""
    rewards: tuple[float, ...]
    """Under the chosen rule.   [G]"""


def vote(
    completions: Sequence[str | Mapping[str, Any]],
    *,
    task: str = "math",
    reward: str = "agreement",
    id: str | int = "0",
    question: str = "",
    options: Sequence[str] = (),
    seed: int = 0,
    **settings: Any,
) -> Vote:
    r"""Votes on the completions of one question, and rewards them.

    >>> vote([r"\boxed{0.5}", r"so \boxed{\frac12}", "no idea"]).rewards
    (1.0, 1.0, 0.0)

    Args:
        completions: texts, or objects {"completion": text, "finish_reason": "stop" | "length",
            "logprobs": [...], "entropy": [...]} of which only the text is needed by most rules.
        task, reward, settings: as the options of the same names of `ttrl vote`.
        question: its text: lists the options of a choice, and lets the tasks text and code leave out copies.
        options: of a multiple-choice question, or the labels of a classification.
        seed: decides ties, together with `id`.

    Raises:
        ConfigError: an unknown task, reward or setting.
        DataError: a completion that is none, or without what the rule needs.
    """
    _check_arguments(completions, id=id, question=question, options=options)
    named = {"task": task, "reward": reward, "seed": seed, **settings}
    try:
        reader, rule, tie_seed = _tools(tuple(sorted(named.items())))
    except TypeError as error:  # what cannot be remembered is no value of any setting
        raise ConfigError(f"vote: {error}; wanted plain values of the settings.") from None
    asked = Question(
        id=str(id), prompt=question, options=options_of_cell(list(options), place="vote: options")
    )
    read = tuple(
        read_completion(value, id=str(id), place=f"completion {place}")
        for place, value in enumerate(completions)
    )
    return vote_on(Group(question=asked, completions=read), task=reader, rule=rule, seed=tie_seed)


def vote_on(group: Group, *, task: Task, rule: RewardRule, seed: int) -> Vote:
    """Votes on a group that has been read already; see `vote`."""
    consensus = vote_on_group(task, group, tie_seed=seed, weigh=rule.weigh)
    return Vote(
        id=group.question.id,
        pseudo_label=consensus.pseudo_label,
        majority_ratio=consensus.majority_ratio,
        tied=consensus.tied,
        answers=consensus.answers,
        classes=consensus.class_of,
        counts=consensus.counts,
        rewards=rule.rewards(group, consensus),
    )


def voting_tools(config: RunConfig) -> tuple[Task, RewardRule]:
    """Makes the task and the rule of a config, for votes that see no true answer.

    Raises:
        ConfigError: an unknown reward, or the one that needs true answers.
    """
    if config.reward == ANSWER_KEY:
        raise ConfigError(
            f"reward={ANSWER_KEY} needs true answers, and a vote sees none. Choose another reward."
        )
    return make_task(config), make_rule(config)


def _check_arguments(completions: object, *, id: object, question: object, options: object) -> None:
    for name, value in (("completions", completions), ("options", options)):
        if isinstance(value, str | bytes) or not isinstance(value, Sequence):
            raise DataError(f"vote: {name} is {value!r:.60}, wanted a list of texts.")
    if not isinstance(question, str) or not isinstance(id, str | int):
        raise DataError("vote: question is a text, and id a text or a whole number.")


@lru_cache(maxsize=64)
def _tools(named: tuple[tuple[str, Any], ...]) -> tuple[Task, RewardRule, int]:
    from ttrl.config import resolve  # half of the time of `import ttrl` otherwise

    config = resolve(dict(named), environment={}).values
    return (*voting_tools(config), config.seed)
