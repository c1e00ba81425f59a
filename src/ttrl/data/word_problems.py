"""The embedded questions: generated word problems in plain English.

    Tom has 8 apples. He buys 15 on Monday, loses 3 on Tuesday and finds 12 on Wednesday.
    How many apples does he have now?

The difficulty is the number of days. Questions are a pure function of (seed, kind, difficulty, index).
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from ttrl.errors import DataError
from ttrl.seeding import derive_seed
from ttrl.types import Question

Kind = Literal["chain", "boxes"]
Split = Literal["unlabeled", "heldout", "pretrain"]

NAMES = (
    ("Tom", "He"), ("Ana", "She"), ("Ben", "He"), ("Mia", "She"), ("Sam", "He"), ("Eva", "She"),
    ("Max", "He"), ("Zoe", "She"), ("Leo", "He"), ("Amy", "She"), ("Dan", "He"), ("Ida", "She"),
)  # fmt: skip
THINGS = (
    "apples", "coins", "books", "cards", "shells", "pens", "stamps", "eggs",
    "nuts", "plums", "beads", "balls",
)  # fmt: skip
GAINS = ("buys", "finds", "gets", "wins", "picks")
LOSSES = ("loses", "sells", "uses", "drops", "lends")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
LARGEST, LARGEST_TOTAL = 20, 99


@dataclass(frozen=True, slots=True, kw_only=True)
class WordProblem:
    """A question and what solves it. Only tests, recipes and the evaluation look inside."""

    question: Question
    start: int
    changes: tuple[int, ...]
    """Signed changes per day, in the order of the text."""
    answer: int


def chain_problem(rng: random.Random, *, events: int, id: str = "") -> WordProblem:
    """Draws a story with a gain or a loss of 1 to 20 a day.

    The total never falls below 0, and the start and all gains together are at most 99.

    Args:
        events: the number of days, 1 to 7.
    """
    while True:
        start = rng.randint(1, LARGEST)
        changes = tuple(rng.choice((1, -1)) * rng.randint(1, LARGEST) for _ in range(events))
        totals = list(accumulate(changes, initial=start))
        if min(totals) >= 0 and start + sum(c for c in changes if c > 0) <= LARGEST_TOTAL:
            break
    name, pronoun = rng.choice(NAMES)
    thing = rng.choice(THINGS)
    deeds = [
        f"{rng.choice(GAINS if change > 0 else LOSSES)} {abs(change)} on {day}"
        for day, change in zip(DAYS, changes, strict=False)
    ]
    story = deeds[0] if events == 1 else ", ".join(deeds[:-1]) + " and " + deeds[-1]
    prompt = (
        f"{name} has {start} {thing}. {pronoun} {story}. "
        f"How many {thing} does {pronoun.lower()} have now?"
    )
    return WordProblem(
        question=Question(id=id, prompt=prompt), start=start, changes=changes, answer=totals[-1]
    )


def boxes_problem(rng: random.Random, *, id: str = "") -> WordProblem:
    """Draws a multiplication story, a kind that the embedded model has never seen solved."""
    while True:
        boxes, each, lost = rng.randint(3, 9), rng.randint(3, 9), rng.randint(1, 9)
        answer = boxes * each - lost
        if answer not in (boxes + each + lost, boxes + each - lost):
            break
    name, pronoun = rng.choice(NAMES)
    thing = rng.choice(THINGS)
    prompt = (
        f"{name} has {boxes} boxes of {each} {thing}. {pronoun} loses {lost} on Monday. "
        f"How many {thing} does {pronoun.lower()} have now?"
    )
    return WordProblem(
        question=Question(id=id, prompt=prompt), start=boxes * each, changes=(-lost,), answer=answer
    )


def word_problems(
    *, kind: Kind, split: Split, count: int, seed: int, difficulty: int = 1
) -> list[WordProblem]:
    """Makes `count` distinct problems. Splits never share a question, nor even the numbers of one.

    Args:
        difficulty: the number of days; "boxes" has one difficulty only and ignores it.

    Raises:
        DataError: there seem to be fewer.
    """
    found: dict[str, WordProblem] = {}
    index = newest = 0
    while len(found) < count:
        if index - newest > 5000:
            raise DataError(
                f"{count} different {kind} problems of difficulty {difficulty} were asked for; there seem to "
                f"be no more than {len(found)}. Ask for fewer (limit) or raise the difficulty."
            )
        id = f"{kind}-{split}-{len(found):04d}"
        rng = random.Random(derive_seed(seed, "word-problem", kind, split, difficulty, index))
        index += 1
        if kind == "boxes":
            problem = boxes_problem(rng, id=id)
        else:
            problem = chain_problem(rng, events=difficulty, id=id)
        if split_of(problem) == split and problem.question.prompt not in found:
            found[problem.question.prompt], newest = problem, index
    return list(found.values())


def split_of(problem: WordProblem) -> Split:
    """Returns the split of a problem, by a hash of its numbers alone, regardless of seed and wording."""
    numbers = derive_seed("split", problem.start, *problem.changes)
    return ("unlabeled", "unlabeled", "heldout", "pretrain")[numbers % 4]
