"""Makes the tables of docs/scaling.md: memory and time of large runs, by arithmetic. Nothing is measured.

    python recipes/scaling_estimates.py

Shapes of the models, and what each engine keeps of them, stand in scaling_shapes.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scaling_shapes import ADAPTER, KEPT, MEASURED, QWEN, Engine, Model

GB = 1e9
GPU_BYTES, SPARE = 80 * GB, 0.1
"""Memory of a GPU, and the share of it that CUDA and fragmentation get."""
BANDWIDTH, BANDWIDTH_SHARE = 3.35e12, 0.5
"""Bytes a second of an H100 SXM by its data sheet, and the share that sampling reaches."""
PEAK, PEAK_SHARE = 989e12, 0.4
"""Dense bfloat16 FLOP/s of the same, and the share that training reaches."""

VOTES, TRAINED, COMPLETION, PROMPT = 64, 32, 3072, 1024
"""M, K and the longest completion and prompt, in tokens: the paper's."""
POSITIONS = 2 * (PROMPT + COMPLETION)
"""Of a micro-batch: two completions, the paper's and the default of micro_batch_tokens."""
ROWS = 16
"""`sampler_rows` of TRL's sampling by transformers."""
EVALUATED, SAMPLES = 500, 16
"""Questions of MATH-500, and the paper's samples of each."""
LOGITS_AT_ONCE = 1 << 24
"""`ttrl.rl.logprobs.CHUNK_ELEMENTS`."""
TRL_TILE = 4096 * 32_768
"""TRL's logits at once: tokens x words, `trl.kernels.chunked_logprob` and `trl.trainer.utils`."""

PLACES: Sequence[tuple[str, Engine, int]] = (
    ("native, 1 GPU", "native", 1),
    ("TRL, 8 copies", "trl", 1),
    ("TRL FSDP2, 8 GPUs", "trl-fsdp2", 8),
    ("TRL FSDP2, 16", "trl-fsdp2", 16),
    ("verl FSDP, 8", "verl", 8),
    ("verl FSDP, 16", "verl", 16),
)
"""Name, engine, GPUs that share one copy."""


def votes_cache(model: Model) -> int:
    """Bytes of keys and values of one question: its prompt once, M completions, all at full length."""
    return (VOTES * COMPLETION + PROMPT) * model.cache


def kept_inputs(model: Model) -> int:
    """Bytes of what checkpointing keeps of a micro-batch: the input of each layer, float32."""
    return POSITIONS * model.layers * model.hidden * 4


def one_layer(model: Model) -> int:
    """Bytes of the layer that is computed again: norms, queries, keys, values, output, MLP; float32."""
    return POSITIONS * (8 * model.hidden + 2 * model.key_width + 4 * model.mlp) * 4


def logits(model: Model, engine: Engine) -> int:
    """Bytes of the logits of a micro-batch that are there at once."""
    if engine == "verl":  # bfloat16 with gradient, and one float32 copy
        return POSITIONS * model.vocabulary * 8
    return 3 * LOGITS_AT_ONCE * 4 if engine == "native" else TRL_TILE * 2


def peak(model: Model, engine: Engine, gpus: int, *, lora: bool, reference: bool) -> float:
    """Bytes on each GPU, at the worst of updating, sampling and the pass of the reference."""
    kept, sharded = KEPT[engine], engine in {"trl-fsdp2", "verl"}
    n, trained = model.parameters, model.adapter if lora else model.parameters
    standing = n * kept.base + trained * (ADAPTER + kept.buckets) if lora else n * kept.trained
    if reference and not lora:  # with adapters it is the base under them
        standing += n * kept.reference
    # Gathered for a moment: the head, and one layer with its gradient and the next one.
    gathered = (2 if lora else 4) * model.head + 8 * model.layer if sharded else 0
    casts = 2 * n if engine == "trl" and not lora else 0
    updating = kept_inputs(model) + one_layer(model) + logits(model, engine) + gathered + casts
    updating += 0 if lora else 4 * model.head  # the gradient of the head
    temporaries = 4 * trained / gpus if engine in {"native", "verl"} else 0
    phases = [standing / gpus + max(updating, temporaries)]
    without = (standing - 4 * trained) / gpus  # gradients are dropped after an update
    if engine == "verl":
        spread = model.kv_heads
        phases.append(without + (2 * n + votes_cache(model)) / spread)
    elif engine == "native":
        phases.append(without + votes_cache(model))
    else:
        phases.append(without + ROWS * (PROMPT + COMPLETION) * model.cache + gathered + casts)
    if engine == "trl-fsdp2" and reference and not lora:
        phases.append(without + 2 * n + one_layer(model))
    return max(phases)


def verdict(model: Model, engine: Engine, gpus: int, *, reference: bool) -> str:
    """Whether it fits, with the gigabytes that decide it."""
    room = GPU_BYTES * (1 - SPARE)
    full = peak(model, engine, gpus, lora=False, reference=reference)
    if full <= room:
        return f"fits: {full / GB:.0f}"
    lora = peak(model, engine, gpus, lora=True, reference=reference)
    return f"{'with LoRA' if lora <= room else 'does not'}: {lora / GB:.0f} ({full / GB:.0f})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A published run. Source: aime.sh and amc.sh of PRIME-RL/TTRL, its issue 11 for MATH-500."""

    name: str
    steps: int
    questions: int
    """Of a step."""

    @property
    def sampled(self) -> int:
        """Tokens, at most."""
        return self.steps * self.questions * VOTES * COMPLETION

    @property
    def trained(self) -> int:
        """Tokens, at most."""
        return self.sampled * TRAINED // VOTES


RUNS: Sequence[Run] = (
    Run(name="MATH-500", steps=150, questions=32),
    Run(name="AMC", steps=300, questions=8),
    Run(name="AIME 2024", steps=240, questions=8),
)


def tokens_per_second(model: Model, *, rows: int, context: float) -> float:
    """Of one GPU that draws: each token of all rows reads the weights once, and each row its own cache."""
    read = 2 * model.multiplied + rows * context * model.cache
    return rows * BANDWIDTH * BANDWIDTH_SHARE / read


def drawing_hours(model: Model, tokens: float) -> float:
    """GPU hours."""
    return tokens / tokens_per_second(model, rows=model.rows, context=COMPLETION / 2) / 3600


def training_flops(model: Model, tokens: float) -> float:
    """8 N a token with recomputation, 2 N each for the reference and for log-probabilities before."""
    return 12 * model.multiplied * tokens


def training_hours(model: Model, tokens: float) -> float:
    """GPU hours."""
    return training_flops(model, tokens) / (PEAK * PEAK_SHARE) / 3600


def tables() -> Mapping[str, str]:
    """Markdown by name, in the order of the page."""
    return {
        "models": models_table(),
        "bytes": bytes_table(),
        "activations": activations_table(),
        "room": room_table(),
        "time": time_table(),
        "evaluation": evaluation_table(),
        "measured": measured_table(),
    }


def models_table() -> str:
    head = (
        "model", "parameters", "multiplied with each token", "LoRA 16", "layers", "hidden", "KV heads",
        "vocabulary", "cache per token", f"cache of {VOTES} votes",
    )  # fmt: skip
    return markdown(head, [
        (
            m.name, f"{m.parameters / 1e9:.2f} B", f"{m.multiplied / 1e9:.2f} B",
            f"{m.adapter / 1e6:.1f} M", m.layers, m.hidden, m.kv_heads, f"{m.vocabulary:,}",
            f"{m.cache / 1e3:.1f} kB", f"{votes_cache(m) / GB:.1f} GB",
        )
        for m in QWEN
    ])  # fmt: skip


def bytes_table() -> str:
    head = (
        "bytes per parameter", "weights", "gradient", "moments", "master", "sum", "frozen base (LoRA)",
        "reference",
    )  # fmt: skip
    names = {
        "native": "native, bfloat16",
        "trl": "TRL, a copy on each GPU",
        "trl-fsdp2": "TRL, FSDP2",
        "verl": "verl, FSDP",
    }
    rows = []
    for engine, name in names.items():
        k = KEPT[engine]  # type: ignore[index]
        gradient = f"{k.gradients} + {k.buckets}" if k.buckets else k.gradients
        rows.append(
            (name, k.weights, gradient, k.moments, k.masters, k.trained, k.base, k.reference)
        )
    return markdown(head, rows)


def activations_table() -> str:
    head = ("GB", "inputs of all layers", "one layer", "logits: native", "TRL", "verl", "head")
    return markdown(head, [
        (
            m.name,
            *(
                f"{value / GB:.1f}"
                for value in (
                    kept_inputs(m), one_layer(m), logits(m, "native"), logits(m, "trl"),
                    logits(m, "verl"), 4 * m.head,
                )
            ),
        )
        for m in QWEN
    ])  # fmt: skip


def room_table() -> str:
    head = ("GB on each GPU", *(name for name, _, _ in PLACES))
    rows = [
        (
            f"{m.name}, {'with' if reference else 'no'} KL term",
            *(verdict(m, engine, gpus, reference=reference) for _, engine, gpus in PLACES),
        )
        for m in QWEN
        for reference in (False, True)
    ]
    return markdown(head, rows)


def time_table() -> str:
    head = (
        "at most", "drawn, tokens", "FLOPs drawing", "training", "GPU hours drawing", "training",
        "hours on 1", "8", "16 GPUs",
    )  # fmt: skip
    rows = []
    for run in RUNS:
        for m in QWEN:
            parts = drawing_hours(m, run.sampled), training_hours(m, run.trained)
            rows.append((
                f"{run.name}, {m.name.removeprefix('Qwen2.5-')}", f"{run.sampled / 1e6:,.0f} M",
                f"{2 * m.multiplied * run.sampled / 1e18:.1f}e18",
                f"{training_flops(m, run.trained) / 1e18:.1f}e18", *map(short, parts),
                *("–" if m.copy > gpus else short(sum(parts) / gpus) for gpus in (1, 8, 16)),
            ))  # fmt: skip
    return markdown(head, rows)


def evaluation_table() -> str:
    tokens = 2 * EVALUATED * SAMPLES * COMPLETION
    head = ("evaluations, at most", *(m.name for m in QWEN if m.copy == 1))
    found = (f"{short(drawing_hours(m, tokens))} h on one GPU" for m in QWEN if m.copy == 1)
    name = f"2 x {EVALUATED} questions x {SAMPLES} samples: {tokens / 1e6:.0f} M tokens"
    return markdown(head, [(name, *found)])


def measured_table() -> str:
    head = ("native, 0.5 B, one H100", "measured, tokens/s", "by the formula", "share")
    rows = []
    for count, length, measured in ((64, 64, 6_984), (512, 256, 26_360)):
        found = tokens_per_second(MEASURED, rows=count, context=length / 2)
        name = f"{count} rows x {length} tokens"
        rows.append((name, f"{measured:,}", f"{found:,.0f}", f"{100 * measured / found:.0f} %"))
    return markdown(head, rows)


def short(value: float) -> str:
    return f"{value:.1f}" if value < 10 else f"{value:.0f}"


def markdown(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = ["| " + " | ".join(map(str, line)) + " |" for line in (head, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]])


def main() -> None:
    for name, table in tables().items():
        print(f"<!-- estimates: {name} -->\n{table}\n")


if __name__ == "__main__":
    main()
