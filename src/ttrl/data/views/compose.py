"""Puts a question in other words, by one means or several at once.

A view is another question whose answer gives that of the question by `View.restore`. Means that do not
apply to a question are passed over; a question to which none applies has no view.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from ttrl.data.views.facts import swapped_facts
from ttrl.data.views.identifiers import other_identifiers
from ttrl.data.views.names import other_names
from ttrl.data.views.options import permuted_options
from ttrl.seeding import derive_seed
from ttrl.types import TASKS_OF_VIEWS, Question, Task, View, ViewName


class Means(Protocol):
    """One way to put a question in other words."""

    def __call__(
        self, question: Question, *, task: Task, place: int, rng: random.Random
    ) -> View | None:
        """Returns the view, or None if this way does not apply.

        Args:
            place: how many views were tried before, for ways with an order of their own.
        """
        ...


MEANS: Mapping[ViewName, Means] = {
    "facts": swapped_facts,
    "names": other_names,
    "identifiers": other_identifiers,
    "options": permuted_options,
}
"""By name, in the order in which several are applied."""
TRIES_PER_VIEW = 8


def views_of(
    question: Question, *, task: Task, names: Sequence[str], count: int, seed: int
) -> list[View]:
    """Returns up to `count` different views of a question, none of them equal to it.

    They depend on (seed, question.id) and on what is asked for, and on nothing else. Ids are `<id>~v1`,
    `<id>~v2` and so on.

    Args:
        names: those of `MEANS` to apply, all together in one view; their order does not matter.
    """
    found: dict[tuple[str, tuple[str, ...]], View] = {}
    own = (question.prompt, question.options)
    for place in range(count * TRIES_PER_VIEW):
        rng = random.Random(derive_seed(seed, "view", question.id, place))
        view = _view(question, task=task, names=names, place=place, rng=rng)
        if view is None:
            if place == 0:
                break
            continue
        key = (view.question.prompt, view.question.options)
        if key != own and key not in found:
            id = f"{question.id}~v{len(found) + 1}"
            found[key] = replace(view, question=replace(view.question, id=id))
            if len(found) == count:
                break
    return list(found.values())


def _view(
    question: Question, *, task: Task, names: Sequence[str], place: int, rng: random.Random
) -> View | None:
    own = task.for_question(question).name
    asked = question
    steps: list[Callable[[str], str | None]] = []
    for name, means in MEANS.items():
        if name not in names or own not in TASKS_OF_VIEWS[name]:
            continue
        view = means(asked, task=task, place=place, rng=rng)
        if view is not None:
            asked, steps = view.question, [view.restore, *steps]
    return View(question=asked, restore=_one_after_another(steps)) if steps else None


def _one_after_another(
    steps: Sequence[Callable[[str], str | None]],
) -> Callable[[str], str | None]:
    def restore(answer: str) -> str | None:
        found: str | None = answer
        for step in steps:
            found = None if found is None else step(found)
        return found

    return restore
