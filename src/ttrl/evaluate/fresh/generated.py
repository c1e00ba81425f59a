"""New embedded word problems, of the kind and difficulty of those that are trained on."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence

from ttrl.data.word_problems import WordProblem, chain_problem, split_of
from ttrl.errors import ConfigError
from ttrl.evaluate.answer_key import AnswerSheet
from ttrl.evaluate.fresh.made import MadeQuestions
from ttrl.seeding import derive_seed

PATIENCE = 5_000
"""Draws in a row without a new problem after which there are taken to be no more."""

Numbers = tuple[int, ...]
"""Start and signed changes: what makes a problem another one, whatever its words."""


def numbers_of(problem: WordProblem) -> Numbers:
    """The start, then the changes."""
    return (problem.start, *problem.changes)


def new_problems(
    *, count: int, difficulty: int, seed: int, known: Collection[Numbers]
) -> MadeQuestions:
    """`count` problems whose numbers are not `known`, nor in the pre-training split, nor twice.

    Fewer, with a note, where there are no more.

    Raises:
        ConfigError: there is not one.
    """
    taken = set(known)
    found: list[WordProblem] = []
    index = newest = 0
    while len(found) < count and index - newest <= PATIENCE:
        rng = random.Random(derive_seed("fresh", seed, "generated", difficulty, index))
        problem = chain_problem(rng, events=difficulty, id=f"fresh-{len(found):04d}")
        index += 1
        if numbers_of(problem) not in taken and split_of(problem) != "pretrain":
            taken.add(numbers_of(problem))
            found.append(problem)
            newest = index
    if not found:
        raise ConfigError(
            f"fresh=generated: there are no more problems of difficulty {difficulty} than those that are "
            "used already. Raise the difficulty, or lower limit."
        )
    return MadeQuestions(
        questions=tuple(problem.question for problem in found),
        answers=answers_of(found),
        note=None if len(found) == count else f"{len(found)} of {count}: there are no more",
    )


def answers_of(problems: Sequence[WordProblem]) -> AnswerSheet:
    """What the problems come to."""
    return AnswerSheet(answers={p.question.id: str(p.answer) for p in problems})
