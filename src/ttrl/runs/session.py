"""Turns a config into a model, samplers and question sets, for training and for evaluation."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ttrl.answers.tasks import make_task
from ttrl.config import RunConfig
from ttrl.data.sets import QuestionSet, evaluated_sets
from ttrl.errors import ConfigError, ModelError
from ttrl.evaluation.labels import Labels, RunSets, build_sets
from ttrl.recording.evaluations import Evaluation, EvaluationCost, When
from ttrl.runs.voters import open_peer
from ttrl.training.votes import check_votes
from ttrl.types import Task

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from ttrl.data.prompts import Prompter
    from ttrl.engine.models import ModelSource
    from ttrl.engine.sampler import NativeSampler


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Everything loaded and checked, nothing started."""

    config: RunConfig
    training: QuestionSet
    """The questions that are trained on."""
    sets: Sequence[QuestionSet]
    """All question sets, that of training among them."""
    evaluated: Sequence[QuestionSet]
    """Those of `sets` that are evaluated."""
    labels: Mapping[str, Labels]
    """True labels by the name of the set, for evaluation only."""
    task: Task
    source: ModelSource
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    prompter: Prompter
    prompt_template: str | None
    prompts: Sequence[str]
    """Rendered prompts of the questions that are trained on."""
    prompt_tokens: int
    """Tokens of the longest of them."""
    sampler: NativeSampler
    """For evaluation, in the model's own type."""
    voter: NativeSampler
    """For votes, in `sampling_dtype`."""
    peer: NativeSampler | None
    """Of the model that votes beside the policy and stays as it is."""


def open_session(
    config: RunConfig, *, weights: Path | None = None, sets: RunSets | None = None
) -> Session:
    """Reads the questions, then the model, then checks that they fit together.

    Args:
        weights: a checkpoint's model or adapter folder instead of the model's own weights.
        sets: the questions, where they are read already.

    Raises:
        TtrlError: anything that would stop the run later is found here.
    """
    if sets is None:
        sets = build_sets(config)  # before torch is imported: a broken file is reported at once
    training = sets.training
    evaluated = evaluated_sets(sets.all, config)
    check_votes(training.trained, config)

    from ttrl.data.prompts import Prompter
    from ttrl.engine.fast.decoder import can_decode, decoder_note
    from ttrl.engine.models import (
        DTYPES,
        ModelSource,
        adapt,
        find_model,
        load_adapter,
        load_model,
        pick_device,
    )
    from ttrl.engine.sampler import NativeSampler

    device = pick_device(config.device)
    source = find_model(config.model)
    task = make_task(config)
    full = weights is not None and not config.lora
    read = ModelSource(spec=str(weights), kind="folder", path=str(weights)) if full else source
    loaded = load_model(read, dtype=config.dtype, device=device)
    model = loaded.model
    if config.lora:
        if weights is None:
            model = adapt(model, rank=config.lora, seed=config.seed)
        else:
            model = load_adapter(model, weights)
    template = config.prompt_template or loaded.prompt_template
    prompter = Prompter(loaded.tokenizer, template=template, task=task)
    if config.sampling_dtype != "model" and not can_decode(model):
        raise ConfigError(
            f"sampling_dtype={config.sampling_dtype}: {decoder_note(model)}, and it samples in the model's "
            "own type. Leave sampling_dtype out, or set dtype."
        )
    sampler, voter = (
        NativeSampler(model, loaded.tokenizer, prompter, max_rows=config.sampler_rows, dtype=dtype)
        for dtype in (
            None,
            None if config.sampling_dtype == "model" else DTYPES[config.sampling_dtype],
        )
    )
    try:
        for each in sets.all:
            sampler.encode(each.trained, max_tokens=config.max_tokens, name=each.name)
        prompts = [prompter.render(question) for question in training.questions]
    except ModelError as error:
        raise ModelError(f"model {config.model}: {error}") from None
    return Session(
        config=config,
        training=training,
        sets=sets.all,
        evaluated=evaluated,
        labels=sets.labels,
        task=task,
        source=source,
        model=model,
        tokenizer=loaded.tokenizer,
        prompter=prompter,
        prompt_template=template,
        prompts=prompts,
        prompt_tokens=prompter.longest(training.trained),
        sampler=sampler,
        voter=voter,
        peer=open_peer(config, training.trained, task=task, device=device),
    )


def evaluate_one(
    session: Session, question_set: QuestionSet, *, when: When, with_views: bool = False
) -> Evaluation:
    """Evaluates a set with the weights as they are now, and measures what that cost.

    Args:
        with_views: see `evaluate_set`.
    """
    from ttrl.evaluation.metrics import evaluate_set

    sampler, begin = session.sampler, time.perf_counter()
    tokens, seconds = sampler.sampled_tokens, sampler.seconds
    done = evaluate_set(
        question_set,
        session.labels[question_set.name],
        when=when,
        sampler=sampler,
        task=session.task,
        config=session.config,
        with_views=with_views,
    )
    cost = EvaluationCost(
        sampled_tokens=sampler.sampled_tokens - tokens,
        sampling_seconds=sampler.seconds - seconds,
        evaluation_seconds=time.perf_counter() - begin,
    )
    return replace(done, cost=cost)
