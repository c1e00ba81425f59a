"""Evaluation of one question set with one set of weights."""

from __future__ import annotations

from typing import Any

from ttrl.config import RunConfig
from ttrl.evaluate.metrics import evaluate_groups
from ttrl.evaluate.sets import QuestionSet
from ttrl.seeding import derive_seed
from ttrl.types import Sampler, SamplingParams, Task


def evaluation_params(config: RunConfig) -> SamplingParams:
    """How completions are drawn for evaluation; the paper's values are temperature 0.6, top-p 0.95."""
    return SamplingParams(
        temperature=config.eval_temperature,
        top_p=config.eval_top_p,
        max_tokens=config.max_tokens,
        stop=config.stop,
    )


def evaluate_set(
    question_set: QuestionSet, *, when: str, sampler: Sampler, task: Task, config: RunConfig
) -> dict[str, Any]:
    """Samples and counts. What it returns is what `evaluations/<when>-<set>.json` holds.

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
        question_set.answers,
        seed=derive_seed(config.seed, "statistics"),
        levels=question_set.levels,
    )
    found["metrics"] |= {"temperature": params.temperature, "top_p": params.top_p}
    note = {} if question_set.note is None else {"note": question_set.note}
    return {
        "set": question_set.name,
        "when": when,
        "labeled": bool(found["metrics"].get("labeled")),
        "sampling": {
            "temperature": params.temperature,
            "top_p": params.top_p,
            "max_tokens": params.max_tokens,
            "samples": config.samples,
        },
        **found,
        **note,
    }
