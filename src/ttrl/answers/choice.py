r"""Reads multiple choice: the options of a prompt, and which of them a completion names.

    ("c", "B")         the key of an answer: the upper-case letter of its option

A letter counts only where an answer is stated, and the English article is no letter: "The answer is
a strong acid" names nothing. Two letters, or a letter beside the text of another option, name none.
"""

from __future__ import annotations

import re
import string
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from ttrl.answers.extract import (
    SAYS,
    SAYS_IN_CHINESE,
    extract_answer,
    extract_boxed,
    first_sentence,
    lines_after,
    strip_reasoning,
)
from ttrl.answers.label import folded_text
from ttrl.types import AnswerKey

UNKNOWN_OPTIONS = 4
"""Number of options if they are unknown: A to D."""
LINE_LIMIT = 1_000
"""Most characters of a stated answer in which a letter is looked for."""


def extract_choice(text: str, *, options: Sequence[str], truncated: bool) -> str | None:
    """Returns the letter that a completion names in its last complete box, after a mark, or on its last line.

    Args:
        options: the texts of options A, B, ... in order; one of them in full names its letter.
            Empty if they are not known: then A to D are the letters.
        truncated: the text was cut at the length limit. Then only a complete box is an answer.
    """
    known = _Options.of(options)
    if truncated:
        box = extract_answer(text, truncated=True)
        return known.one(_boxed(box, known)) if box else None
    text = strip_reasoning(text)
    if box := extract_boxed(text):
        return known.one(_boxed(box, known))
    for _, line, below in lines_after(_MARK, text):
        if named := _stated(line, known) or _alone(below, known):
            return known.one(named)
    return known.one(_alone(text.rstrip().rpartition("\n")[2], known))


def choice_key(answer: str, options: Sequence[str]) -> AnswerKey | None:
    """Returns the key of an answer: a letter, as in "C", "(c)" or "C. text", or the text of one option.

    A bare upper-case letter, which is what extract_choice gives, is its own key in any case.
    """
    known = _Options.of(options)
    letter = known.one(answer) or known.one(_boxed(answer, known))
    return None if letter is None else ("c", letter)


def own_letter(answer: str, order: Sequence[int], options: Sequence[str] = ()) -> str | None:
    """Returns the letter in a question's own order of what was answered where options had another order.

    Args:
        answer: as for `choice_key`.
        order: `order[i]` is the own place, from 0, of the option that was shown at place i.
        options: their texts as shown, if they are known.

    Returns:
        None if the answer names none of them.
    """
    key = choice_key(answer, options or [""] * len(order))
    at = len(order) if key is None else ord(str(key[1])) - ord("A")
    return chr(ord("A") + order[at]) if at < len(order) else None


# What a stretch of text names: "B", or "BC" if it names two, or "" if it names nothing ----------

_DECORATION = r"[\s*_`\"'\u2018\u2019\u201c\u201d$]"
_COMMAND = r"\\(?:text(?:bf|it|rm|sf|tt|normal)?|math(?:rm|bf|it|sf)|mbox|boldsymbol|bm)\s*+\{"
_MARK = re.compile(
    rf"""(?:(?<![^\W_])answer
         | \b(?:correct|right|best|final)[ \t]++(?:option|choice)
         | \b(?:option|choice)(?=["'`*_]*+[ \t]*+[:\uff1a])
        ){SAYS}
      | <answer>
      | (?:\u7b54\u6848|\u6b63[\u786e\u78ba][\u9009\u9078]\u9879){SAYS_IN_CHINESE}      # answer, right option
      | (?:\u7b54\u6848|[\u6545\u5e94\u61c9])[\u9009\u9078][ \t]*+[:\uff1a]?          # so choose
    """,
    re.VERBOSE | re.IGNORECASE,
)
_LETTER = re.compile(
    rf"""(?:{_COMMAND}|{_DECORATION})*+
        (?:(?:the\s++)?+(?:(?:correct|right|best)\s++)?+
           (?:(?:options?|choice|letter|answer)(?![A-Za-z])|[\u9009\u9078]\u9879){_DECORATION}*+:?+)?+
        (?:{_COMMAND}|\\[(\[]|[(\[{{<]|{_DECORATION})*+
        (?P<letter>[A-Za-z])
        (?P<close>(?:\\[)\]]|[)\]}}*`"'\u2019\u201d$]|_(?![A-Za-z0-9{{]))*+)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_CLOSING_BRACKET = re.compile(r"[)\]}]")
_END = re.compile(
    r"""\s*+(?:\Z|[.!](?![a-z0-9]|[A-Z]\b)|[,;:\u3001\u2013\u2014]|<[|/]|-\s|[\u9879\u9009\u56e0])""",
    re.VERBOSE,
)
_WORD = re.compile(r"\s++(?![=+^*/<>\u00d7-])")
_NO_NOUN = re.compile(  # and so what stands before it is no article
    r"""\s++(?:
            (?:because|since|as|which|due|for|with|from|by|but|so|given|where|while|if)(?![\w-])
          | is\s++(?:the\s++)?(?:correct|right|best)\b
          | \([^()]*+\)\s*+(?:[.,;]|\Z)
        )""",
    re.VERBOSE,
)
_TEXT_FOLLOWS = re.compile(r"\s*+(?:[.:\u3001\u2013\u2014]|-\s)")
_SECOND = re.compile(
    rf"""(?:\s*+(?:[,/&+\u3001\u548c\u6216\u4e0e]|\b(?:and|or)\b)\s*+(?:(?:and|or)\b\s*+)?+(?:option\s++)?+
            (?:{_COMMAND}|[(\[*$])*+
          | \s*+(?:{_COMMAND}|[(\[])++
        )(?P<letter>[A-Za-z])(?![A-Za-z0-9'\u2019]|\s*+(?:[=+^/<>-]|\*(?!\*))|\s++[a-z])
    """,
    re.VERBOSE,
)
_NEXT_WORD = re.compile(r"\W*+\w++")
_AROUND_TEXT = " \t\r\n.:,;!*_`$)]}\u3001\u2013\u2014-"
_HALF_WIDTH = str.maketrans(
    {
        **{chr(ord(c) + 0xFEE0): c for c in string.ascii_letters + "().,:;[]!"},
        **dict(zip("\u3010\u3011\u3002", "[].", strict=True)),
    }
)


class _Options(NamedTuple):
    letters: str
    folded: tuple[str, ...]

    @classmethod
    def of(cls, options: Sequence[str]) -> _Options:
        letters = string.ascii_uppercase[: len(options) or UNKNOWN_OPTIONS]
        return cls(letters, tuple(map(folded_text, options)))

    def one(self, named: str) -> str | None:
        return named if len(named) == 1 and named in self.letters else None

    def with_text(self, text: str) -> str:
        """Returns the letters of the options that have this text."""
        folded = folded_text(text)
        pairs = zip(self.letters, self.folded, strict=False)
        return "".join(letter for letter, option in pairs if option and option == folded)

    def others_start_with(self, start: str, letter: str) -> bool:
        start = start.casefold()
        pairs = zip(self.letters, self.folded, strict=False)
        return any(option.startswith(start) for other, option in pairs if other != letter)


def _alone(text: str, options: _Options) -> str:
    """A letter in decorations and nothing else, or the text of an option and nothing else."""
    named = options.with_text(text)
    found = _letter(text)
    if found and not found.rest.strip(_AROUND_TEXT) and found.name not in named:
        named += found.name
    return named


def _boxed(text: str, options: _Options) -> str:
    """As alone, or a letter with a text, set apart by a bracket, period, colon or dash."""
    if named := _alone(text, options):
        return named
    found = _letter(text)
    if found and (found.is_bracketed or _TEXT_FOLLOWS.match(found.rest)):
        return _beside(found, options)
    return ""


def _stated(line: str, options: _Options) -> str:
    """What stands at the start of the line after a mark; text of an option fills the sentence."""
    if named := _alone(line, options):
        return named
    sentence = first_sentence(line)
    if len(sentence) > 1 and (named := options.with_text(sentence)):
        return named
    found = _letter(line)
    if found is None:
        return ""
    if found.is_lower and found.name in "AI" and not found.is_bracketed:
        return ""  # "a given", "a, well, good one": an article unless it stands alone
    may_be_article = found.is_lower or found.name in "AI"
    if (
        found.is_bracketed
        or _END.match(found.rest)
        or _NO_NOUN.match(found.rest)
        or (not may_be_article and _WORD.match(found.rest))
    ):
        return _beside(found, options)
    return ""


class _Letter(NamedTuple):
    name: str
    is_lower: bool
    is_bracketed: bool
    rest: str


def _letter(text: str) -> _Letter | None:
    """The letter at the start of a text, which may be the first one of a word."""
    text = text[:LINE_LIMIT].translate(_HALF_WIDTH)
    found = _LETTER.match(text)
    if found is None:
        return None
    letter = found["letter"]
    is_bracketed = bool(_CLOSING_BRACKET.search(found["close"]))
    return _Letter(letter.upper(), letter.islower(), is_bracketed, text[found.end() :])


def _beside(found: _Letter, options: _Options) -> str:
    """The letter and whatever else the text beside it names."""
    second = _SECOND.match(found.rest)
    if second and second["letter"].upper() in options.letters:
        return "".join({found.name, second["letter"].upper()})
    if not found.is_bracketed:
        word = _NEXT_WORD.match(found.rest)
        if word and options.others_start_with(found.name + word[0], found.name):
            return ""  # "B cells" is the text of an option, or the start of one
    text = found.rest.strip(_AROUND_TEXT)
    named = options.with_text(text) or options.with_text(first_sentence(text))
    return found.name if not named or found.name in named else found.name + named


# The options of a prompt ---------------------------------------------------------------------

_OPTION = re.compile(
    rf"""(?:(?<![A-Za-z\\^_*])(?:{_COMMAND})?+[*_]*+ (?P<open>[(\[])(?P<inner>[A-J])(?P<shut>[)\]])
          | (?<![^\s>|])(?:{_COMMAND})?+[*_]*+ (?P<bare>[A-J])[*_]*+
            (?P<close>[)\u3001]|[.:](?=[\s*_$\\}}|]|[^\x00-\x7f]|\Z))
        )[*_]*+\}}?+:?+""",
    re.VERBOSE,
)
_LINE_DECORATION = " \t>*_+-\u2022#$|"
_SPACING = re.compile(r"\\(?:q?quad(?![A-Za-z])|[ ,;])")
_OPENED_COMMAND = re.compile(rf"(?:{_COMMAND})\Z")
_JOINED = re.compile(r"[,;](?: (?:and|or))?\Z")
_NO_TEXT = frozenset({"", "and", "or", "and/or", "nor"})
_SHORT_LOOK = 64  # characters that tell whether a text is empty


class _Mark(NamedTuple):
    letter: str
    start: int
    end: int
    line_end: int


def find_options(prompt: str) -> tuple[str, ...]:
    """Returns the texts of the options A, B, ... up to J that a prompt lists, or () if it lists none.

    Known forms: (A), [A], A), A., A: and bold ones, all of one form, at the starts of lines or
    inline. The last list with at least two options counts. An option ends where the next one
    starts, the last one at the end of its line. Options inline are mentions if they stand within a
    list of lines: "(D) both (A) and (B)".
    """
    on_lines: dict[str, list[_Mark]] = defaultdict(list)
    anywhere: dict[str, list[_Mark]] = defaultdict(list)
    for form, is_first, mark in _option_marks(prompt.translate(_HALF_WIDTH)):
        anywhere[form].append(mark)
        if is_first:
            on_lines[form].append(mark)
    lines = _last_list(prompt, on_lines)
    inline = _last_list(prompt, anywhere)
    if lines and inline:
        is_longer = inline[0] == lines[0] and len(inline) > len(lines)
        chosen = inline if is_longer or inline[0].start > lines[-1].line_end else lines
    else:
        chosen = lines or inline
    ends = [mark.start for mark in chosen[1:]] + [_end(prompt, mark) for mark in chosen[-1:]]
    texts = (prompt[mark.end : end] for mark, end in zip(chosen, ends, strict=True))
    return tuple(map(_option_text, texts))


def _option_marks(prompt: str) -> Iterator[tuple[str, bool, _Mark]]:
    """Form, whether it starts its line, and place of everything that looks like an option."""
    start = 0
    while start < len(prompt):
        end = prompt.find("\n", start)
        end = len(prompt) if end < 0 else end
        is_first = True
        for found in _OPTION.finditer(prompt, start, end):
            is_first = is_first and not prompt[start : found.start()].strip(_LINE_DECORATION)
            form = found["close"] or found["open"] + found["shut"]
            letter = found["bare"] or found["inner"]
            mark = _Mark(letter, start if is_first else found.start(), found.end(), end)
            yield form, is_first, mark
            is_first = False
        start = end + 1


def _last_list(prompt: str, marks_of_forms: dict[str, list[_Mark]]) -> list[_Mark]:
    """The list A, B, ... that starts last; letters out of turn are passed over as mentions."""
    last: list[_Mark] = []
    for marks in marks_of_forms.values():
        lists: list[list[_Mark]] = []
        waiting: dict[str, list[_Mark]] = {}  # by the letter that comes next
        for mark in marks:
            current = [] if mark.letter == "A" else waiting.pop(mark.letter, None)
            if current is None:
                continue
            if not current:
                lists.append(current)
            current.append(mark)
            waiting[chr(ord(mark.letter) + 1)] = current
        good = (found for found in reversed(lists) if len(found) > 1 and _has_texts(prompt, found))
        found = next(good, [])
        if found and (not last or found[0].start > last[0].start):
            last = found
    return last


def _has_texts(prompt: str, marks: Sequence[_Mark]) -> bool:
    ends = [(one.end, other.start) for one, other in pairwise(marks)]
    last = marks[-1]
    ends.append((last.end, min(_end(prompt, last), last.end + _SHORT_LOOK)))
    return all(prompt[a:b].strip(" \t\r\n.,;?!*_").casefold() not in _NO_TEXT for a, b in ends)


def _end(prompt: str, last: _Mark) -> int:
    """Where the text of the last option ends: with its line, or the next one if that is empty."""
    if prompt[last.end : min(last.line_end, last.end + _SHORT_LOOK)].strip():
        return last.line_end
    end = prompt.find("\n", last.line_end + 1)
    return len(prompt) if end < 0 else end


def _option_text(text: str) -> str:
    text = " ".join(_SPACING.sub(" ", text).split())
    text = _JOINED.sub("", _OPENED_COMMAND.sub("", text).rstrip(" |"))
    for sign in ("$", "**"):
        if text.count(sign) % 2:
            text = text.removeprefix(sign).removesuffix(sign)
    return text.strip()
