"""Evaluates one question set with one set of weights."""

from __future__ import annotations

from dataclasses import replace

from ttrl.config import RunConfig
from ttrl.data.sets import QuestionSet
from ttrl.evaluate.labels import Labels
from ttrl.evaluate.metrics import evaluate_groups
from ttrl.recording.evaluations import Evaluation, When
from ttrl.seeding import derive_seed
from ttrl.types import Sampler, SamplingParams, Task


def evaluation_params(config: RunConfig) -> SamplingParams:
    """Returns how completions are drawn for evaluation; the paper uses temperature 0.6 and top-p 0.95."""
    return SamplingParams(
        temperature=config.eval_temperature,
        top_p=config.eval_top_p,
        max_tokens=config.max_tokens,
        stop=config.stop,
    )


def evaluate_set(
    question_set: QuestionSet,
    labels: Labels,
    *,
    when: When,
    sampler: Sampler,
    task: Task,
    config: RunConfig,
) -> Evaluation:
    """Samples completions and measures them; the caller adds what that cost.

    Before and after use the same seeds, so differences are those of the weights.
    """
    questions = question_set.questions[: config.eval_limit]
    params = evaluation_params(config)
    groups = sampler.sample(
        questions,
        n=config.samples,
        params=params,
        seed=derive_seed(config.seed, "evaluate", question_set.name),
    )
    found = evaluate_groups(
        task,
        groups,
        labels.answers,
        seed=derive_seed(config.seed, "statistics"),
        levels=labels.levels,
        name=question_set.name,
        when=when,
    )
    return replace(
        found,
        metrics=replace(found.metrics, temperature=params.temperature, top_p=params.top_p),
        temperature=params.temperature,
        top_p=params.top_p,
        max_tokens=params.max_tokens,
        note=question_set.note,
    )
