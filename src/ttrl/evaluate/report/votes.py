"""The votes on each question before and after training, cut to what a page can hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ttrl.evaluate.report.estimates import in_order, set_title
from ttrl.evaluate.report.quantities import finite, mapping, number

MAX_QUESTIONS = 200
"""Per set."""
TOP_CLASSES = 4
SHORT_TEXT = 280
LONG_TEXT = 12_000
"""Characters of one text that are embedded. Longer ones are cut, and the report says so."""

Tag = Literal["changed", "gained", "lost"]
Kind = Literal["right", "answer", "rest", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text of the model or of the data set, never longer than LONG_TEXT."""

    shown: str
    left_out: int
    """Characters that were cut."""

    @property
    def opening(self) -> str:
        """What stands for a long text until it is unfolded; the whole text if it is short."""
        if len(self.shown) <= SHORT_TEXT:
            return self.shown
        return self.shown[:SHORT_TEXT].rstrip() + "\N{HORIZONTAL ELLIPSIS}"

    @property
    def is_long(self) -> bool:
        return len(self.shown) > SHORT_TEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One row of a histogram."""

    label: str
    votes: int
    share: float
    """Of all votes, in percent."""
    kind: Kind
    elected: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Votes:
    """The histogram of one question at one time."""

    bars: tuple[Bar, ...]
    correct: float | None
    """Share of correct votes in percent; None without a label."""
    tied: bool
    example: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionVotes:
    """One question before and after training."""

    id: str
    prompt: Text
    answer: str | None
    before: Votes | None
    after: Votes | None
    tags: tuple[Tag, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetVotes:
    """The questions of one set."""

    title: str
    questions: tuple[QuestionVotes, ...]
    left_out: int


def set_votes(
    evaluations: Mapping[tuple[str, str], Mapping[str, Any]],
) -> tuple[SetVotes, ...]:
    """Pairs the questions of both evaluations by id, in the order of the first one."""
    found = []
    for name in in_order({name for name, _ in evaluations}):
        base = _by_id(evaluations.get((name, "base"), {}))
        final = _by_id(evaluations.get((name, "final"), {}))
        ids = list(dict.fromkeys([*base, *final]))
        if not ids:
            continue
        title = set_title(name)
        found.append(
            SetVotes(
                title=title[:1].upper() + title[1:],
                questions=tuple(
                    question_votes(base.get(id), final.get(id)) for id in ids[:MAX_QUESTIONS]
                ),
                left_out=max(0, len(ids) - MAX_QUESTIONS),
            )
        )
    return tuple(found)


def question_votes(
    base: Mapping[str, Any] | None, final: Mapping[str, Any] | None
) -> QuestionVotes:
    """One card; either side may be missing."""
    either = base or final or {}
    answer = either.get("answer")
    return QuestionVotes(
        id=_line(either.get("id")),
        prompt=_cut(either.get("prompt")),
        answer=None if answer is None else _line(answer),
        before=None if base is None else votes(base),
        after=None if final is None else votes(final),
        tags=() if base is None or final is None else change_tags(base, final),
    )


def change_tags(base: Mapping[str, Any], final: Mapping[str, Any]) -> tuple[Tag, ...]:
    """Whether the vote elects another answer, and whether that gained or lost the question.

    Two right winners are the same answer even if they are spelled differently.
    """
    right_before, right_after = _elects_right(base), _elects_right(final)
    if right_before and right_after:
        return ()
    if right_before == right_after:
        return () if base.get("pseudo_label") == final.get("pseudo_label") else ("changed",)
    return ("changed", "gained") if right_after else ("changed", "lost")


def votes(question: Mapping[str, Any]) -> Votes:
    """The histogram: the largest classes, the elected and the right one, the rest, abstentions."""
    counts = [_count(value) for value in _list(question.get("counts"))]
    labels = [_line(value) for value in _list(question.get("labels"))]
    right, winner = question.get("right_class"), _winner(question)
    abstained = _count(question.get("abstained"))
    total = sum(counts) + _count(question.get("other")) + abstained

    def bar(label: str, count: int, kind: Kind, elected: bool = False) -> Bar:
        share = round(100 * count / total, 1) if total else 0.0
        return Bar(label=label, votes=count, share=share, kind=kind, elected=elected)

    bars = []
    for index, (count, label) in enumerate(zip(counts, labels, strict=False)):
        if index < TOP_CLASSES or index in (right, winner):
            kind: Kind = "right" if index == right else "answer"
            bars.append(bar(label, count, kind, index == winner))
    rest = total - abstained - sum(shown.votes for shown in bars)
    if rest > 0:
        bars.append(bar("others", rest, "rest"))
    if abstained > 0:
        bars.append(bar("no answer", abstained, "none"))
    correct = number(question, "correct")
    return Votes(
        bars=tuple(bars),
        correct=100 * correct / total if total and correct is not None else None,
        tied=question.get("tied") is True,
        example=_cut(question.get("example")),
    )


def _winner(question: Mapping[str, Any]) -> int | None:
    """Index of the elected class. In a tie it need not be the first one."""
    labels, label = _list(question.get("labels")), question.get("pseudo_label")
    return labels.index(label) if label is not None and label in labels else None


def _elects_right(question: Mapping[str, Any]) -> bool:
    winner = _winner(question)
    return winner is not None and winner == question.get("right_class")


def _by_id(evaluation: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    questions = [mapping(entry) for entry in _list(evaluation.get("questions"))]
    return {str(question.get("id")): question for question in questions if question}


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else []


def _count(value: object) -> int:
    return max(0, int(finite(value) or 0))


def _line(value: object) -> str:
    """A short text for one line: an answer or an id."""
    text = " ".join(str(value).split())
    return text if len(text) <= 80 else text[:79] + "\N{HORIZONTAL ELLIPSIS}"


def _cut(value: object) -> Text:
    text = "" if value is None else str(value)
    return Text(shown=text[:LONG_TEXT], left_out=max(0, len(text) - LONG_TEXT))
