r"""From the text of a completion to its answer as spelled, or None: no answer is a value.

There is no "last number in the text" guess: it would invent votes. Completions are hostile input (a
policy in training writes anything), so every scan is linear and looks at the end of the text only.
"""

from __future__ import annotations

import re

BOX_WINDOW = 200_000
MARK_WINDOW = 4_096

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
_MARK = re.compile(r"(?P<hashes>####)|\banswer\**[ \t]*(?:[:\uff1a]|is\b[ \t]*:?)", re.IGNORECASE)
_SENTENCE_END = re.compile(r"\.\s")
_COMMAND = re.compile(r"\\[A-Za-z]+")
_DECORATION = " \t\r*`\"'\u2018\u2019\u201c\u201d$"


def extract_answer(text: str, *, truncated: bool) -> str | None:
    """The answer outside of the reasoning: the last box, else a marked answer.

    Args:
        truncated: the text was cut at the length limit. Then only a complete box is an answer,
            since what follows a marker may have lost its end.
    """
    text = strip_reasoning(text)
    if truncated:
        return extract_boxed(text.rstrip("0123456789"))  # a cut "\boxed 12" may have been 123
    return extract_boxed(text) or extract_marked(text)


def strip_reasoning(text: str) -> str:
    """Without <think>...</think>. An unclosed <think> takes the rest with it.

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
    r"""Content of the last complete \boxed{...} or \fbox{...} that is not empty.

    The last one is the one that opens last: `\boxed{\boxed{3}}` is 3, and a box left open earlier
    does not swallow a good one. Escaped braces do not count as braces.
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
    """What follows the last `####` (GSM8K), "answer is" or "answer:" on its line.

    A `####` line with words is a markdown heading, and an open or empty box is no answer.
    """
    text = text[-MARK_WINDOW:]
    for mark in reversed(list(_MARK.finditer(text))):
        line = text[mark.end() :].partition("\n")[0]
        answer = _undecorated(_SENTENCE_END.split(line, maxsplit=1)[0])
        is_heading = mark["hashes"] and any(c.isalpha() for c in _COMMAND.sub("", line))
        if answer and not is_heading and r"\boxed" not in answer and r"\fbox" not in answer:
            return answer
    return None


def _undecorated(answer: str) -> str:
    """Without markdown stars, quotes, dollar signs and one final period around it."""
    answer = answer.strip(_DECORATION)
    if answer.endswith(".") and not answer.endswith(".."):
        answer = answer[:-1]
    return answer.strip(_DECORATION)
