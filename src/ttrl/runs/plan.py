"""Says what a run will do and what it needs, before it starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ttrl.algorithm_settings import ALGORITHM_ROWS
from ttrl.config import RunConfig
from ttrl.runs.memory import check_memory, memory_estimate

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from ttrl.runs.session import Session

LARGE_MODEL = 50_000_000
LARGE_LEARNING_RATE = 5e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The plan of a run, made before it starts."""

    lines: Sequence[str]
    """The plan for a person."""
    engine: Mapping[str, Any]
    """The bytes that the native engine needs, or the arguments of TRL."""
    asked: Mapping[str, Any]
    """The first prompt, and the number of questions of each set."""


def make_plan(config: RunConfig) -> Plan:
    """Loads and checks everything that a run needs, and starts nothing.

    Raises:
        TtrlError: whatever would stop the run.
    """
    from ttrl.runs.session import open_session

    engine: dict[str, Any]
    if config.engine == "trl":
        from ttrl.runs.trl_setup import open_trl

        setup = open_trl(config)
        session = open_session(config, sets=setup.sets)
        lines, engine = plan_lines(session, setup.lines()), {"trl": dict(setup.arguments)}
    else:
        session = open_session(config)
        check_memory(session.model, config)
        memory = memory_estimate(session.model, config, session.prompt_tokens)
        lines, engine = plan_lines(session), {"memory_bytes": memory}
    questions = {each.name: len(each.questions) for each in session.sets}
    asked = {"first_prompt": session.prompts[0], "questions": questions}
    return Plan(lines=lines, engine=engine, asked=asked)


def plan_lines(session: Session, engine: Sequence[str] = ()) -> list[str]:
    """Returns lines about steps, tokens, memory and the first prompt.

    Args:
        engine: what another engine has to say, in place of the native one's decoder and memory.
    """
    from ttrl.engine.fast.decoder import decoder_note

    sets, config, model = session.sets, session.config, session.model
    count = len(session.training.questions)
    per_step = min(config.questions_per_step, count)
    rounds, adaptive = 1 + (config.refill_rounds or 0), config.votes == "adaptive"
    votes = config.steps * per_step * config.votes_per_question * rounds
    looked_at = sum(len(s.questions[: config.eval_limit]) for s in session.evaluated)
    evaluations = 2 * looked_at * config.samples
    names = ", ".join(f"{len(s.questions)} {s.name}" for s in sets)
    labeled = [name for name, known in session.labels.items() if known.answers is not None]
    parameters = sum(p.numel() for p in model.parameters())
    lines = [
        f"model       {config.model}: {parameters:,} parameters, {config.dtype}, {model.device}"
        + (f", LoRA rank {config.lora}" if config.lora else ""),
        *([] if engine else [f"decoder     {decoder_note(model)}"]),
        f"questions   {names}; true answers, for evaluation only: {', '.join(labeled) or 'none'}",
        *(f"            {s.name}: {s.note}" for s in sets if s.note is not None),
        f"training    {config.steps} steps x {'at most ' if rounds > 1 else ''}{per_step * rounds} "
        f"questions x {'at most ' if adaptive else ''}{config.votes_per_question} votes = "
        f"{'at most ' if adaptive or rounds > 1 else ''}{votes:,} completions, at most "
        f"{votes * config.max_tokens:,} tokens",
        f"algorithm   {config.algorithm}{_beside(model, config)}",
        f"evaluation  {evaluations:,} completions before and after, at temperature "
        f"{config.eval_temperature}, top-p {config.eval_top_p}",
        *(engine or [_memory_line(session)]),
        f"prompt      {session.prompts[0]!r}",
    ]
    return lines + warnings(config, parameters)


def _memory_line(session: Session) -> str:
    memory = memory_estimate(session.model, session.config, session.prompt_tokens)
    return (
        f"memory      at most about {memory['total'] / 2**30:.2f} GiB besides Python and torch "
        f"(weights {memory['weights'] / 2**30:.2f}, optimizer "
        f"{memory['gradients_and_optimizer'] / 2**30:.2f}, sampling "
        f"{memory['sampling_cache'] / 2**30:.2f} or training {memory['training_activations'] / 2**30:.2f})"
    )


def _beside(model: PreTrainedModel, config: RunConfig) -> str:
    """Names the models that the algorithm holds beside the policy, and what they are made of."""
    from ttrl.rl.algorithms.registry import make_algorithm

    adapted = hasattr(model, "peft_config")
    parts = []
    if companion := ALGORITHM_ROWS[config.algorithm].companion:
        own = "its own adapter on the shared base" if adapted else "its own weights"
        parts.append(f", {'an' if companion.kind[0] in 'aeiou' else 'a'} {companion.kind} ({own})")
    if make_algorithm(config).needs_reference:
        kept = "the base under the disabled adapter" if adapted else "a frozen copy"
        parts.append(f", the base as reference ({kept})")
    return "".join(parts)


def warnings(config: RunConfig, parameters: int) -> list[str]:
    """Returns a line for each setting that runs but rarely works."""
    found, usual_rates = [], {"learning_rate": "1e-6"}
    if companion := ALGORITHM_ROWS[config.algorithm].companion:
        usual_rates[companion.settings["learning_rate"]] = companion.usual_rate
    for key, usual in usual_rates.items():
        rate = getattr(config, key)
        if parameters > LARGE_MODEL and rate > LARGE_LEARNING_RATE and not config.lora:
            found.append(
                f"warning     {key} {rate:g} suits the embedded model; at {parameters / 1e6:.0f} M "
                f"parameters it usually collapses. Try {usual}, or --config paper."
            )
    if config.reward == "answer-key":
        found.append(
            "warning     reward answer-key: this run is rewarded by TRUE LABELS. It is an upper bound, "
            "not test-time reinforcement learning."
        )
    return found
