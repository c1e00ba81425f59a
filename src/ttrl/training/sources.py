"""Further votes: of a model beside the policy, of the base, and of a question's earlier visits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ttrl.config import RunConfig
from ttrl.errors import CheckpointError
from ttrl.seeding import derive_seed
from ttrl.training.votes import vote_params
from ttrl.types import FurtherVotes, Group, Question, Sampler, ScoredGroup, SourceName, Task

Visit = Sequence[Sequence[Any]]
"""What a question's own votes and those on its views were: answers, each with its number; None abstained."""
REMEMBERED = 6
"""Visits of a question that are remembered; at a decay of 1/2 an older vote weighs under 1 %."""


class SampledVotes:
    """Votes that a model beside the policy draws anew in each step: `further_votes` on each question.

    Args:
        sampler: of that model.
    """

    def __init__(
        self, name: SourceName, sampler: Sampler, *, task: Task, config: RunConfig
    ) -> None:
        self.name: str = name
        self.sampled_tokens = 0
        self._sampler, self._task, self._config = sampler, task, config

    def votes(self, groups: Sequence[Group], *, step: int) -> list[FurtherVotes | None]:
        """Draws the votes, with random numbers of the source's and the step's own."""
        answers, tokens = sampled_answers(
            [group.question for group in groups],
            sampler=self._sampler,
            task=self._task,
            config=self._config,
            seed=derive_seed(self._config.seed, self.name, step),
        )
        self.sampled_tokens += sum(tokens)
        return [_plain(self.name, found) for found in answers]

    def after_update(self, *, step: int) -> None:
        """Does nothing: the model stays as it is."""


def sampled_answers(
    questions: Sequence[Question], *, sampler: Sampler, task: Task, config: RunConfig, seed: int
) -> tuple[list[list[str | None]], list[int]]:
    """Draws `further_votes` completions of each question; returns their answers and numbers of tokens."""
    params = replace(vote_params(config), temperature=config.label_temperature)
    groups = sampler.sample(questions, n=config.further_votes, params=params, seed=seed)
    answers = []
    for group in groups:
        reader = task.for_question(group.question)
        answers.append([reader.extract(completion) for completion in group.completions])
    return answers, [sum(len(c.token_ids) for c in group.completions) for group in groups]


def _plain(source: str, answers: Iterable[str | None]) -> FurtherVotes:
    found = tuple(answers)
    return FurtherVotes(source=source, answers=found, weights=(1.0,) * len(found))


@dataclass(slots=True, kw_only=True)
class BaseVotes:
    """The base's own votes, drawn once before the first step. Their tokens count in that step."""

    answers: Mapping[str, Sequence[str | None]]
    """By the question's id."""
    tokens: int
    """Number of tokens of all of them."""
    name: str = "base"
    sampled_tokens: int = field(default=0, init=False)

    def votes(self, groups: Sequence[Group], *, step: int) -> list[FurtherVotes | None]:
        """Returns the votes on each question."""
        if step == 0:
            self.sampled_tokens = self.tokens
        return [_plain(self.name, self.answers[group.question.id]) for group in groups]

    def after_update(self, *, step: int) -> None:
        """Does nothing: the base stays what it was."""

    def to_json(self) -> dict[str, Any]:
        """Returns what a file keeps of them."""
        return {"tokens": self.tokens, "answers": {id: list(a) for id, a in self.answers.items()}}

    @classmethod
    def drawn(
        cls, questions: Sequence[Question], *, sampler: Sampler, task: Task, config: RunConfig
    ) -> BaseVotes:
        """Draws them, in one pass.

        Args:
            sampler: of the base, whose weights must not have been trained.
        """
        answers, tokens = sampled_answers(
            questions,
            sampler=sampler,
            task=task,
            config=config,
            seed=derive_seed(config.seed, "base"),
        )
        by_id = {q.id: tuple(a) for q, a in zip(questions, answers, strict=True)}
        return cls(answers=by_id, tokens=sum(tokens))

    @classmethod
    def from_json(
        cls, value: Any, questions: Sequence[Question], *, config: RunConfig, file: str
    ) -> BaseVotes:
        """Reads what `to_json` gave.

        Raises:
            CheckpointError: it is not the votes on these questions.
        """
        answers = value.get("answers") if isinstance(value, dict) else None
        tokens = value.get("tokens") if isinstance(value, dict) else None
        if not isinstance(answers, dict) or type(tokens) is not int or tokens < 0:
            raise CheckpointError(f"{file} is damaged: restore it, or start a new run.")
        for question in questions:
            found = answers.get(question.id)
            if not (
                isinstance(found, list)
                and len(found) == config.further_votes
                and all(a is None or isinstance(a, str) for a in found)
            ):
                raise CheckpointError(
                    f"{file} is damaged: wanted {config.further_votes} votes on question {question.id!r}. "
                    "Restore it, or start a new run."
                )
        return cls(answers={q.id: tuple(answers[q.id]) for q in questions}, tokens=tokens)


class VisitVotes:
    """The votes of a question's earlier visits: those of the last weigh `decay`, those before decay^2, ...

    Args:
        visits: of each question, as `remember` gives them, the last one first.
        decay: in [0, 1].
    """

    name: str = "visits"
    sampled_tokens = 0

    def __init__(self, visits: Mapping[str, Sequence[Visit]], *, decay: float) -> None:
        self._visits, self._decay = visits, decay

    def votes(self, groups: Sequence[Group], *, step: int) -> list[FurtherVotes | None]:
        """Returns the remembered votes, or None for a question that is new."""
        return [self._of(group.question.id) for group in groups]

    def after_update(self, *, step: int) -> None:
        """Does nothing: visits are remembered with the progress of the run."""

    def _of(self, id: str) -> FurtherVotes | None:
        answers: list[str | None] = []
        weights: list[float] = []
        for age, visit in enumerate(self._visits.get(id, ()), start=1):
            weight = self._decay**age
            for answer, number in visit if weight else ():
                answers += [answer] * number
                weights += [weight] * number
        if not answers:
            return None
        return FurtherVotes(source=self.name, answers=tuple(answers), weights=tuple(weights))


def remember(
    visits: Mapping[str, Sequence[Visit]], scored: Sequence[ScoredGroup]
) -> dict[str, list[Visit]]:
    """Adds a step's visits to those before, and forgets the oldest ones.

    What the policy answered is remembered, to the questions themselves and to their views; not what other
    sources gave.
    """
    after = {id: list(earlier) for id, earlier in visits.items()}
    for group in scored:
        answers = [
            *group.consensus.answers,
            *(a for v in group.further if v.source == "views" for a in v.answers),
        ]
        visit = [[answer, number] for answer, number in Counter(answers).items()]
        id = group.group.question.id
        after[id] = [visit, *after.get(id, [])][:REMEMBERED]
    return after
