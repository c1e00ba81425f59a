r"""Reads answers from a fixed set of labels, as in classification.

    ("t", "very positive")  a label by its folded spelling
    ("t", hash, size)       a long one, so that memory stays bounded

Labels are compared by spelling alone: "not positive" is neither "positive" nor any other label, and
no label is looked for inside of a sentence.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from ttrl.answers.extract import (
    SAYS,
    SAYS_IN_CHINESE,
    extract_answer,
    extract_boxed,
    first_sentence,
    has_box,
    lines_after,
    strip_reasoning,
    undecorated,
)
from ttrl.types import AnswerKey

FOLD_LIMIT = 1_000
"""Most characters of a text whose spelling is folded; longer ones are only squeezed and casefolded."""
LAST_LINE_WORDS = 5
"""Most words of a last line that counts as a label, not as a sentence."""

_MARK = re.compile(
    rf"""(?<![^\W_])(?:answer|label|category|class|classification|sentiment|prediction){SAYS}
      | <answer>
      | (?:\u7b54\u6848|\u6807\u7b7e|\u7c7b\u522b){SAYS_IN_CHINESE}             # answer, label, class
    """,
    re.VERBOSE | re.IGNORECASE,
)
_TEXT = re.compile(r"\\(?:text(?:bf|it|rm|sf|tt|normal)?|math(?:rm|bf|it|sf)|mbox) ?\{([^{}]*+)\}")
_TEXT_DEPTH = 3
_QUOTES = (('"', '"'), ("'", "'"), ("\u2018", "\u2019"), ("\u201c", "\u201d"))
_MATH = ((r"\(", r"\)"), (r"\[", r"\]"))


def extract_label(text: str, *, labels: Sequence[str], truncated: bool) -> str | None:
    """Returns the label that a completion names: in the last complete box, after a mark, or on the last line.

    Args:
        labels: the known labels. The result is one of them as listed there, or None; a box that
            holds none of them is not overruled by what stands elsewhere. Empty if the labels are
            not known: then the boxed or marked text counts, or a last line of at most five words.
        truncated: the text was cut at the length limit. Then only a complete box is an answer.
    """
    if truncated:
        box = extract_answer(text, truncated=True)
        return _listed([box], labels) if box else None
    text = strip_reasoning(text)
    if box := extract_boxed(text):
        return _listed([box], labels)
    if marked := _listed(_marked(text, whole_lines=bool(labels)), labels):
        return marked
    last_line = undecorated(text.rstrip().rpartition("\n")[2])
    if labels:
        return _listed([last_line, text], labels)
    is_short = len(last_line.split()) <= LAST_LINE_WORDS and not _MARK.search(last_line)
    return _listed([last_line], ()) if is_short else None


def label_key(answer: str) -> AnswerKey | None:
    """Returns the key of a label, or None if it says nothing. It never raises, whatever the string."""
    text = folded_text(answer)
    if len(text) <= FOLD_LIMIT:
        return ("t", text) if text else None
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16)
    return "t", digest.hexdigest(), len(text)


def folded_text(text: str) -> str:
    r"""Folds by NFKC and case, squeezes spaces, and removes \text, $, markdown, quotes and a last period."""
    text = " ".join(text.split())
    if len(text) > FOLD_LIMIT:
        return text.casefold()
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    for _ in range(_TEXT_DEPTH):
        text = _TEXT.sub(r"\1", text)
    text = " ".join(text.split())
    before = None
    while text != before:
        before = text
        text = text.strip(" $*`_")
        if text.endswith((".", "\u3002")) and not text.endswith(".."):
            text = text[:-1]
        for opening, closing in (*_QUOTES, *_MATH):
            inner = text[len(opening) : -len(closing)]
            if text == opening + inner + closing and closing not in inner:
                text = inner
    return text


def _marked(text: str, *, whole_lines: bool) -> Iterator[str]:
    """What follows each mark on its line, or stands alone on the next one; the last mark first."""
    for _, line, below in lines_after(_MARK, text):
        if whole_lines:
            yield undecorated(line)
        yield first_sentence(line)
        if len(below.split()) <= LAST_LINE_WORDS:
            yield undecorated(below)


def _listed(named: Iterable[str], labels: Sequence[str]) -> str | None:
    """The first text that is a label; the first that says anything if no labels are known."""
    listed: dict[str, str] = {}
    for label in labels:
        listed.setdefault(folded_text(label), label)
    listed.pop("", None)
    for text in named:
        folded = folded_text(text)
        if folded in listed:
            return listed[folded]
        if folded and not labels and not has_box(text):
            return text
    return None
