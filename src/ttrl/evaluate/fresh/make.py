"""From a name of `fresh` to questions: which maker serves which questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ttrl.config import RunConfig
from ttrl.data.sets import texts_of
from ttrl.data.tables import Table
from ttrl.data.word_problems import WordProblem
from ttrl.errors import ConfigError
from ttrl.evaluate.answer_key import AnswerSheet
from ttrl.evaluate.fresh.copies import (
    originals_of_problems,
    originals_of_table,
    perturbed_copies,
)
from ttrl.evaluate.fresh.generated import new_problems, numbers_of
from ttrl.evaluate.fresh.gym import gym_questions
from ttrl.evaluate.fresh.made import MadeQuestions
from ttrl.evaluate.fresh.names import GENERATED, GYM, PERTURBED
from ttrl.types import Question


def fresh_of_problems(
    name: str,
    config: RunConfig,
    problems: Mapping[str, Sequence[WordProblem]],
    known: Sequence[Question],
) -> MadeQuestions:
    """Fresh questions of a run on the embedded problems.

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
        return perturbed_copies(
            originals_of_problems(problems["unlabeled"]),
            count=config.fresh_count,
            task=config.task,
            seed=config.data_seed,
            known=known,
        )
    return _of_gym(name, config, known)


def fresh_of_table(
    name: str,
    config: RunConfig,
    table: Table,
    trained: Sequence[Question],
    answers: AnswerSheet | None,
    known: Sequence[Question],
) -> MadeQuestions:
    """Fresh questions of a run on a file.

    Args:
        answers: of the questions that are trained on; they check the programs of copies.
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
        return perturbed_copies(
            originals,
            count=config.fresh_count,
            task=config.task,
            seed=config.data_seed,
            known=known,
        )
    return _of_gym(name, config, known)


def _of_gym(name: str, config: RunConfig, known: Sequence[Question]) -> MadeQuestions:
    return gym_questions(
        name.removeprefix(GYM),
        count=config.fresh_count,
        seed=config.data_seed,
        known=texts_of(known),
    )
