"""Spellings of answers of many kinds, and whole completions: what the oracle of keys is asked.

Used when the reference is made anew; the reference holds the texts themselves, so that a change
here, or of Python's generator, changes no reference.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.fuzz import LABELLED, completion

EACH = 1_200
"""Spellings of each kind."""
FUZZED = 6_500
OPTIONS = ("3 m", "4 m", r"\frac{1}{2} m", "none of these")
LABELS = ("spam", "ham", "not spam")
EXACT_REWARDS = ("agreement", "majority", "soft", "selective", "confidence", "random", "format")
SIMILAR_REWARDS = ("agreement", "similarity", "medoid", "threshold", "soft", "random", "confidence")
Completion = tuple[str, bool]
"""A text, and whether it was cut."""

MATHEMATICS = (
    "number", "fraction", "interval", "set", "root", "percentage", "unit", "expression", "function", "word",
)  # fmt: skip
SLOW = ("function", "root", "expression")
WORDS = {
    "x": "xyabn", "y": "xyabn", "f": "fgh", "F": "FGH", "c": "ABCDEabF", "o": OPTIONS,
    "u": ("cm", "m", "km", "kg", "g", "s", "hours", "m/s", "cm^2", "square feet", "degrees", "apples"),
    "w": ("sky", "cat", "light", "river", "bridge", "question", "tail", "blue", "vote"),
    "W": ("Light", "NOBODY", "A cat", "Rivers", "SPAM", "Ham"),
    "v": ("scatters", "follows", "sees", "is", "answers", "crosses"),
    "l": (*LABELS, "Spam", "HAM", "eggs"),
}  # fmt: skip


def labelled(name: str) -> list[dict[str, Any]]:
    """The rows of a file of the labelled suite."""
    return [json.loads(line) for line in (LABELLED / name).read_text("utf-8").splitlines()]


def filled(form: str, chooser: random.Random) -> str:
    """The form with numbers and words: <n> any sign, <p> above 0, <d> and <k> one digit."""

    def value(place: re.Match[str]) -> str:
        name = place[1]
        if name in WORDS:
            return chooser.choice(WORDS[name])
        if name in "dk":
            return str(chooser.randint(1, 9))
        largest = 10 ** chooser.choice((1, 2, 2, 4))
        return str(chooser.randint(1 if name == "p" else -largest, largest))

    return re.sub("<([a-zA-Z])>", value, form)


@cache
def forms() -> dict[str, list[str]]:
    """The forms of each kind."""
    found: dict[str, list[str]] = {}
    for line in (Path(__file__).parent / "forms.txt").read_text("utf-8").splitlines():
        if kind := re.fullmatch(r"\[([a-z]+)\]", line):
            of_kind = found.setdefault(kind[1], [])
        elif not line.startswith("# "):
            of_kind.append(line.replace("\N{PILCROW SIGN}", "\n"))
    return found


def spellings(seed: int = 0) -> list[str]:
    """Different answers as models spell them: labelled, made by kind, and mutated."""
    chooser = random.Random(seed)
    known = _known()
    made = [text for kind in MATHEMATICS for text in _made(kind, EACH, chooser)]
    fuzzed = [_unboxed(completion(chooser, known)) for _ in range(FUZZED)]
    blank = ["", " ", r"\boxed{}", "$$", "?", r"\text{}", "None"]
    return _different([*known, *blank, *made, *fuzzed])


def slow_spellings(seed: int = 1) -> list[str]:
    """Answers with functions, roots and sums, which computer algebra may be asked about."""
    chooser = random.Random(seed)
    return _different([*_known(), *(text for kind in SLOW for text in _made(kind, 200, chooser))])


def free_answers(seed: int = 2) -> dict[str, list[str]]:
    """By task: labels, texts and programs."""
    chooser = random.Random(seed)
    return {task: _different(_made(task, 500, chooser)) for task in ("label", "text", "code")}


def groups(
    seed: int = 3, *, each: int = 90, size: int = 12
) -> list[tuple[str, str, list[Completion]]]:
    """(task, reward, completions) to vote on, and those of the labelled suite one by one."""
    chooser, known = random.Random(seed), _known()
    found: list[tuple[str, str, list[Completion]]] = []
    kinds: dict[str, Sequence[str]] = {
        "math": MATHEMATICS, "number": ("number", "percentage", "unit", "fraction"),
        "choice": ("choice",), "label": ("label",), "text": ("text",), "code": ("code",),
    }  # fmt: skip
    for task, of_task in kinds.items():
        rewards = SIMILAR_REWARDS if task in ("text", "code") else EXACT_REWARDS
        for index in range(each):
            answers = [_made(chooser.choice(of_task), 1, chooser)[0] for _ in range(size)]
            texts = [_written(answer, task, chooser, known) for answer in answers]
            texts += chooser.choices(texts, k=size // 2)  # so that some agree
            completions = [(text, chooser.random() < 0.05) for text in texts if _is_plain(text)]
            found.append((task, rewards[index % len(rewards)], completions))
    for name, task in (("extractions.jsonl", "math"), ("choices.jsonl", "choice")):
        single = [(row["text"], row["truncated"]) for row in labelled(name)]
        found += [(task, "agreement", [each]) for each in single if _is_plain(each[0])]
    return found


def _known() -> list[str]:
    return [row[side] for row in labelled("pairs.jsonl") for side in ("a", "b")]


def _made(kind: str, count: int, chooser: random.Random) -> list[str]:
    every = forms()[kind]
    return [filled(chooser.choice(every), chooser) for _ in range(count)]


def _written(answer: str, task: str, chooser: random.Random, known: list[str]) -> str:
    """A completion around an answer, or scraps."""
    if task == "text":
        return answer
    if task == "code":
        blocks = (
            "```python\n{}\n```",
            "Here:\n```\n{}\n```\nDone.",
            "{}",
            "<think>{}</think>```python\n{}",
        )
        return chooser.choice(blocks).replace("{}", answer)
    if chooser.random() < 0.2:
        return completion(chooser, known)
    marks = (
        r"So \boxed{@}",
        "The answer is @.",
        "#### @",
        r"\boxed{@} so",
        "@",
        r"\boxed{1} or \boxed{@}",
    )
    return chooser.choice(marks).replace("@", answer)


def _unboxed(text: str) -> str:
    for before, after in ((r"Let me think. \boxed{", "}"), ("So the answer is ", ".")):
        if text.startswith(before) and text.endswith(after):
            return text[len(before) : -len(after)]
    return text


def _different(texts: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(filter(_is_plain, texts)))


def _is_plain(text: str) -> bool:
    """Whether a file of UTF-8 can hold it."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
