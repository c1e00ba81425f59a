"""Makes new embedded word problems of the kind and difficulty of the training questions."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence

from ttrl.data.word_problems import WordProblem, chain_problem, split_of
from ttrl.errors import ConfigError
from ttrl.evaluate.answer_key import AnswerSheet
from ttrl.evaluate.fresh import FreshQuestions
from ttrl.seeding import derive_seed

PATIENCE = 5_000
"""Number of consecutive draws without a new problem after which none are assumed to be left."""

Numbers = tuple[int, ...]
"""Start and signed changes. Two problems are the same if these are, regardless of their words."""


def numbers_of(problem: WordProblem) -> Numbers:
    """Returns the start of a problem, then its changes."""
    return (problem.start, *problem.changes)


def new_problems(
    *, count: int, difficulty: int, seed: int, known: Collection[Numbers]
) -> FreshQuestions:
    """Makes `count` distinct problems whose numbers are neither `known` nor in the pre-training split.

    If there are no more, it makes fewer and says so in the note.

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
    return FreshQuestions(
        questions=tuple(problem.question for problem in found),
        answers=answers_of(found),
        note=None if len(found) == count else f"{len(found)} of {count}: there are no more",
    )


def answers_of(problems: Sequence[WordProblem]) -> AnswerSheet:
    """Returns the true answers of problems."""
    return AnswerSheet(answers={p.question.id: str(p.answer) for p in problems})
