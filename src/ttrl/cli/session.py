"""What `train` and `eval` have in common: config and files into a model, a sampler and question sets."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttrl.answers.tasks import make_task
from ttrl.cli.plan import check_context, rendered
from ttrl.config import RunConfig
from ttrl.errors import ConfigError, ModelError
from ttrl.evaluate.sets import QuestionSet, build_sets, evaluated_sets
from ttrl.train.votes import check_votes
from ttrl.types import Task

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from ttrl.data.prompts import Prompter
    from ttrl.engine.models.source import ModelSource
    from ttrl.engine.sampler import NativeSampler


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Everything loaded and checked, nothing started."""

    config: RunConfig
    sets: Sequence[QuestionSet]
    evaluated: Sequence[QuestionSet]
    """Those of `sets` that are evaluated."""
    task: Task
    source: ModelSource
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    prompter: Prompter
    prompt_template: str | None
    prompts: Sequence[str]
    """Rendered prompts of the first set."""
    sampler: NativeSampler
    """For evaluation, in the model's own type."""
    voter: NativeSampler
    """For votes, in `sampling_dtype`."""

    @property
    def prompt_tokens(self) -> int:
        """Of the longest prompt of the first set."""
        return max(len(self.prompter.encode(question)) for question in self.sets[0].questions)


def open_session(
    config: RunConfig,
    *,
    weights: Path | None = None,
    sets: Sequence[QuestionSet] | None = None,
) -> Session:
    """Reads the questions, then the model, then checks that they fit together.

    Args:
        weights: a checkpoint's model or adapter folder instead of the model's own weights.
        sets: the questions, where they are read already.

    Raises:
        TtrlError: anything that would stop the run later is found here.
    """
    if sets is None:
        sets = build_sets(config)  # before torch is imported: a broken file is told at once
    evaluated = evaluated_sets(sets, config)
    check_votes(sets[0].questions, config)

    from ttrl.data.prompts import Prompter
    from ttrl.engine.adapters import adapt, load_adapter
    from ttrl.engine.fast.decoder import can_decode, decoder_note
    from ttrl.engine.models.load import DTYPES, load_model, pick_device
    from ttrl.engine.models.source import ModelSource, find_model
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
    try:
        check_context(sets, prompter, config, model)
        prompts = rendered(sets[0].questions, prompter)
    except ModelError as error:
        raise ModelError(f"model {config.model}: {error}") from None
    return Session(
        config=config,
        sets=sets,
        evaluated=evaluated,
        task=task,
        source=source,
        model=model,
        tokenizer=loaded.tokenizer,
        prompter=prompter,
        prompt_template=template,
        prompts=prompts,
        sampler=NativeSampler(model, loaded.tokenizer, prompter, max_rows=config.sampler_rows),
        voter=NativeSampler(
            model,
            loaded.tokenizer,
            prompter,
            max_rows=config.sampler_rows,
            dtype=None if config.sampling_dtype == "model" else DTYPES[config.sampling_dtype],
        ),
    )


def evaluate(session: Session, question_set: QuestionSet, *, when: str) -> dict[str, Any]:
    """Evaluates a set with the weights as they are; also what it took.

    What it returns is what `evaluations/<when>-<set>.json` holds.
    """
    from ttrl.evaluate.evaluator import evaluate_set

    sampler, begin = session.sampler, time.perf_counter()
    tokens, seconds = sampler.sampled_tokens, sampler.seconds
    done = evaluate_set(
        question_set, when=when, sampler=sampler, task=session.task, config=session.config
    )
    done["cost"] = {
        "sampled_tokens": sampler.sampled_tokens - tokens,
        "sampling_seconds": sampler.seconds - seconds,
        "evaluation_seconds": time.perf_counter() - begin,
    }
    return done
