"""A view of a story: its deeds happen on other days.

    ... buys 15 on Monday, loses 3 on Tuesday and finds 12 on Wednesday.
    ... finds 12 on Monday, buys 15 on Tuesday and loses 3 on Wednesday.

The sum is the same. Only stories that `ttrl.data.stories` reads to their last word have such views.
"""

from __future__ import annotations

import random
from dataclasses import replace

from ttrl.data.stories import read_story
from ttrl.types import Question, Task, View

TRIES = 50


def swapped_facts(question: Question, *, task: Task, place: int, rng: random.Random) -> View | None:
    """Returns the story with its deeds in another order, the days where they are; None if it is none.

    At no time is there less than nothing.
    """
    story = read_story(question.prompt)
    if story is None or len(story.deeds) < 2:
        return None
    text, deeds = question.prompt, list(story.deeds)
    for _ in range(TRIES):
        rng.shuffle(deeds)
        if not story.stays_possible([deed.change for deed in deeds]):
            continue
        parts, end = [], 0
        for slot, deed in zip(story.deeds, deeds, strict=True):
            parts += [text[end : slot.start], text[deed.start : deed.end]]
            end = slot.end
        told = "".join(parts) + text[end:]
        if told != text:
            return View(question=replace(question, prompt=told), restore=lambda answer: answer)
    return None
