"""Says what a run will do and what memory it needs, before it starts, and refuses what cannot fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttrl.algorithm_settings import ALGORITHM_ROWS
from ttrl.config import RunConfig
from ttrl.errors import ConfigError
from ttrl.runs.voters import asked_of_base

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from ttrl.data.sets import QuestionSet
    from ttrl.runs.session import Session


ONE_MODEL = ", ".join(name for name, row in ALGORITHM_ROWS.items() if row.one_model)
"""The algorithms that need no model beside the policy, for messages."""


def standing_memory(model: PreTrainedModel, config: RunConfig) -> dict[str, int]:
    """Counts the bytes that the models of the algorithm hold throughout training.

    A reference is a frozen copy, or the base under the adapter, which costs nothing. A critic and an
    implicit reward model have trainable weights of their own and share frozen ones, as has the teacher, which
    is not trained and keeps float32 averages beside shorter weights. A trained number has a gradient and two
    moments in float32, and a float32 master if it is shorter itself.
    """
    from ttrl.rl.algorithms.registry import make_algorithm

    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    trained = [p for p in model.parameters() if p.requires_grad]
    own = sum(p.numel() * p.element_size() for p in trained)
    learning = sum(p.numel() * (12 + (4 if p.element_size() < 4 else 0)) for p in trained)
    models = 2 if ALGORITHM_ROWS[config.algorithm].companion else 1
    copied = not config.lora and (
        make_algorithm(config).needs_reference or _guard_copies(model, config)
    )
    teacher = 0
    if "teacher" in config.label_votes:
        teacher = own + sum(p.numel() * 4 for p in trained if p.element_size() < 4)
    return {
        "weights": weights * (2 if copied else 1) + own * (models - 1) + teacher,
        "gradients_and_optimizer": learning * models,
    }


def _guard_copies(model: PreTrainedModel, config: RunConfig) -> bool:
    """Whether the base is copied for the guard alone."""
    from ttrl.engine.learner import base_kept
    from ttrl.rl.algorithms.registry import make_algorithm

    kept = base_kept(model, make_algorithm(config))
    return config.engine == "native" and config.guard != "off" and kept == "copy"


def check_memory(model: PreTrainedModel, config: RunConfig) -> None:
    """Checks that everything else fits in memory once the policy, and nothing else, is loaded.

    Raises:
        ConfigError: the rest cannot fit, and why.
    """
    from ttrl.rl.algorithms.registry import make_algorithm

    free = free_bytes(model.device)
    loaded = sum(p.numel() * p.element_size() for p in model.parameters())
    needed = sum(standing_memory(model, config).values()) - loaded
    if needed <= free:
        return
    beside, fixes, row = ["gradients", "optimizer"], [], ALGORITHM_ROWS[config.algorithm]
    if row.companion:
        size = "" if config.lora else " (as large as the model)"
        beside.append(f"the {row.companion.kind}{size}")
    if "teacher" in config.label_votes:
        beside.append("the teacher")
        fixes.append("label_votes without teacher")
    if make_algorithm(config).needs_reference and not config.lora:
        beside.append("a frozen copy of the base")
        if not row.needs_reference:
            fixes.append("kl_coefficient: 0")
    if not config.lora:
        fixes.append("lora: 16 (adapters share the base's weights)")
    elif config.dtype == "float32":
        fixes.append("dtype: bfloat16 (of the frozen base)")
    if not row.one_model:
        fixes.append(f"an algorithm with one model ({ONE_MODEL})")
    raise ConfigError(
        f"algorithm={config.algorithm} on {config.model}: {', '.join(beside)} need at least "
        f"{needed / 2**30:.1f} GiB beside the loaded model, and {free / 2**30:.1f} GiB are free on "
        f"{model.device}. What helps: {'; '.join([*fixes, 'a smaller model'])}."
    )


def memory_estimate(
    model: PreTrainedModel, config: RunConfig, prompt_tokens: int, *, peer: int = 0
) -> dict[str, int]:
    """Bounds the bytes that a run needs: every row of the sampler distinct, every micro-batch full.

    Activations are counted as 34 values per token, layer and hidden unit, plus attention scores and
    float32 logits (three copies), which is what a plain Llama layer keeps for its backward pass. With
    gradient_checkpointing all layers keep their input alone, as float32, and one at a time all of it.

    Args:
        peer: bytes of the weights of another model that votes.
    """
    from ttrl.engine.token_model import tokens_at_once
    from ttrl.rl.logprobs import CHUNK_ELEMENTS

    text = model.config.get_text_config()
    size = model.dtype.itemsize
    heads = text.num_attention_heads
    kv_heads = getattr(text, "num_key_value_heads", None) or heads
    head_size = getattr(text, "head_dim", None) or text.hidden_size // heads
    rows = max(config.votes_per_question, min(
        config.sampler_rows, config.questions_per_step * config.votes_per_question
    ))  # fmt: skip
    length = prompt_tokens + config.max_tokens
    cache = 2 * text.num_hidden_layers * rows * kv_heads * head_size * length * size
    budget = tokens_at_once(model, config.micro_batch_tokens)
    tokens = max(length, min(budget, rows * length))
    logits = tokens * text.vocab_size
    if budget == config.micro_batch_tokens:  # nothing is cut, since logits are made in chunks
        logits = min(logits, max(CHUNK_ELEMENTS, text.vocab_size))
    layers, layer = text.num_hidden_layers, (34 * text.hidden_size + 2 * heads * length) * size
    kept = (
        layers * text.hidden_size * 4 + layer if config.gradient_checkpointing else layers * layer
    )
    activations = tokens * kept + 3 * 4 * logits
    standing = standing_memory(model, config)
    standing["weights"] += peer
    return {
        **standing,
        "sampling_cache": cache,
        "training_activations": activations,
        "total": sum(standing.values()) + max(cache, activations),
    }


def free_bytes(device: torch.device) -> int:
    """Returns the bytes that this process could still take from the machine or its control group."""
    if device.type == "cuda":
        import torch

        return int(torch.cuda.mem_get_info(device)[0])
    import psutil

    free = int(psutil.virtual_memory().available)
    limit, used = (_read(f"/sys/fs/cgroup/memory.{name}").strip() for name in ("max", "current"))
    if limit.isdigit() and used.isdigit():
        statistics = dict(line.split() for line in _read("/sys/fs/cgroup/memory.stat").splitlines())
        cache = int(statistics.get("inactive_file", 0))  # counts as used, and is given back
        free = min(free, max(0, int(limit) - int(used) + cache))
    return free


def _read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8")
    except OSError:
        return ""


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
        memory = memory_estimate(
            session.model, config, session.prompt_tokens, peer=_weights(session)
        )
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
    count = len(session.training.trained)
    per_step = min(config.questions_per_step, count)
    rounds, adaptive = 1 + (config.refill_rounds or 0), config.votes == "adaptive"
    votes = config.steps * per_step * config.votes_per_question * rounds
    looked_at = sum(len(s.questions[: config.eval_limit]) for s in session.evaluated)
    evaluations = 2 * looked_at * config.samples
    names = ", ".join(f"{len(s.questions)} {s.name}{_copies(s)}" for s in sets)
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
        *_votes_lines(session, per_step * rounds),
        f"algorithm   {config.algorithm}{_beside(model, config)}",
        f"guard       {guard_note(model, config)}",
        f"evaluation  {evaluations:,} completions before and after, at temperature "
        f"{config.eval_temperature}, top-p {config.eval_top_p}",
        *(engine or [_memory_line(session)]),
        f"prompt      {session.prompts[0]!r}",
    ]
    return lines + warnings(config, parameters)


def _votes_lines(session: Session, per_step: int) -> list[str]:
    """Says of each source of further votes what it costs; nothing where a question's votes elect alone."""
    config, peer = session.config, session.peer
    lines = [_views_line(session)] if config.view_names else []
    drawn = config.steps * per_step * config.further_votes
    for name in config.label_votes:
        if name == "visits":
            lines.append("visits: votes of earlier visits, no token more")
            continue
        count = len(asked_of_base(session)) * config.further_votes if name == "base" else drawn
        what = "drawn once before training" if name == "base" else "drawn in each step"
        if name == "peer" and peer is not None:
            what += f", by {config.peer}, weights of {_weights(session) / 2**30:.2f} GiB beside"
        lines.append(
            f"{name}: at most {count:,} completions, {count * config.max_tokens:,} tokens more, {what}"
        )
    return [f"{'labels' if not i else '':<12}{line}" for i, line in enumerate(lines)]


LOOKED_AT = 1000
"""Questions of which the plan counts those that have views."""


def _views_line(session: Session) -> str:
    """Says how many votes are on views, and how many questions have any in the first step."""
    from ttrl.training.view_votes import views_in_step

    config, asked = session.config, session.training.trained
    looked_at = asked[:LOOKED_AT]
    able = sum(
        bool(views_in_step(question, task=session.task, config=config, step=0))
        for question in looked_at
    )
    names, m = ", ".join(config.view_names), config.votes_per_question
    of = f"{len(asked)}" if len(asked) <= LOOKED_AT else f"the first {LOOKED_AT:,}"
    if not able:
        return f"{m} votes on each question itself; views ({names}) of 0 of {of} questions"
    k = config.trained_per_question
    rest = "" if able == len(looked_at) else f"; the others have {m} votes on themselves"
    return (
        f"{k} votes on each question and {m - k} on up to {min(config.view_count, m - k)} views of it "
        f"({names}: {able} of {of} questions), no token more{rest}"
    )


def _weights(session: Session) -> int:
    """Bytes of the peer."""
    return 0 if session.peer is None else session.peer.weight_bytes


def _copies(each: QuestionSet) -> str:
    return f" and {len(each.copies)} copies of them with other numbers" if each.copies else ""


def guard_note(model: PreTrainedModel, config: RunConfig) -> str:
    """Says what happens at signs of collapse, and whether KL to the base is among the signs."""
    from ttrl.engine.learner import LARGEST_COPY, base_kept
    from ttrl.rl.algorithms.registry import make_algorithm

    if config.guard == "off":
        return "off"
    does = {
        "stop": "ends the run at signs of collapse",
        "warn": "warns at signs of collapse",
        "slow": "halves the learning rate at signs of collapse",
    }[config.guard]
    if config.engine == "trl":
        return f"{does}; under engine=trl KL to the base and changed numbers are not among them"
    kept = base_kept(model, make_algorithm(config))
    if kept is None:
        return (
            f"{does}; KL to the base is not measured: there is no adapter and no reference, and a model of "
            f"more than {LARGEST_COPY / 1e6:.0f} M parameters is not copied for it"
        )
    return does


def _memory_line(session: Session) -> str:
    memory = memory_estimate(
        session.model, session.config, session.prompt_tokens, peer=_weights(session)
    )
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
