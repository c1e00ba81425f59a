"""What a run will do and need, told before it starts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ttrl.algorithm_settings import ALGORITHM_ROWS
from ttrl.cli.room import standing_memory
from ttrl.config import RunConfig
from ttrl.errors import DataError, ModelError
from ttrl.evaluate.sets import QuestionSet, evaluated_sets
from ttrl.types import Question

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from ttrl.cli.session import Session
    from ttrl.data.prompts import Prompter

LARGE_MODEL = 50_000_000
LARGE_LEARNING_RATE = 5e-5


def rendered(questions: Sequence[Question], prompter: Prompter) -> list[str]:
    """The prompts as text."""
    return [prompter.render(question) for question in questions]


def check_context(
    sets: Sequence[QuestionSet], prompter: Prompter, config: RunConfig, model: PreTrainedModel
) -> None:
    """Checks that the model can read every prompt.

    Raises:
        DataError: questions that do not fit the model's context, by name.
        ModelError: a tokenizer of another model.
    """
    text = model.config.get_text_config()
    context = getattr(text, "max_position_embeddings", None)
    for each in sets:
        encoded = {q.id: prompter.encode(q) for q in each.questions}
        highest = max(max(ids, default=0) for ids in encoded.values())
        if highest >= text.vocab_size:
            raise ModelError(
                f"its tokenizer makes token {highest}, but the model knows only "
                f"{text.vocab_size}. The tokenizer belongs to another model."
            )
        if context is None:
            continue
        lengths = {id: len(ids) for id, ids in encoded.items()}
        room = context - config.max_tokens
        long = {id: n for id, n in lengths.items() if n > room}
        if long:
            worst = max(long, key=lambda id: long[id])
            left = context - long[worst]
            lower = f"Lower max_tokens to at most {left}, or l" if left > 0 else "L"
            raise DataError(
                f"{each.name} questions: {len(long)} of {len(lengths)} do not fit the model's context of "
                f"{context} tokens; the longest, {worst}, has a prompt of {long[worst]} tokens and "
                f"max_tokens={config.max_tokens} are to follow. {lower}eave these out: "
                f"{', '.join(sorted(long)[:5])}{', ...' if len(long) > 5 else ''}."
            )


def memory_estimate(
    model: PreTrainedModel, config: RunConfig, prompt_tokens: int
) -> dict[str, int]:
    """Bytes, from above: every row of the sampler distinct, every micro-batch full.

    Activations are counted as 34 values per token, layer and hidden unit, plus attention scores and
    float32 logits (three copies), which is what a plain Llama layer keeps for its backward pass. With
    gradient_checkpointing all layers keep their input alone, as float32, and one at a time all of it.
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
    return {
        **standing,
        "sampling_cache": cache,
        "training_activations": activations,
        "total": sum(standing.values()) + max(cache, activations),
    }


def plan_lines(session: Session, engine: Sequence[str] = ()) -> list[str]:
    """Step and token counts, memory, the first prompt.

    Args:
        engine: what another engine has to say, in place of the native one's decoder and memory.
    """
    from ttrl.engine.fast.decoder import decoder_note

    sets, config, model = session.sets, session.config, session.model
    count = len(sets[0].questions)
    per_step = min(config.questions_per_step, count)
    rounds, adaptive = 1 + (config.refill_rounds or 0), config.votes == "adaptive"
    votes = config.steps * per_step * config.votes_per_question * rounds
    looked_at = evaluated_sets(sets, config)
    evaluations = 2 * sum(len(s.questions[: config.eval_limit]) for s in looked_at) * config.samples
    names = ", ".join(f"{len(s.questions)} {s.name}" for s in sets)
    labeled = [s.name for s in sets if s.answers is not None]
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
    """The models that the algorithm holds beside the policy, and what they are made of."""
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
    """Settings that run but rarely work."""
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
