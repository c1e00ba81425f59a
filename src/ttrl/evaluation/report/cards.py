"""Single questions on a page: votes before, during and after training, and fates in each of several runs.

The page draws them itself, so what leaves this file is plain data: rows of numbers and texts that
nobody vouches for, whose layout is given where they are made and read by questions.js.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from ttrl.evaluation.report.arms import Arm, inks
from ttrl.evaluation.report.outcome import fate_of
from ttrl.evaluation.report.reading import TOP_CLASSES, Run, Visit
from ttrl.evaluation.report.tables import Fates
from ttrl.evaluation.report.text import TRAINED, heading, in_order, line, set_title, short
from ttrl.evaluation.statistics import Fate, mean
from ttrl.recording.evaluations import WHENS, When
from ttrl.recording.question_record import QuestionKey, QuestionRecord

MAX_QUESTIONS = 512
"""Of the trained set."""
MAX_OTHERS = 200
"""Of every other set."""
MAX_OTHERS_IN_ALL = 1000
MAX_COMPARED = 1000
"""Questions that several runs are compared on."""
PROMPT_LENGTH = 240
"""Characters of a question where several runs are compared."""
SHORT_TEXT = 280
"""What is always shown of a question."""
LONG_TEXT = 12_000
"""Characters of one text that are embedded. Longer ones are cut, and the page says so."""
ALL_TEXTS = 2_000_000
"""Characters of all texts of a page."""
_ROOM, _PER_CARD, _PER_VISIT = 230_000, 130, 38
"""Bytes, roughly: what cards without texts and visits may take together, and what one takes."""

Row = list[Any]
Card = tuple[str, QuestionRecord | None, QuestionRecord | None]
"""The id of a question, and its record before and after training."""


class Texts:
    """The texts embedded in a page: each short one once, by its number; long ones while there is room."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._left = ALL_TEXTS

    def number(self, text: str) -> int:
        """Returns the number of a short text, a new one if it has not come before."""
        return self._numbers.setdefault(text, len(self._numbers))

    def numbered(self) -> list[str]:
        """Returns all short texts in the order of their numbers."""
        return list(self._numbers)

    def cut(self, text: str, *, at_least: int = 0) -> str | Row:
        """Returns the text, or [what fits, characters left out]."""
        shown = text[: min(LONG_TEXT, max(at_least, self._left))]
        self._left = max(0, self._left - len(shown))
        return text if len(shown) == len(text) else [shown, len(text) - len(shown)]


def vote_row(question: QuestionRecord, texts: Texts) -> Row:
    """Returns [percent right or null, tied, others, no answer, label, votes, code, label, votes, code, ...].

    The largest classes, the elected and the right one. A label is a number of the texts; the code is 1 for
    the right answer, plus 2 for the elected.
    """
    right, elected, total = question.right_class, question.winner, question.completions
    shown = [
        (texts.number(line(label)), amount, (index == right) + 2 * (index == elected))
        for index, (amount, label) in enumerate(zip(question.counts, question.labels, strict=False))
        if index < TOP_CLASSES or index in (right, elected)
    ]
    rest = total - question.abstained - sum(amount for _, amount, _ in shown)
    marked = question.correct is not None and total
    share = round(100 * question.share_right) if marked else None
    parts = [part for each in shown for part in each]
    return [share, int(question.tied), max(0, rest), question.abstained, *parts]


def is_changed(base: QuestionRecord, final: QuestionRecord) -> bool:
    """Returns whether the vote elects another answer; two right ones are the same in any spelling."""
    right_before, right_after = base.vote_right is True, final.vote_right is True
    if right_before and right_after:
        return False
    return right_before != right_after or base.pseudo_label != final.pseudo_label


def _comes_first(card: Card) -> bool:
    """Gained and lost questions are what a reader looks for."""
    return fate_of(*card[1:]) in ("gained", "lost")


def _card_row(card: Card, texts: Texts, visits: tuple[list[Row], int]) -> Row:
    """[id, prompt, answer, fate, changed, level, before, after, visits, how many visits there were,
    completion before, completion after]. A cut text is [text, characters left out].
    """
    id, *sides = card
    before, after = sides
    either = before or after
    assert either is not None  # one of the evaluations has it
    return [
        line(id),
        texts.cut(either.prompt, at_least=SHORT_TEXT),
        None if either.answer is None else line(either.answer),
        fate_of(before, after),
        int(before is not None and after is not None and is_changed(before, after)),
        None if either.level is None else line(either.level),
        *(None if side is None else vote_row(side, texts) for side in sides),
        *visits,
        *("" if side is None else texts.cut(side.example) for side in sides),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetCards:
    """The questions of one set, gained and lost ones first."""

    name: str
    title: str
    cards: tuple[Card, ...]
    left_out: int


def set_cards(run: Run) -> tuple[SetCards, ...]:
    """Pairs the questions of both evaluations by id, in the order of the first one."""
    names = in_order(name for name, _ in run.result.evaluations)
    most_of_others = min(MAX_OTHERS, MAX_OTHERS_IN_ALL // max(1, len(names) - 1))
    found = []
    for name in names:
        pair = [run.evaluation(name, when) for when in WHENS]
        base, final = ({} if each is None else each.by_id for each in pair)
        cards = [(id, base.get(id), final.get(id)) for id in dict.fromkeys([*base, *final])]
        cards.sort(key=lambda card: not _comes_first(card))
        most = MAX_QUESTIONS if name == TRAINED else most_of_others
        left_out, shown = max(0, len(cards) - most), tuple(cards[:most])
        if shown:
            found.append(SetCards(name=name, title=heading(name), cards=shown, left_out=left_out))
    return tuple(found)


def cards_as_json(sets: Sequence[SetCards], visits: Sequence[Visit]) -> dict[str, Any]:
    """Returns the input of questions.js: {"strings": [...], "sets": [[row of a question, ...], ...]}."""
    texts, during = Texts(), dict[str, list[Visit]]()
    trained = {id for group in sets if group.name == TRAINED for id, *_ in group.cards}
    cards = sum(len(group.cards) for group in sets)
    most = max(2, (_ROOM - _PER_CARD * cards) // _PER_VISIT // max(1, len(trained)))
    for visit in visits:
        if visit.question in trained:
            during.setdefault(visit.question, []).append(visit)
    shown = {
        id: ([_visit_row(each, texts) for each in _thinned(found, most)], len(found))
        for id, found in during.items()
    }
    rows: dict[tuple[int, int], Row] = {}
    for first in (True, False):  # so that the room for texts goes to gained and lost questions
        for at, group in enumerate(sets):
            for place, card in enumerate(group.cards):
                if _comes_first(card) == first:
                    known = shown.get(card[0]) if group.name == TRAINED else None
                    rows[at, place] = _card_row(card, texts, known or ([], 0))
    by_set = [[rows[at, i] for i in range(len(group.cards))] for at, group in enumerate(sets)]
    return {"strings": texts.numbered(), "sets": by_set}


def _visit_row(visit: Visit, texts: Texts) -> Row:
    """[step, votes for others, without an answer, label, votes, label, votes, ...]."""
    pairs = zip(visit.labels, visit.votes, strict=True)
    parts = [part for label, amount in pairs for part in (texts.number(label), amount)]
    return [visit.step, visit.others, visit.abstained, *parts]


def _thinned(visits: Sequence[Visit], most: int) -> Sequence[Visit]:
    """At most `most` (2 or more), evenly spaced with first and last."""
    if len(visits) <= most:
        return visits
    last = len(visits) - 1
    return [visits[at] for at in sorted({round(i * last / (most - 1)) for i in range(most)})]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmFates:
    """The questions of one set in each of several runs."""

    title: str
    runs: tuple[Fates, ...]
    """How many questions each run gained, kept, lost and never got, those left out included."""
    colours: tuple[str, ...]
    """Of the runs."""
    questions: list[Row]
    """[id, prompt, answer, level, percent right before, after (mean over runs), a letter per run]."""
    left_out: int

    def as_json(self) -> dict[str, Any]:
        """Returns the input of questions.js."""
        runs = zip(self.runs, self.colours, strict=True)
        named = [{"name": run.name, "colour": colour} for run, colour in runs]
        return {"runs": named, "questions": self.questions}


def arm_fates(arms: Sequence[Arm], name: str) -> ArmFates | None:
    """Returns the labeled questions of the set `name`, in the order of the first run; None without any.

    Of very many, those that some run gained or lost are kept first.
    """
    runs = [run for arm in arms for run in arm.runs]
    before, after = ([_by_key(run, name, when) for run in runs] for when in WHENS)
    records: dict[QuestionKey, list[QuestionRecord]] = {}
    for found in (*before, *after):
        for key, record in found.items():
            records.setdefault(key, []).append(record)
    fates = {
        key: tuple(fate_of(b.get(key), a.get(key)) for b, a in zip(before, after, strict=True))
        for key, found in records.items()
        if any(record.vote_right is not None for record in found)
    }
    if not fates:
        return None
    by_interest = sorted(fates, key=lambda key: {"gained", "lost"}.isdisjoint(fates[key]))
    kept = set(by_interest[:MAX_COMPARED])
    questions: list[Row] = [
        [
            *(
                short(text, length)
                for text, length in zip(key, (80, PROMPT_LENGTH, 80), strict=True)
            ),
            short(records[key][0].level or "", 40),
            *(_percent([s[key] for s in side if key in s]) for side in (before, after)),
            "".join(each[0] if each else "-" for each in fates[key]),
        ]
        for key in fates
        if key in kept
    ]
    rows, colours = [], []
    counts = map(Counter, zip(*fates.values(), strict=True))
    for arm, (colour, _) in zip(arms, inks(arms), strict=True):
        for run_name, link, _ in arm.named_runs:
            counted = next(counts)
            of_run = {fate: counted[fate] for fate in get_args(Fate)}
            rows.append(Fates(name=run_name, arm=arm.name, link=link, counts=of_run))
            colours.append(colour)
    return ArmFates(
        title=set_title(name),
        runs=tuple(rows),
        colours=tuple(colours),
        questions=questions,
        left_out=len(fates) - len(questions),
    )


def _by_key(run: Run, name: str, when: When) -> Mapping[QuestionKey, QuestionRecord]:
    evaluation = run.evaluation(name, when)
    return {} if evaluation is None else evaluation.by_key


def _percent(records: Sequence[QuestionRecord]) -> int | None:
    shares = [record.share_right for record in records if record.correct is not None]
    return round(100 * mean(shares)) if shares else None
