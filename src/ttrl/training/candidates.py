"""Asks what `keep: best` chooses by: each candidate's answers to the same questions, without labels.

Most are copies of the questions with other numbers (`ttrl.data.copies`), which no step trains on. A question
without a copy is asked itself. Every candidate gets the same random numbers.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ttrl.config import RunConfig
from ttrl.consensus.choice import Answers
from ttrl.data.copies import perturbed_copies
from ttrl.seeding import derive_seed
from ttrl.types import Question, Sampler, SamplingParams, Task

ASKED = 128
"""Most questions that a candidate answers."""
VOTES = 4
"""Completions on each."""


def questions_to_ask(
    questions: Sequence[Question], known: Collection[Question], config: RunConfig
) -> list[Question]:
    """Returns a copy of each question with other numbers, or the question where it has none.

    Of more than 128 questions the seed takes 128.

    Args:
        known: all questions of the run, whose texts no copy repeats.
    """
    taken = sorted(questions, key=lambda q: derive_seed(config.seed, "keep", q.id))[:ASKED]
    copies = perturbed_copies(taken, each=1, task=config.task, seed=config.seed, known=known)
    by_id = {copy.id.rpartition("~p")[0]: copy for copy in copies}
    return [by_id.get(question.id, question) for question in taken]


def answers_to(
    asked: Sequence[Question], *, sampler: Sampler, task: Task, config: RunConfig
) -> Answers:
    """Returns the answers of the weights as they are now, sampled as in an evaluation.   [questions, 4]"""
    params = SamplingParams(
        temperature=config.eval_temperature,
        top_p=config.eval_top_p,
        max_tokens=config.max_tokens,
        stop=config.stop,
    )
    seed = derive_seed(config.seed, "keep")
    groups = sampler.sample(asked, n=VOTES, params=params, seed=seed)
    return tuple(
        tuple(task.for_question(group.question).extract(c) for c in group.completions)
        for group in groups
    )
