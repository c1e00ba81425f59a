"""Copies of unlabeled questions with other numbers, to be trained on: nobody needs to know their answers.

Every free whole number of a question (`text_numbers.py`) becomes another one of as many digits out of the
same file. Equal numbers stay equal, and all keep their order of size, those that stay included. In a story
(`stories.py`) nothing falls below zero or above the most that a story of the file ever reaches.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import accumulate, count

from ttrl.data.number_changes import Pool, dealt, keeps_order, pool_of, rewritten
from ttrl.data.questions import same_text, texts_of
from ttrl.data.stories import Story, read_story
from ttrl.data.text_numbers import TextNumber, text_numbers
from ttrl.seeding import derive_seed
from ttrl.types import NUMERIC_TASKS, Question

TRIES = 60
"""Draws for one copy before it is given up."""


def perturbed_copies(
    questions: Sequence[Question],
    *,
    each: int,
    task: str,
    seed: int,
    known: Collection[Question],
) -> tuple[Question, ...]:
    """Returns up to `each` copies of each question with other numbers, under the ids `<id>~p1`, `<id>~p2` ...

    No copy repeats the text of a known question or of another copy, up to case and white space, and none
    repeats the numbers of a known story that is not among the questions. A question without a number to
    change, or of a task whose answers do not follow from numbers, has none.

    Args:
        task: the task of the run.
        seed: decides the numbers, together with the ids.
        known: all questions of the run, evaluated ones among them.
    """
    numbers = [text_numbers(question.prompt) for question in questions]
    pool = {shape: found for shape, found in pool_of(numbers).items() if not shape[1]}
    stories = [read_story(question.prompt) for question in questions]
    most = max((_peak(story) for story in stories if story is not None), default=0)
    own = {question.id for question in questions}
    kept_apart = {
        _numbers_of(story)
        for question in known
        if question.id not in own and (story := read_story(question.prompt)) is not None
    }
    taken, ids = texts_of([*known, *questions]), own | {question.id for question in known}
    found = []
    for question, in_text, story in zip(questions, numbers, stories, strict=True):
        if (question.task or task) not in NUMERIC_TASKS:
            continue
        made = _other_texts(question, in_text, pool, seed, tries=TRIES * each)
        for _ in range(each):
            for text in made:
                told = None if story is None else read_story(text)
                if same_text(text) in taken or (story is not None) != (told is not None):
                    continue
                if told is None or (_peak(told) <= most and _numbers_of(told) not in kept_apart):
                    break
            else:
                break
            id = next(i for n in count(1) if (i := f"{question.id}~p{n}") not in ids)
            found.append(replace(question, id=id, prompt=text))
            taken.add(same_text(text))
            ids.add(id)
    return tuple(found)


def _other_texts(
    question: Question, numbers: Sequence[TextNumber], pool: Pool, seed: int, *, tries: int
) -> Iterator[str]:
    """Texts with other numbers, of which each may be tried once."""
    places = [number for number in numbers if number.free and number.shape in pool]
    staying = [number for number in numbers if number not in places]
    first = {number.value: number for number in reversed(places)}
    distinct = sorted(first.values(), key=lambda number: number.start)
    if not distinct or any(len(pool[place.shape]) < 2 for place in distinct):
        return
    old = {place.start: place.value for place in distinct}
    rng = random.Random(derive_seed(seed, "perturbed", question.id))
    for _ in range(tries):
        drawn = dealt(distinct, pool, rng)
        new = {start: Fraction(spelling) for start, spelling in drawn.items()}
        if any(new[start] == old[start] for start in old):
            continue
        if keeps_order(old, new, distinct, staying):
            everywhere = {place.start: drawn[first[place.value].start] for place in places}
            yield rewritten(question.prompt, places, everywhere)


def _peak(story: Story) -> int:
    return max(accumulate((deed.change for deed in story.deeds), initial=story.amount))


def _numbers_of(story: Story) -> tuple[int, ...]:
    return (story.amount, *(deed.change for deed in story.deeds))
