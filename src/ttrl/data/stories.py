"""Reads stories of gains and losses: an amount, what happens to it on which day, what is left.

    Tom has 8 apples. He buys 5 more on Monday. On Tuesday he gives 3 to Ana.
    How many apples does he have now?

A text is read from its first to its last word by a small grammar, or not at all. What the grammar has no
rule for (each, half, twice, than, the rest, another person, a number in words, a decimal) is not read, so
the effect of every deed of a story is a constant, and the order of the deeds does not matter to the answer.
The one exception would be a deed before which too little is left: see `Story.stays_possible`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise

from ttrl.data.verbs import PARTICLES, VERBS

LONGEST_STORY = 2_000
"""Most characters of a text that is read."""

_TOKEN = re.compile(
    r"\$?(?:\d{1,3}(?:,\d{3})++(?!\d)|\d++)|[A-Za-z]++(?:['\u2019-][A-Za-z]++)*+|[.,;?]|\S"
)
_NUMBER = re.compile(r"\$?(?:0|[1-9][\d,]{0,9})\Z")
_WORD = re.compile(r"[A-Za-z][A-Za-z'\u2019-]*\Z")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_DAYS = _words("monday tuesday wednesday thursday friday saturday sunday")
_MONTHS = _words(
    "january february march april may june july august september october november december"
)
_PARTS_OF_DAY = _words("morning afternoon evening")
_HAS = _words("has had owns owned")
_BEGINS = _words("starts started begins began")
_ADVERBS = _words("then also later next finally first afterwards")
_MORE = _words("more extra additional new")
_PLACES = _words("to from at in on for with during near by inside into")
_NO_PLACE = _words(
    """one two three four five six seven eight nine ten eleven twelve dozen dozens hundred thousand pair pairs
    each every everyone per all rest remaining remainder half third quarter twice thrice double triple times
    than as same other others another left who which that whose if unless until while more less fewer any both
    amount number total none nothing everything percent price cost before after again instead except but or so
    because when since without not no never has have had was were is are"""
)
"""Words that make the effect of a deed depend on something else, or begin another clause."""
_NO_NAME = (
    _DAYS | _MONTHS | _NO_PLACE | _ADVERBS | {"he", "she", "it", "they", "everybody", "there"}
)
_ENDS = (
    "now", "left", "left over", "now left", "left now", "in the end", "at the end", "altogether", "in all",
    "in total", "after that", "after this", "at the end of the day", "at the end of the week",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One gain or loss, from its verb up to its day: "gives 3 to Ana"."""

    start: int
    end: int
    """Where it stands in the text."""
    change: int
    """Signed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A story that was read to its last word."""

    amount: int
    """What there is before the first deed."""
    amount_at: int
    """Where its number stands in the text."""
    deeds: tuple[Deed, ...]
    """In the order of the text."""

    @property
    def answer(self) -> int:
        """Returns what is left in the end."""
        return self.amount + sum(deed.change for deed in self.deeds)

    def stays_possible(self, changes: Sequence[int], *, amount: int | None = None) -> bool:
        """Returns whether such changes, in this order, never leave less than nothing."""
        start = self.amount if amount is None else amount
        return min(accumulate(changes, initial=start)) >= 0


@lru_cache(maxsize=4_096)
def read_story(text: str) -> Story | None:
    """Reads a text as a story of at least one deed, or returns None. It never raises; its time is linear."""
    if len(text) > LONGEST_STORY:
        return None  # remembered stories are short, too
    tokens = list(_TOKEN.finditer(text))
    for token, following in pairwise(tokens):
        touch = token.end() == following.start()
        if touch and following[0] not in (".", ",", ";", "?"):
            return None  # 3.5, 5%, 3/4, 2x
    try:
        story = _Reader(tokens).story()
    except _NotAStory:
        return None
    changes = [deed.change for deed in story.deeds]
    return story if story.stays_possible(changes) else None


class _NotAStory(Exception):
    """The grammar has no rule for what comes next."""


class _Reader:
    """Goes through the tokens once, from left to right."""

    def __init__(self, tokens: Sequence[re.Match[str]]) -> None:
        self._tokens = tokens
        self._at = 0
        self._subjects: set[str] = set()
        self._pronoun: str | None = None
        self._thing: tuple[str, ...] = ()
        self._tense: str | None = None

    def story(self) -> Story:
        """The whole text."""
        self._first_subject()
        amount_at, amount = self._start()
        deeds: list[Deed] = []
        while True:
            opens_sentence = self._separator()
            if opens_sentence and self._peek() == "how":
                break
            deeds.append(self._clause(opens_sentence))
        if not deeds:
            raise _NotAStory
        self._question()
        return Story(amount=amount, amount_at=amount_at, deeds=tuple(deeds))

    # Words ------------------------------------------------------------------------------------

    def _text(self, ahead: int = 0) -> str:
        at = self._at + ahead
        return self._tokens[at][0] if at < len(self._tokens) else ""

    def _peek(self, ahead: int = 0) -> str:
        return self._text(ahead).lower()

    def _take(self, *wanted: str) -> bool:
        """Takes these words if they come next."""
        if all(self._peek(ahead) == word for ahead, word in enumerate(wanted)):
            self._at += len(wanted)
            return True
        return False

    def _word(self) -> str:
        text = self._peek()
        if not _WORD.match(text):
            raise _NotAStory
        self._at += 1
        return text

    def _number(self) -> tuple[int, int]:
        """Where it stands, and its value."""
        token = self._text()
        is_money = self._thing == ("$",)
        if not _NUMBER.match(token) or token.startswith("$") != is_money:
            raise _NotAStory
        at = self._tokens[self._at].start()
        self._at += 1
        return at, int(token.lstrip("$").replace(",", ""))

    # The first sentence -------------------------------------------------------------------------

    def _first_subject(self) -> None:
        """A name, or "A shop"."""
        if self._peek() in ("a", "an", "the"):
            self._at += 1
            self._subjects = {f"the {self._word()}"}
            return
        name = self._text()
        if not name.istitle() or name.lower() in _NO_NAME:
            raise _NotAStory
        self._subjects = {self._word()}

    def _start(self) -> tuple[int, int]:
        verb = self._word()
        if not (verb in _HAS or (verb in _BEGINS and self._take("with"))):
            raise _NotAStory
        if self._text().startswith("$"):
            self._thing = ("$",)
            found = self._number()
        else:
            found = self._number()
            words = [self._word()]
            if _WORD.match(self._peek()) and self._peek() not in _PLACES | {"and"}:
                words.append(self._word())
            self._thing = tuple(words)
            if not _NO_PLACE.isdisjoint(words) or not words[-1].endswith("s") or words[-1] in VERBS:
                raise _NotAStory
        self._place()
        return found

    # Deeds ----------------------------------------------------------------------------------------

    def _separator(self) -> bool:
        """What stands between two clauses; whether a sentence begins after it."""
        if self._take("."):
            return True
        found = self._take(";") or self._take(",")
        found = self._take("and") or found
        if not found:
            raise _NotAStory
        return False

    def _clause(self, opens_sentence: bool) -> Deed:
        self._when()
        has_subject = self._subject()
        if opens_sentence and not has_subject:
            raise _NotAStory
        if self._peek() in _ADVERBS:
            self._at += 1
        start = self._tokens[self._at].start() if self._at < len(self._tokens) else 0
        verb = VERBS.get(self._text())
        if verb is None or self._tense not in (None, verb.tense):
            raise _NotAStory
        self._tense = verb.tense
        self._at += 1
        if self._peek() in PARTICLES:
            self._at += 1
        _, number = self._number()
        self._object()
        self._place()
        end = self._tokens[self._at - 1].end()
        self._time()
        return Deed(start=start, end=end, change=verb.sign * number)

    def _when(self) -> None:
        """On Monday, | Then | The next day,"""
        if self._take("the", "next", "day") or self._take("after", "that") or self._time():
            self._take(",")
        elif self._peek() in _ADVERBS:
            self._at += 1
            self._take(",")

    def _subject(self) -> bool:
        word = self._peek()
        if word in ("he", "she", "it") and self._pronoun in (None, word):
            self._pronoun = word
            self._at += 1
            return True
        if word in self._subjects:
            self._at += 1
            return True
        if f"{word} {self._peek(1)}" in self._subjects:
            self._at += 2
            return True
        return False

    def _object(self) -> None:
        """More | more apples | of them | of his apples"""
        if self._peek() in _MORE:
            self._at += 1
        if self._take("of", "them"):
            return
        if self._peek() == "of" and self._peek(1) in ("his", "her", "its", "the", "these"):
            self._at += 2
            if not self._take_thing():
                raise _NotAStory
            return
        self._take_thing()

    def _take_thing(self) -> bool:
        """The thing, with or without the adjective that it has at first."""
        return self._take(*self._thing) or self._take(self._thing[-1])

    def _place(self) -> None:
        """To Ana | from his old friend | at the big market; and no number, clause or comparison."""
        while self._peek() in _PLACES and not self._is_time():
            self._at += 1
            words = 0
            while _WORD.match(self._peek()) and self._peek() != "and":
                if self._peek() in _PLACES:
                    break
                if self._peek() in _NO_PLACE or self._peek() in VERBS:
                    raise _NotAStory
                self._at += 1
                words += 1
            if not 1 <= words <= 4:
                raise _NotAStory

    def _is_time(self) -> bool:
        at = self._at
        found = self._time()
        self._at = at
        return found

    def _time(self) -> bool:
        """On Monday | on Monday morning | in March | in the morning"""
        if self._peek() == "on" and self._peek(1) in _DAYS:
            self._at += 3 if self._peek(2) in _PARTS_OF_DAY else 2
            return True
        if self._peek() == "in" and self._peek(1) in _MONTHS:
            self._at += 2
            return True
        if self._peek() == "in" and self._peek(1) == "the" and self._peek(2) in _PARTS_OF_DAY:
            self._at += 3
            return True
        return False

    # The question -------------------------------------------------------------------------------

    def _question(self) -> None:
        """How many apples does he have now? | How many apples are left?"""
        self._at += 1
        if self._thing == ("$",):
            asked = self._take("many", "dollars") or self._take("much", "money")
        else:
            asked = self._take("many") and self._take_thing()
        if not asked:
            raise _NotAStory
        now = True
        if self._take("are", "left"):
            pass
        elif self._peek() in ("does", "did"):
            now = self._word() == "does"
            if not self._subject() or not self._take("have"):
                raise _NotAStory
        else:
            raise _NotAStory
        tail = []
        while _WORD.match(self._peek()):
            tail.append(self._word())
        end = " ".join(tail)
        if end not in _ENDS and not (end == "" and now):
            raise _NotAStory
        if not self._take("?") or self._at != len(self._tokens):
            raise _NotAStory
