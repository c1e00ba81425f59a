"""A view of a question: its people and things have other names.

    Tom has 8 apples. He gives 3 to Ana.        Ben has 8 plums. He gives 3 to Mia.

A name is replaced everywhere or nowhere, by one of the same gender that the text does not hold; words of
the answer are mapped back. A name that may be that of one person of the world, or a word, stays.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ttrl.data.views.people import (
    FAMOUS,
    NEW_PEOPLE,
    NEW_THINGS,
    PEOPLE,
    THINGS,
    UNISEX,
    WORDS,
    Gender,
)
from ttrl.types import LISTED_TASKS, NUMERIC_TASKS, Question, Task, View

LONGEST_TEXT = 10_000

_WORD = re.compile(r"[^\W\d_]++")
_PRONOUNS: Mapping[Gender, frozenset[str]] = {
    "he": frozenset({"he", "him", "his", "himself"}),
    "she": frozenset({"she", "her", "hers", "herself"}),
}
_ABOUT_SPELLING = re.compile(
    r"\b(?:letters?|alphabet\w*|spell\w*|rhym\w*|vowels?|consonants?|initials?|syllables?|anagrams?"
    r"|palindrom\w*|names?|words?)\b",
    re.IGNORECASE,
)
_ABOUT_KINDS = re.compile(
    r"\b(?:fruits?|vegetables?|foods?|snacks?|desserts?|treats?|toys?|decks?|suits?|pages?|chapters?|worth"
    r"|probab\w*|chances?|odds|likely|toss\w*|flip\w*|postage|bounc\w*|cents?|dollars?|penn(?:y|ies)|nickels?|dimes?|quarters?|money|heads|tails|legs?|hatch\w*|dozens?"
    r"|seeds?|peel\w*|slices?|yolks?|jewels?|supplies)\b|[$\u20ac\u00a3]",
    re.IGNORECASE,
)
"""Words of which the answer may depend on what kind of thing is meant."""
_CALENDAR = frozenset(
    """Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February March April May June July
    August September October November December""".split()  # noqa: SIM905
)
_TITLES = frozenset(
    """Aunt Brother Captain Count Doctor Dr Emperor Fort General Governor Judge King Lady Lake Lord Miss Mount
    Mr Mrs Ms Pope Port President Prince Princess Professor Queen Saint San Santa Senator Sir Sister St
    Uncle""".split()  # noqa: SIM905
)


def other_names(question: Question, *, task: Task, place: int, rng: random.Random) -> View | None:
    """Returns the question with other names, or None if it has none that can be changed."""
    own = task.for_question(question).name
    if len(question.prompt) > LONGEST_TEXT:
        return None
    is_listed = own in LISTED_TASKS
    text = "\n".join([question.prompt, *question.options])
    words = set(_WORD.findall(text))
    renamed = _new_people(text, words, numeric=own in NUMERIC_TASKS, rng=rng)
    fixed = () if is_listed else question.options  # the labels of a classification
    renamed = {old: new for old, new in renamed.items() if not any(old in o for o in fixed)}
    back = {new: old for old, new in renamed.items()}
    if own in NUMERIC_TASKS:
        for old, new in _new_things(text, words, rng=rng):
            renamed[old[1]] = new[1]
            back |= dict(zip(new, old, strict=True))
    if not renamed:
        return None
    asked = replace(
        question,
        prompt=_replaced(question.prompt, renamed),
        options=tuple(_replaced(o, renamed) for o in question.options)
        if is_listed
        else question.options,
    )
    return View(
        question=asked,
        restore=(lambda answer: answer) if is_listed else (lambda a: _replaced(a, back)),
    )


def _new_people(text: str, words: set[str], *, numeric: bool, rng: random.Random) -> dict[str, str]:
    people = sorted(name for name in words & PEOPLE.keys() if numeric or name not in FAMOUS)
    if not people or _ABOUT_SPELLING.search(text):
        return {}
    lower = {word.casefold() for word in words}
    spoken: set[Gender] = {gender for gender in _PRONOUNS if _PRONOUNS[gender] & lower}
    free = {gender: _free(names, lower, rng) for gender, names in NEW_PEOPLE.items()}
    found = {}
    for name in people:
        gender = PEOPLE[name]
        others = spoken - {gender}
        alone = {PEOPLE[other] for other in people} == {gender}
        if others and (name in UNISEX or (alone and gender not in spoken)):
            continue
        shown = gender in spoken or (name not in WORDS and len(people) > 1)
        times = _times_alone(name, text)
        if times and (shown or (times > 1 and name not in WORDS)) and free[gender]:
            found[name] = free[gender].pop()
    return found


def _free(names: Sequence[str], taken: set[str], rng: random.Random) -> list[str]:
    left = [name for name in names if name.casefold() not in taken]
    return rng.sample(left, len(left))


def _times_alone(name: str, text: str) -> int:
    """How often a name stands in the text; 0 if it ever is a part of something, such as Tom Sawyer."""
    places = list(_whole(name.casefold(), re.IGNORECASE).finditer(text))
    for found in places:
        before, after = text[max(0, found.start() - 40) : found.start()], text[found.end() :][:40]
        previous, following = _LAST.search(before), _NEXT.match(after)
        if (
            found[0] != name
            or re.search(r"[\w@/\\._-]\Z", before)
            or re.match(r"[@/\\_-]|\.\w", after)
            or (following and following[1][0].isupper() and following[1] not in _CALENDAR)
            or (previous and _is_title(previous[1], previous[2]))
        ):
            return 0
    return len(places)


_ARTICLES = frozenset({"a", "an", "the", "each", "every", "any", "no", "another"})
_LAST = re.compile(r"([^\W\d_]+)(\.?)\s\Z")
_NEXT = re.compile(r"\s([^\W\d_]+)")


def _is_title(word: str, dot: str) -> bool:
    return word in _TITLES or word.lower() in _ARTICLES or (word in PEOPLE and not dot)


def _new_things(
    text: str, words: set[str], *, rng: random.Random
) -> list[tuple[tuple[str, str], tuple[str, str]]]:
    """Pairs of (singular, plural), old and new."""
    if _ABOUT_KINDS.search(text) or _ABOUT_SPELLING.search(text):
        return []
    lower = {word.casefold() for word in words}
    found = []
    for group, new in zip(THINGS, NEW_THINGS, strict=True):
        free = [pair for pair in new if lower.isdisjoint(pair)]
        rng.shuffle(free)
        for one, many in group:
            is_plain = many in words and one not in lower
            if is_plain and _only_amounts(many, text) and free:
                found.append(((one, many), free.pop()))
    return found


def _only_amounts(thing: str, text: str) -> bool:
    """Whether a thing, wherever it stands, is counted: "8 apples", "how many red apples", "of the apples"."""
    places = list(_whole(thing, re.IGNORECASE).finditer(text))
    return all(
        found[0] == thing
        and _COUNTED.search(text[max(0, found.start() - 40) : found.start()])
        and not re.match(r"[-_/@]", text[found.end() :][:1])
        for found in places
    )


_COUNTED = re.compile(
    r"(?<!\w)(?:\d[\d,]*|many|more|fewer|the|his|her|their|these|those|of)\s(?:[a-z]+\s)?\Z"
)


def _whole(word: str, flags: int = 0) -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W_]){re.escape(word)}(?![^\W_])", flags)


def _replaced(text: str, names: Mapping[str, str]) -> str:
    """All at once, so that names can be exchanged."""
    return _WORD.sub(lambda found: names.get(found[0], found[0]), text)
