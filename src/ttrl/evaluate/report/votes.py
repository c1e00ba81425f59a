"""The votes on each question before, during and after training, cut to what a page can hold.

The page draws the cards itself, so what leaves this file is plain data: rows of numbers and texts,
whose layout stands at `as_row` and is read by questions.js.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ttrl.evaluate.report.estimates import heading, in_order
from ttrl.evaluate.report.paired import Evaluations
from ttrl.evaluate.report.quantities import entries, number
from ttrl.evaluate.report.records import (
    Record,
    by_id,
    completions,
    count,
    fate_of,
    vote_right,
    winner,
)
from ttrl.evaluate.report.strings import Strings, line
from ttrl.evaluate.report.texts import SHORT_TEXT, TextRoom
from ttrl.evaluate.report.visits import TOP_CLASSES, Row, Visit, visits_by_question
from ttrl.evaluate.statistics import Fate

MAX_QUESTIONS = 512
"""Of the trained set."""
MAX_OTHERS = 200
"""Of every other set."""
MAX_OTHERS_IN_ALL = 1000
_ROOM, _PER_CARD, _PER_VISIT = 230_000, 130, 38
"""Bytes, roughly: what cards without texts and visits may take together, and what one takes."""

Tag = Literal["changed", "gained", "lost"]
Kind = Literal["right", "answer", "rest", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One row of a histogram."""

    label: str
    votes: int
    kind: Kind
    elected: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Votes:
    """The histogram of one question at one time."""

    bars: tuple[Bar, ...]
    correct: float | None
    """Share of correct votes in percent; None without a label."""
    tied: bool

    def as_row(self, strings: Strings) -> list[Any]:
        """[correct or null, tied, others, no answer, label, votes, code, label, votes, code, ...].

        A label is a number of `strings`; the code is 1 for the right answer, plus 2 for the elected.
        """
        sums = {
            kind: sum(b.votes for b in self.bars if b.kind == kind) for kind in ("rest", "none")
        }
        shown = [bar for bar in self.bars if bar.kind in ("right", "answer")]
        parts = [
            part
            for bar in shown
            for part in (
                strings.index(bar.label),
                bar.votes,
                (bar.kind == "right") + 2 * bar.elected,
            )
        ]
        correct = None if self.correct is None else round(self.correct)
        return [correct, int(self.tied), sums["rest"], sums["none"], *parts]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionVotes:
    """One question before and after training."""

    id: str
    before: Record | None
    after: Record | None

    @property
    def fate(self) -> Fate | None:
        """What became of its vote; None where it was not graded twice."""
        return fate_of(self.before, self.after)

    @property
    def is_told_first(self) -> bool:
        """Gained and lost questions are what a reader looks for."""
        return self.fate in ("gained", "lost")

    def as_row(self, strings: Strings, room: TextRoom, visits: tuple[list[Row], int]) -> list[Any]:
        """[id, prompt, answer, fate, changed, level, before, after, visits, how many visits there
        were, completion before, completion after]. A cut text is [text, characters left out].
        """
        either = self.before or self.after or {}
        answer, level = either.get("answer"), either.get("level")
        sides = [self.before, self.after]
        tags = () if None in sides else change_tags(self.before or {}, self.after or {})
        return [
            line(self.id),
            room.cut(either.get("prompt"), at_least=SHORT_TEXT),
            None if answer is None else line(answer),
            self.fate,
            int("changed" in tags),
            None if level is None else line(level),
            *(None if side is None else votes(side).as_row(strings) for side in sides),
            *visits,
            *("" if side is None else room.cut(side.get("example")) for side in sides),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetVotes:
    """The questions of one set."""

    name: str
    title: str
    questions: tuple[QuestionVotes, ...]
    """Gained and lost ones first."""
    left_out: int


def set_votes(evaluations: Evaluations) -> tuple[SetVotes, ...]:
    """Pairs the questions of both evaluations by id, in the order of the first one."""
    names = in_order({name for name, _ in evaluations})
    most_of_others = min(MAX_OTHERS, MAX_OTHERS_IN_ALL // max(1, len(names) - 1))
    found = []
    for name in names:
        base, final = (by_id(evaluations.get((name, when), {})) for when in ("base", "final"))
        questions = [
            QuestionVotes(id=id, before=base.get(id), after=final.get(id))
            for id in dict.fromkeys([*base, *final])
        ]
        if not questions:
            continue
        most = MAX_QUESTIONS if name == "unlabeled" else most_of_others
        first = sorted(questions, key=lambda question: not question.is_told_first)
        found.append(
            SetVotes(
                name=name,
                title=heading(name),
                questions=tuple(first[:most]),
                left_out=max(0, len(questions) - most),
            )
        )
    return tuple(found)


def cards_as_json(sets: Sequence[SetVotes], visits: Sequence[Visit]) -> dict[str, Any]:
    """What questions.js reads: {"strings": [...], "sets": [[row of a question, ...], ...]}."""
    strings, room = Strings(), TextRoom()
    trained = [q.id for group in sets if group.name == "unlabeled" for q in group.questions]
    cards = sum(len(group.questions) for group in sets)
    most = max(2, (_ROOM - _PER_CARD * cards) // _PER_VISIT // max(1, len(trained)))
    during = visits_by_question(visits, strings, ids=trained, most=most)
    rows: dict[tuple[int, int], list[Any]] = {}
    for told_first in (True, False):  # so that the room for texts goes to gained and lost questions
        for at, group in enumerate(sets):
            for place, question in enumerate(group.questions):
                if question.is_told_first == told_first:
                    known = during.get(question.id) if group.name == "unlabeled" else None
                    rows[at, place] = question.as_row(strings, room, known or ([], 0))
    return {
        "strings": strings.as_list(),
        "sets": [
            [rows[at, place] for place in range(len(group.questions))]
            for at, group in enumerate(sets)
        ],
    }


def change_tags(base: Mapping[str, Any], final: Mapping[str, Any]) -> tuple[Tag, ...]:
    """Whether the vote elects another answer, and whether that gained or lost the question.

    Two right winners are the same answer even if they are spelled differently.
    """
    right_before, right_after = vote_right(base) is True, vote_right(final) is True
    if right_before and right_after:
        return ()
    if right_before == right_after:
        return () if base.get("pseudo_label") == final.get("pseudo_label") else ("changed",)
    return ("changed", "gained") if right_after else ("changed", "lost")


def votes(question: Mapping[str, Any]) -> Votes:
    """The histogram: the largest classes, the elected and the right one, the rest, abstentions."""
    counts = [count(value) for value in entries(question.get("counts"))]
    labels = [line(value) for value in entries(question.get("labels"))]
    right, elected = question.get("right_class"), winner(question)
    abstained, total = count(question.get("abstained")), completions(question)
    bars = []
    for index, (amount, label) in enumerate(zip(counts, labels, strict=False)):
        if index < TOP_CLASSES or index in (right, elected):
            kind: Kind = "right" if index == right else "answer"
            bars.append(Bar(label=label, votes=amount, kind=kind, elected=index == elected))
    rest = total - abstained - sum(shown.votes for shown in bars)
    if rest > 0:
        bars.append(Bar(label="others", votes=rest, kind="rest"))
    if abstained > 0:
        bars.append(Bar(label="no answer", votes=abstained, kind="none"))
    correct = number(question, "correct")
    return Votes(
        bars=tuple(bars),
        correct=100 * correct / total if total and correct is not None else None,
        tied=question.get("tied") is True,
    )
