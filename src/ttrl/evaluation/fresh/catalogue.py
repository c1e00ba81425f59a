"""Maps each name that `fresh` accepts to the function that makes its questions."""

from __future__ import annotations

import difflib
import random
from collections.abc import Collection, Mapping, Sequence

from ttrl.config import RunConfig
from ttrl.data.questions import texts_of
from ttrl.data.tables import Table
from ttrl.data.word_problems import WordProblem, chain_problem, split_of
from ttrl.errors import ConfigError
from ttrl.evaluation.answer_key import AnswerSheet
from ttrl.evaluation.fresh import FreshQuestions
from ttrl.evaluation.fresh.copies import (
    Original,
    originals_of_problems,
    originals_of_table,
    perturbed_copies,
)
from ttrl.evaluation.fresh.gym import GYM_TASKS, gym_questions
from ttrl.seeding import derive_seed
from ttrl.types import Question

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


GENERATED, PERTURBED, GYM = "generated", "perturbed", "gym:"


def check_names(names: Sequence[str]) -> tuple[str, ...]:
    """Checks that all names exist and returns each of them once.

    Raises:
        ConfigError: a name that does not exist; the nearest one is offered.
    """
    known = [GENERATED, PERTURBED, *(GYM + task for task in GYM_TASKS)]
    for name in names:
        if name not in known:
            near = (
                [GYM + name] if GYM + name in known else difflib.get_close_matches(name, known, n=1)
            )
            hint = f" Did you mean {near[0]}?" if near else ""
            raise ConfigError(
                f"fresh={name}: no such questions.{hint} There are {GENERATED}, {PERTURBED} and these tasks "
                f"of reasoning-gym: {', '.join(known[2:])}."
            )
    return tuple(dict.fromkeys(names))


def set_name(name: str) -> str:
    """Returns the name of the question set of an entry: "gym:chain_sum" gives "fresh_chain_sum"."""
    return "fresh_" + name.removeprefix(GYM)


def fresh_of_problems(
    name: str,
    config: RunConfig,
    problems: Mapping[str, Sequence[WordProblem]],
    known: Sequence[Question],
) -> FreshQuestions:
    """Makes the fresh questions of a run on the embedded problems.

    Args:
        problems: by the name of the set; those of "unlabeled" are trained on.
        known: every question of the run.

    Raises:
        ConfigError: none can be made.
    """
    if name == GENERATED:
        return new_problems(
            count=config.fresh_count,
            difficulty=config.difficulty,
            seed=config.data_seed,
            known={numbers_of(problem) for each in problems.values() for problem in each},
        )
    if name == PERTURBED:
        return _copies(originals_of_problems(problems["unlabeled"]), config, known)
    return _of_gym(name, config, known)


def fresh_of_table(
    name: str,
    config: RunConfig,
    table: Table,
    trained: Sequence[Question],
    answers: AnswerSheet | None,
    known: Sequence[Question],
) -> FreshQuestions:
    """Makes the fresh questions of a run on a file.

    Args:
        answers: those of the questions that are trained on; they check the programs of copies.
        known: every question of the run.

    Raises:
        ConfigError: none can be made.
    """
    if name == GENERATED:
        raise ConfigError(
            f"fresh={name}: only the embedded questions have a generator, and these are of {table.name}. "
            f"Leave it out, or ask for {PERTURBED}, or a task of reasoning-gym."
        )
    if name == PERTURBED:
        originals = originals_of_table(
            table,
            trained,
            answers,
            equation_column=config.equation_column,
            answer_column=config.answers,
        )
        return _copies(originals, config, known)
    return _of_gym(name, config, known)


def _copies(
    originals: Sequence[Original], config: RunConfig, known: Sequence[Question]
) -> FreshQuestions:
    return perturbed_copies(
        originals, count=config.fresh_count, task=config.task, seed=config.data_seed, known=known
    )


def _of_gym(name: str, config: RunConfig, known: Sequence[Question]) -> FreshQuestions:
    return gym_questions(
        name.removeprefix(GYM),
        count=config.fresh_count,
        seed=config.data_seed,
        known=texts_of(known),
    )
