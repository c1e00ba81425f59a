"""Copies of a question with another number in it, which a model that reads its question answers otherwise."""

from __future__ import annotations

import random
import re
from dataclasses import replace

from ttrl.seeding import derive_seed
from ttrl.types import NUMERIC_TASKS, Question, Task

_NUMBER = re.compile(r"(?<![\w.,:])(?!0\d)\d{1,9}(?![\w:]|[.,]\d)", re.ASCII)
"""No part of a decimal, a time or a ratio, and not 007, which names something."""


_NEAREST = 5


def changed_questions(question: Question, *, task: Task, count: int, seed: int) -> list[Question]:
    """Returns up to `count` copies of a question, each with a different one of its whole numbers changed.

    The new number is at most 5 away and has as many digits. A question with fewer numbers gives fewer
    copies; one whose answer need not be a function of its numbers gives none.
    """
    if task.for_question(question).name not in NUMERIC_TASKS:
        return []
    text = question.prompt
    places = list(_NUMBER.finditer(text))
    rng = random.Random(derive_seed(seed, "change", question.id))
    found = []
    for i, place in enumerate(rng.sample(places, min(count, len(places)))):
        if not (near := _near(place.group())):
            continue
        new = rng.choice(near)
        changed = text[: place.start()] + new + text[place.end() :]
        found.append(replace(question, id=f"{question.id}~{i}", prompt=changed))
    return found


def _near(digits: str) -> list[str]:
    number, width = int(digits), len(digits)
    low, high = (10 ** (width - 1) if width > 1 else 1), 10**width - 1
    near = range(max(low, number - _NEAREST), min(high, number + _NEAREST) + 1)
    return [str(other) for other in near if other != number]
