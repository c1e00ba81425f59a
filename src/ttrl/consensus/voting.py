"""Votes without a model: texts in, consensus and rewards out, of one question or of a file."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ttrl.answers.choice import find_options
from ttrl.answers.tasks import make_task
from ttrl.consensus.rules import ANSWER_KEY, make_rule
from ttrl.consensus.vote import vote_on_group
from ttrl.data.completions import read_completion, read_groups
from ttrl.data.questions import options_of_cell
from ttrl.errors import ConfigError, DataError
from ttrl.files import refuse_taken, whole_file
from ttrl.types import LISTED_TASKS, Group, Question, RewardRule, Task

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
            "logprobs": [...], "entropy": [...], "order": [2, 0, 1]} of which only the text is needed by most
            rules. The order is that in which the options of a choice were shown, by their own places.
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
    """Votes on a group that has been read already; see `vote`.

    Raises:
        DataError: options in another order where there are none, or others.
    """
    _check_orders(group, task)
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


def _check_orders(group: Group, task: Task) -> None:
    question = group.question
    orders = {completion.order for completion in group.completions} - {()}
    if not orders:
        return
    own = task.for_question(question)
    if own.name not in LISTED_TASKS:
        raise DataError(
            f"question {question.id!r}: there is an order of options, and its task is {own.name}. Set the "
            "task choice, or leave order out."
        )
    sizes = {len(order) for order in orders}
    known = len(question.options or find_options(question.prompt)) or max(sizes)
    if sizes != {known}:
        raise DataError(
            f"question {question.id!r}: the orders have {', '.join(map(str, sorted(sizes)))} places for "
            f"{known} options. Give each option its place."
        )


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


LISTS = ("answers", "classes", "counts", "rewards")
COUNTED: Mapping[str, Callable[[Vote], float]] = {
    "questions": lambda vote: 1,
    "completions": lambda vote: len(vote.classes),
    "abstained": lambda vote: vote.classes.count(None),
    "tied": lambda vote: vote.tied,
    "without_label": lambda vote: vote.pseudo_label is None,
    "majority_ratio": lambda vote: vote.majority_ratio,
}
Write = Callable[[Vote], None]


def vote_on_file(
    file: str, config: RunConfig, *, out: str | None = None, unsorted: bool = False
) -> dict[str, float]:
    """Votes on each question of a file and writes one row for it, as soon as its completions are read.

    Args:
        file: JSON Lines as `read_groups` takes them; "-" is standard input.
        config: decides the task and the reward.
        out: a .jsonl or .csv file, which appears when it is complete; None is standard output.
        unsorted: rows of one id may be anywhere in the file, which is then held in memory.

    Returns:
        counts of all questions and completions, and the mean majority ratio over questions (0 without any).

    Raises:
        DataError: the file cannot be read, or a row is broken.
        ConfigError: an unknown reward, or an `out` that exists, has another ending or cannot be written.
    """
    task, rule = voting_tools(config)
    totals: dict[str, float] = dict.fromkeys(COUNTED, 0)
    with _input(file) as lines, _output(out) as write:
        for group in read_groups(lines, name=Path(file).name, unsorted=unsorted):
            vote = vote_on(group, task=task, rule=rule, seed=config.seed)
            write(vote)
            for name, count in COUNTED.items():
                totals[name] += count(vote)
    return totals | {"majority_ratio": totals["majority_ratio"] / max(1, totals["questions"])}


@contextmanager
def _input(file: str) -> Iterator[Iterator[bytes]]:
    if file == "-":
        yield iter(sys.stdin.buffer)
        return
    try:
        stream = open(file, "rb")  # noqa: SIM115, closed below
    except (OSError, ValueError) as error:
        raise DataError(
            f"{file}: cannot be read ({error}). Give a .jsonl file, or - for standard input."
        ) from None
    with stream:
        yield iter(stream)


@contextmanager
def _output(out: str | None) -> Iterator[Write]:
    if out is None:
        try:
            yield _line_writer(sys.stdout)
            sys.stdout.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise ConfigError(f"standard output cannot be written ({error}).") from None
        return
    path = Path(out)
    refuse_taken(path, kind="file")
    if path.suffix not in {".jsonl", ".csv"}:
        raise ConfigError(f"--out {out}: wanted a name that ends in .jsonl or .csv.")
    try:
        with whole_file(path) as stream:
            yield _csv_writer(stream) if path.suffix == ".csv" else _line_writer(stream)
    except OSError as error:
        raise ConfigError(
            f"--out {out}: cannot be written ({error}). Name a place with room and rights."
        ) from None


def _line_writer(stream: IO[str]) -> Write:
    return lambda vote: print(json.dumps(asdict(vote), allow_nan=False), file=stream)


def _csv_writer(stream: IO[str]) -> Write:
    writer = csv.DictWriter(stream, [field.name for field in fields(Vote)], lineterminator="\n")
    writer.writeheader()

    def write(vote: Vote) -> None:
        row: dict[str, Any] = asdict(vote)
        writer.writerow(row | {key: json.dumps(row[key]) for key in LISTS})

    return write
