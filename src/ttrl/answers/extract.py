r"""Extracts the answer of a completion as spelled, or None: no answer is a value.

A guess by the last number in the text is off by default: it invents votes. Completions are hostile
input (a policy in training writes anything), so every scan is linear and looks at the end only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

BOX_WINDOW = 200_000
MARK_WINDOW = 4_096
MARK_LIMIT = 64

_THINK, _END_THINK = "<think>", "</think>"

_BOX = re.compile(r"\\(?:boxed|fbox)")
_BOX_TOKEN = re.compile(
    r"""\\(?:boxed|fbox)\s*+(?:
            (?P<box>\{)
          | (?P<digits>[0-9]++)(?=[\s$}]|\\[)\]]|[.,](?![0-9])|\Z)   # \boxed 5
        )
      | (?P<open>\{)
      | (?P<close>\})
      | \s++
      | (?P<content>\\\\(?!boxed|fbox)|\\[{}]|[^{}\\]++|\\)           # \\boxed{5} is read as a box
    """,
    re.VERBOSE,
)
# What makes a mark of a word such as "answer": a colon or "is", after closing quotes or stars.
SAYS = r"""["'`*_]*+[ \t]*+(?:[:\uff1a]|is\b(?![ \t]+not\b)[ \t]*+:?)"""
SAYS_IN_CHINESE = (
    r"""["'`*_]*+[ \t]*+(?:[:\uff1a]|"""
    r"""[\u5e94\u61c9\u5c31]?[\u662f\u4e3a\u70ba](?!\u5426|\u4e0d\u662f)[ \t]*+[:\uff1a]?)"""
)
_MARK = re.compile(
    rf"""(?P<hashes>(?<!\#)\#{{4}}(?!\#))
      | <answer>
      | (?<![^\W_])answer{SAYS}
      | (?m:^)[ \t\#>*_]*+(?:the[ \t]++)?+(?:final[ \t]++)?+answer[*_]*+[ \t]*+(?:[=\u2013\u2014]|-[ \t])
      | \bfinal[ \t]++answer[*_]*+[ \t]*+(?=\r?\n)    # a heading
      | \u7b54\u6848{SAYS_IN_CHINESE}
    """,
    re.VERBOSE | re.IGNORECASE,
)
_SENTENCE_END = re.compile(
    r"\.\s|\u3002|</answer>|,? because\b|[,\uff0c]? ?\u56e0[\u4e3a\u70ba]", re.IGNORECASE
)
_DISPLAY = re.compile(r"\\[\[\]](?<!\\\\.)")
_BOLD = re.compile(r"(?<![\w)])\*\*([^*]++)\*\*(?!\w)")  # 2**3**4 is none
_COMMAND = re.compile(r"\\[A-Za-z]+")
_DECORATION = " \t\r*_`\"'\u2018\u2019\u201c\u201d$"

_DIGITS = r"(?:[0-9]{1,3}+(?:,[0-9]{3}(?![0-9]))++|[0-9]++)(?:\.[0-9]++)?+"
_NUMBER = re.compile(
    rf"""(?<![A-Za-z0-9_.^/])(?<![0-9]:)(?<!\^\{{)
         (?:(?<![\w)\]}}])[-+\u2212](?:\\?\$)?+)?+
         (?:\\[dt]?frac\{{[0-9]++\}}\{{[0-9]++\}}
          | {_DIGITS}(?:\ ?/\ ?{_DIGITS}|[eE][-+]?[0-9]++)?+
          | \.[0-9]++)
         (?:\ ?\\?%)?+(?!/|st|nd|rd|th)""",
    re.VERBOSE,
)


def extract_answer(text: str, *, truncated: bool, last_number: bool = False) -> str | None:
    """Finds the answer outside of the reasoning: the last box, else a marked answer.

    Args:
        truncated: the text was cut at the length limit. Then only a complete box is an answer,
            since what follows a marker may have lost its end.
        last_number: without box and mark, guess the last number of a text that was not cut. It
            invents votes: completions that answer nothing agree on whatever number they mention.
    """
    text = strip_reasoning(text)
    if truncated:  # a cut "\boxed 12" may have been 123, a cut "\boxed 5." 5.2
        return extract_boxed(text.rstrip("0123456789.,"))
    answer = extract_boxed(text) or extract_marked(text)
    return extract_last_number(text) if answer is None and last_number else answer


def strip_reasoning(text: str) -> str:
    """Removes <think>...</think>. An unclosed <think> takes the rest with it.

    A lone </think> ends reasoning that was opened in the prompt, as some chat templates do: all
    before it goes.
    """
    kept = []
    end = 0
    while (start := text.find(_THINK, end)) >= 0:
        kept.append(text[end:start])
        close = text.find(_END_THINK, start)
        end = len(text) if close < 0 else close + len(_END_THINK)
    kept.append(text[end:])
    return "".join(kept).rpartition(_END_THINK)[2]


def extract_boxed(text: str) -> str | None:
    r"""Returns the content of the last complete \boxed{...} or \fbox{...} that is not empty.

    The last one is the one that opens last: `\boxed{\boxed{3}}` is 3, and a box left open earlier
    does not swallow a good one. Escaped braces do not count as braces. A box that opens before the
    last BOX_WINDOW characters is not seen.
    """
    text = text[-BOX_WINDOW:]
    first = _BOX.search(text)
    if first is None:
        return None
    opened: list[int] = []  # where the content of each open brace starts; -1 for those of no box
    last_content = -1
    best = (-1, -1)
    for token in _BOX_TOKEN.finditer(text, first.start()):
        kind = token.lastgroup
        if kind == "box":
            opened.append(token.end())
        elif kind == "open":
            opened.append(-1)
        elif kind == "close":
            start = opened.pop() if opened else -1
            if best[0] < start <= last_content:
                best = (start, token.start())
        elif kind is not None:
            last_content = token.start()
            if kind == "digits":
                best = token.span("digits")
                last_content = best[0]
    return text[slice(*best)].strip() if best[0] >= 0 else None


def extract_marked(text: str) -> str | None:
    """Returns what follows the last `####` (GSM8K), `<answer>`, "answer is" or "answer:" on its line.

    The marks of Chinese texts count too. If nothing else stands on the line, the next one is the
    answer, provided that it is a bare value: no words and no equation, since those may be the start
    of a solution. A `####` line with words is a markdown heading, and an open or empty box is no
    answer.
    """
    for mark, line, below in lines_after(_MARK, text):
        answer = first_sentence(line)
        is_value = not mark["hashes"] or not _has_words(line)
        if not answer and not mark["hashes"]:
            answer = undecorated(below)
            is_value = "=" not in below and not _has_words(below)
        if answer and is_value and not has_box(answer):
            return answer
    return None


def lines_after(mark: re.Pattern[str], text: str) -> Iterator[tuple[re.Match[str], str, str]]:
    r"""Yields the last marks in reverse, each with the rest of its line and the next line that says anything.

    That line is only looked for if the mark ends its own, and is "" otherwise.
    """
    text = _DISPLAY.sub("", text[-MARK_WINDOW:])
    for found in reversed(list(mark.finditer(text))[-MARK_LIMIT:]):
        line, _, rest = text[found.end() :].partition("\n")
        below = ""
        if not undecorated(line):
            below = next((line for line in rest.split("\n") if undecorated(line)), "")
        yield found, line, below


def extract_last_number(text: str) -> str | None:
    r"""Returns the last integer, decimal, a/b or \frac{a}{b} near the end, with its sign and percent sign.

    Exponents, dates, times and ordinals are no numbers here.
    """
    numbers = [number[0] for number in _NUMBER.finditer(text, max(0, len(text) - MARK_WINDOW))]
    return numbers[-1] if numbers else None


def has_box(text: str) -> bool:
    """Returns whether the text has a box. After a mark it is open or empty, which is no answer."""
    return _BOX.search(text) is not None


def first_sentence(line: str) -> str:
    """Cuts the line at the end of its first sentence or at a "because", and removes decorations around it."""
    return undecorated(_SENTENCE_END.split(_BOLD.sub(r"\1", line), maxsplit=1)[0])


def undecorated(text: str) -> str:
    """Removes markdown stars, quotes, dollar signs and one final period around the text."""
    text = text.strip(_DECORATION)
    if text.endswith(("\u3002", ".")) and not text.endswith(".."):
        text = text[:-1]
    return text.strip(_DECORATION)


def _has_words(line: str) -> bool:
    return any(c.isalpha() for c in _COMMAND.sub("", line))
