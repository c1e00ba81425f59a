"""A view of a multiple-choice question: its options in another order.

    (A) a cat (B) a dog (C) a hen        B of the view is C of the question
    (A) a dog (B) a hen (C) a cat

In a question and its first n - 1 views every option stands once at each letter (the rotations of an order
are a Latin square), so that a liking for a letter cannot elect an answer.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from ttrl.answers.choice import find_options, own_letter
from ttrl.types import Question, Task, View

_FORMS = ("({}) {}", "{}. {}", "{}) {}", "{}: {}", "[{}] {}")
"""Ways to list an option on a line of its own; the first is that of `data/questions.py:with_options`."""
_OTHERS = re.compile(
    r"""(?i:\b(?:above|below|preceding|previous|former|latter|others?)\b
      | \A\W*(?:all|none|both|neither|either|any|only)\b
      | \bof\s+(?:the\s+)?(?:these|those|following|options|choices|answers)\b)
      | \b[A-Z]\s*(?:,|/|&|\b(?:and|or|nor)\b)\s*\(?[A-Z]\b
      | \([A-Z]\) | \b[A-Z]\s+only\b | \A\W*[A-Z]\W*\Z""",
    re.VERBOSE,
)
"""Options that may speak of another one by its letter or its place."""
_LETTERS = re.compile(
    r"\([A-Z]\)|\b(?:options?|choices?|answers?|alternatives?)\s+\(?[A-Z]\b"
    r"|\b(?:first|second|third|fourth|fifth|last)\s+(?:option|choice|answer|alternative)"
)
"""Questions that may speak of an option by its letter or its place."""


class _Listed(NamedTuple):
    stem: str
    """The question up to its list."""
    form: str

    def with_order(self, options: Sequence[str]) -> str:
        return self.stem + _lines(options, self.form)


def permuted_options(
    question: Question, *, task: Task, place: int, rng: random.Random
) -> View | None:
    """Returns the question with its options in another order, or None if that is not sure to be the same.

    Its text must end with the list of its options, one on a line, and no option may be one that could
    speak of another ("all of the above", "both A and C").
    """
    options = question.options or find_options(question.prompt)
    listed = _listed(question.prompt, options)
    if listed is None:
        return None
    n = len(options)
    turned = [(slot + place + 1) % n for slot in range(n)]
    order = turned if place < n - 1 else rng.sample(range(n), n)
    shown = tuple(options[old] for old in order)
    prompt = listed.with_order(shown)
    if find_options(prompt) != shown:
        return None
    asked = replace(question, prompt=prompt, options=shown if question.options else ())
    return View(question=asked, restore=lambda answer: own_letter(answer, order, shown))


def _listed(prompt: str, options: Sequence[str]) -> _Listed | None:
    if len(set(options)) < max(2, len(options)) or find_options(prompt) != tuple(options):
        return None
    for form in _FORMS:
        lines = _lines(options, form)
        stem = prompt.removesuffix(lines)
        if stem != prompt and stem.strip() and stem.endswith("\n"):
            speaks = _LETTERS.search(stem) or any(map(_OTHERS.search, options))
            return None if speaks else _Listed(stem, form)
    return None


def _lines(options: Sequence[str], form: str) -> str:
    letters = (chr(ord("A") + place) for place in range(len(options)))
    return "\n".join(form.format(*pair) for pair in zip(letters, options, strict=True))
