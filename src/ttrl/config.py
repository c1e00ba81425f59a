"""What a run is made of. Precedence: defaults < YAML files, left to right < environment < command line.

One flat set of keys: the key `votes_per_question` of a YAML file is the option `--votes-per-question`
and the variable `TTRL_VOTES_PER_QUESTION`. No default depends on another key, but for the group Algorithm,
where each algorithm has its own (`ttrl.algorithm_settings`). The defaults suit the embedded model; `--config paper` holds the published settings for models of a billion parameters.
"""

from __future__ import annotations

import difflib
import importlib.resources
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo

from ttrl.algorithm_settings import ALGORITHM_KEYS, ALGORITHM_SETTINGS, AlgorithmName
from ttrl.config_checks import check_together
from ttrl.errors import ConfigError
from ttrl.types import TaskName, TextMeasure

Positive = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, le=1)]
ReportTo = Literal["tensorboard", "wandb", "trackio", "mlflow", "all", "none"]
ENVIRONMENT_PREFIX = "TTRL_"
YAML_ERRORS = (yaml.YAMLError, RecursionError, ValueError, AttributeError, LookupError)
"""What PyYAML raises for a text that is no YAML: the last three for values such as 2024-13-45 and !!int."""


def _key(default: Any, group: str, text: str, **limits: Any) -> Any:
    return Field(default=default, description=text, json_schema_extra={"group": group}, **limits)


def _own(text: str, **limits: Any) -> Any:
    """A parameter of some algorithms, by the default of the one that runs (`ttrl.algorithm_settings`)."""
    return _key(None, "Algorithm", text, **limits)


class RunConfig(BaseModel):
    """Every setting of a run, resolved."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    # fmt: off
    model: str = _key("ttrl-tiny", "Model", "'ttrl-tiny' (embedded), a folder, a .gguf file or a hub id org/name[@revision]")
    lora: int = _key(0, "Model", "rank of LoRA adapters; 0 trains every weight", ge=0)
    dtype: Literal["float32", "bfloat16"] = _key("float32", "Model", "of weights and computation")
    device: str = _key("auto", "Model", "auto, cpu, cuda or cuda:N")
    prompt_template: str | None = _key(None, "Model", "text with {question}; default: the model's own (chat template, ttrl.json) or a plain one")

    questions: str = _key("word-problems", "Questions", "'word-problems' (embedded), a .jsonl .json .csv .parquet file, or hub:org/name[@revision]:split")
    question_column: str | None = _key(None, "Questions", "column with the question; found by its name when left out")
    answers: str | None = _key(None, "Questions", "answer column, or a file with answers: for evaluation only, training never sees it")
    holdout: str | None = _key(None, "Questions", "share in (0, 1) of the questions, or a file, kept for evaluation only")
    limit: int | None = _key(None, "Questions", "use the first N questions", ge=1)
    difficulty: int = _key(4, "Questions", "days in each embedded word problem", ge=1, le=7)
    data_seed: int = _key(0, "Questions", "decides which questions are held out and which fresh ones are made; apart from `seed`, so that runs of several seeds share their questions", ge=0)
    task_column: str | None = _key(None, "Questions", "column with the task of each question, where a file mixes several")
    options_column: str | None = _key(None, "Questions", "column with a list of options (choice) or labels (label); default: as listed in the question")
    level_column: str | None = _key(None, "Questions", "column with how hard each question is, for tables by level; found by its name when left out")
    transfer: tuple[str, ...] = _key((), "Questions", "files of other questions, evaluated before and after and never trained on: docs/fresh.md")
    fresh: tuple[str, ...] = _key((), "Questions", "questions made for this run, for evaluation only: generated, perturbed or gym:<task>: docs/fresh.md")
    fresh_count: Positive = _key(128, "Questions", "most questions of each fresh set")
    equation_column: str | None = _key(None, "Questions", "column with the arithmetic that gives the answer, for perturbed copies; found by its name when left out")

    task: TaskName = _key("math", "Consensus", "how answers are asked for, extracted and compared: docs/answers.md")
    reward: str = _key("agreement", "Consensus", "agreement (majority; similarity for text and code), majority, soft, selective, confidence, similarity, medoid, threshold, the controls random and format, answer-key (TRUE LABELS, an upper bound that is not TTRL), or package.module:function: docs/rewards.md")
    last_number: bool = _key(False, "Consensus", "without a marked answer take the last number of the text; invents votes")
    text_measure: TextMeasure = _key("rouge-l", "Consensus", "similarity of texts")
    similarity_threshold: Share = _key(0.5, "Consensus", "reward threshold: similarity to the medoid that earns 1")
    confidence_temperature: float = _key(1.0, "Consensus", "reward confidence: a large one gives the plain vote", gt=0, allow_inf_nan=False)
    selective_share: Share = _key(0.375, "Consensus", "reward selective: share of votes that makes a label")
    selective_margin: Rate = _key(0.125, "Consensus", "reward selective: lead over the second answer, in shares", le=1)
    selective_negative: Rate = _key(0.125, "Consensus", "reward selective: answers below this share are punished", le=1)
    selective_entropy: Rate = _key(0.1, "Consensus", "reward selective: weight of an answer's excess entropy")

    algorithm: AlgorithmName = _key("grpo", "Learning", "reinforcement-learning algorithm under the consensus: docs/algorithms.md")
    steps: int = _key(60, "Learning", "training steps", ge=0)
    questions_per_step: Positive = _key(16, "Learning", "questions sampled in each step")
    votes_per_question: Positive = _key(64, "Learning", "completions that vote on each question (M)")
    trained_per_question: Positive = _key(32, "Learning", "of these, completions that are trained on (K <= M)")
    votes: Literal["fixed", "adaptive"] = _key("fixed", "Learning", "fixed: M on every question; adaptive: fewer where more would hardly change the winner")
    adaptive_first: int = _key(16, "Learning", "adaptive votes: drawn before the first look; then twice as many, up to M", ge=2)
    adaptive_error: Rate = _key(0.05, "Learning", "adaptive votes: share of questions whose winner may be another than that of M votes; 0 stops only what is certain", lt=0.5)
    trained_choice: Literal["first", "random", "spread"] = _key("first", "Learning", "which K of the M: the first, random ones, or those whose rewards vary most")
    mask_truncated: bool = _key(False, "Learning", "do not train on completions cut at max_tokens (they vote and earn as ever)")
    updates_per_step: Positive = _key(1, "Learning", "optimizer updates in one pass over the samples of a step, each on whole questions")
    passes_per_step: Positive = _key(1, "Learning", "passes over the samples of a step")
    learning_rate: Rate = _key(2e-4, "Learning", "peak; about 1e-6 for full training and 1e-5 for LoRA of models over 0.1 B parameters", le=1000)
    schedule: Literal["constant", "cosine"] = _key("constant", "Learning", "after warm-up")
    warmup_steps: int = _key(5, "Learning", "steps of linear warm-up", ge=0)
    weight_decay: Rate = _key(0.0, "Learning", "decoupled (AdamW)")
    adam_beta2: float = _key(0.99, "Learning", "second-moment decay of AdamW", gt=0, lt=1)
    clip_norm: float = _key(1.0, "Learning", "largest norm of a gradient", gt=0, allow_inf_nan=False)
    stop_after_silent_steps: Positive = _key(20, "Learning", "end after so many steps in a row without a gradient (full agreement)")
    micro_batch_tokens: Positive = _key(8192, "Learning", "tokens in one forward and backward pass; bounds memory, not the result")
    gradient_checkpointing: bool = _key(False, "Learning", "make activations again in the backward pass: less memory, about a third more time")

    clip_low: float | None = _own("the probability ratio counts down to 1 - this", gt=0, lt=1)
    clip_high: float | None = _own("the probability ratio counts up to 1 + this", gt=0, allow_inf_nan=False)
    dual_clip: Rate | None = _own("largest ratio that counts where the advantage is negative, over 1; 0: no limit")
    loss_aggregation: Literal["token-mean", "sequence-mean", "constant"] | None = _own("mean over tokens; over each completion's tokens, then completions; or divided by completions x max_tokens")
    kl_coefficient: Rate | None = _own("weight of the KL term to the base model; 0 needs no reference")
    kl_estimator: Literal["k1", "k2", "k3"] | None = _own("of the KL term")
    kl_in: Literal["loss", "reward"] | None = _own("where the KL term is added")
    entropy_coefficient: Rate | None = _own("weight of an entropy bonus in the loss")
    advantage_clip: Rate | None = _own("largest advantage, either way; 0: no limit")
    importance_cap: Rate | None = _own("weigh losses by trainer / sampler probability, at most this; 0: the ratio is taken to the sampler itself")
    refill_rounds: int | None = _own("rounds in which questions without two different rewards are replaced by others", ge=0)
    gae_lambda: float | None = _own("of generalized advantage estimation", ge=0, le=1)
    value_clip: Rate | None = _own("farthest that a value moves in a step; 0: no limit")
    critic_learning_rate: Rate | None = _own("peak of the critic's, on the same schedule", le=1000)
    dpo_beta: float | None = _own("strength of the tie to the base model", gt=0, allow_inf_nan=False)
    dpo_loss: Literal["sigmoid", "sigmoid-norm", "ipo"] | None = _own("of a pair: DPO's, the same per token of each completion, or IPO's")
    dpo_label_smoothing: Rate | None = _own("assumed share of pairs the wrong way round", lt=0.5)
    prime_beta: float | None = _own("scale of the implicit reward", gt=0, allow_inf_nan=False)
    prime_learning_rate: Rate | None = _own("peak of the implicit reward model's, on the same schedule", le=1000)

    temperature: float = _key(1.0, "Sampling", "of the votes", gt=0, allow_inf_nan=False)
    top_p: Share = _key(1.0, "Sampling", "of the votes")
    top_k: int = _key(0, "Sampling", "of the votes; 0 keeps all", ge=0)
    max_tokens: Positive = _key(96, "Sampling", "longest completion")
    stop: tuple[str, ...] = _key((), "Sampling", "texts that end a completion")
    sampling_dtype: Literal["model", "bfloat16"] = _key("model", "Sampling", "of drawing votes; bfloat16 is faster for a float32 model, whose updates and evaluations stay as they are")
    sampler_rows: Positive = _key(1024, "Sampling", "completions drawn side by side; bounds memory, not the result")

    samples: Positive = _key(64, "Evaluation", "completions per question before and after training")
    eval_temperature: float = _key(0.6, "Evaluation", "temperature of evaluation; 0 is greedy", ge=0, allow_inf_nan=False)
    eval_top_p: Share = _key(0.95, "Evaluation", "top-p of evaluation")
    eval_limit: int | None = _key(None, "Evaluation", "evaluate on the first N questions of each set", ge=1)

    eval_sets: tuple[str, ...] = _key((), "Evaluation", "evaluate these sets only, such as unlabeled and heldout; default: all there are")

    engine: Literal["native", "trl"] = _key("native", "Engine", "what samples and updates: ttrl's own, on one device; or TRL's GRPOTrainer, on any number: docs/trl.md")
    vllm: Literal["off", "colocate", "server"] = _key("off", "Engine", "engine trl: sample with vLLM, in the training processes or from a server of `trl vllm-serve`")
    trl: tuple[str, ...] = _key((), "Engine", "engine trl: further fields of its GRPOConfig, as KEY=VALUE")

    seed: int = _key(0, "Run", "every random decision but the choice of questions derives from it", ge=0)
    base_evaluations: str | None = _key(None, "Run", "folder of a `ttrl eval` of the same model, questions and settings whose figures stand for those before training")
    out: str | None = _key(None, "Run", "run directory; default: runs/<model>-<time>")
    checkpoint_every: Positive = _key(20, "Run", "steps between checkpoints")
    config: tuple[str, ...] = _key((), "Run", "YAML files, the later one wins; 'paper' is built in")
    resume: str | None = _key(None, "Run", "run directory to go on with, under its own config")
    report_to: tuple[ReportTo, ...] = _key((), "Run", "experiment trackers that metrics are sent to as well: tensorboard, wandb, trackio, mlflow; all: those that are installed")
    dry_run: bool = _key(False, "Run", "say what would happen, then stop")
    json_output: bool = Field(default=False, alias="json", description="one JSON object as the last line of standard output", json_schema_extra={"group": "Run"})
    # fmt: on

    @model_validator(mode="before")
    @classmethod
    def _algorithm_defaults(cls, given: dict[str, Any]) -> dict[str, Any]:
        row = _row(given)
        return given | {key: value for key, value in row.items() if given.get(key) is None}


INVOCATION_KEYS = frozenset(
    {"config", "resume", "dry_run", "json", "out", "report_to", "base_evaluations"}
)
"""Keys that say how a command was called, not what the run is."""


_SWITCHES = frozenset(
    {"dry_run", "gradient_checkpointing", "json", "last_number", "mask_truncated"}
)


def key_names() -> list[str]:
    """Every key as it is written in YAML."""
    return [field.alias or name for name, field in RunConfig.model_fields.items()]


def group_of(field: FieldInfo) -> str:
    """The heading under which a key is listed."""
    extra = field.json_schema_extra
    return str(extra["group"]) if isinstance(extra, dict) else ""


def keys_of_groups(groups: Collection[str]) -> list[str]:
    """The keys under these headings, as they are written in YAML."""
    fields = RunConfig.model_fields.items()
    return [field.alias or name for name, field in fields if group_of(field) in groups]


def keys_read_by(reader: Literal["train", "eval"]) -> list[str]:
    """The keys that a command reads."""
    if reader == "train":
        return key_names()
    groups = ("Model", "Questions", "Consensus", "Sampling", "Evaluation", "Run")
    return [key for key in keys_of_groups(groups) if key not in _OF_TRAINING]


_OF_TRAINING = frozenset(
    {
        "reward", "similarity_threshold", "confidence_temperature", "selective_share", "selective_margin",
        "selective_negative", "selective_entropy", "temperature", "top_p", "top_k", "resume", "report_to",
        "checkpoint_every", "base_evaluations",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedConfig:
    """A valid config and where each of its values came from."""

    values: RunConfig
    sources: Mapping[str, str]
    given: frozenset[str]
    """Keys that somebody set; the rest are defaults."""

    def as_dict(self, *, invocation: bool = True) -> dict[str, Any]:
        """Plain values by key, as YAML and JSON hold them."""
        dumped = self.values.model_dump(mode="json", by_alias=True)
        return {k: v for k, v in dumped.items() if invocation or k not in INVOCATION_KEYS}

    def as_yaml(self) -> str:
        """What `config.yaml` of a run directory holds: it runs again to the same bits."""
        return str(
            yaml.safe_dump(self.as_dict(invocation=False), sort_keys=False, allow_unicode=True)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """Everything that was said, before it is checked."""

    merged: Mapping[str, Any]
    sources: Mapping[str, str]
    """Of the keys in `merged`."""
    own: frozenset[str]
    """Keys that somebody set, and not only a preset."""
    beside: Mapping[str, Any]
    """Keys of the command that are none of a run's."""


def resolve(
    command_line: Mapping[str, Any], *, environment: Mapping[str, str] | None = None
) -> ResolvedConfig:
    """Merges the layers and validates the outcome.

    Args:
        command_line: only what was given, by key; values may be strings.
        environment: `os.environ` when left out.

    Raises:
        ConfigError: an unknown key (the nearest name is offered), a bad value, a contradiction, a bad file.
    """
    return settle(read_layers(command_line, environment=environment))


def settle(layers: Layers, *, below: Mapping[str, Any] | None = None) -> ResolvedConfig:
    """Validates layers.

    Args:
        below: values that all layers lie on instead of defaults: those of a run that is resumed.

    Raises:
        ConfigError: a bad value, or a contradiction.
    """
    sources = dict(layers.sources)
    merged = {k: v for k, v in (below or {}).items() if v is not None} | dict(layers.merged)
    read = _row(merged)
    for key in [k for k in merged if k in ALGORITHM_KEYS - read.keys() and k not in layers.own]:
        merged.pop(
            key
        )  # a preset serves all algorithms, and a run may be asked for another by mistake
        sources.pop(key, None)
    for key, value in merged.items():
        if isinstance(value, bool) and key not in _SWITCHES:
            raise ConfigError(f"{sources[key]}: {key}={value}: wanted a value, not yes or no.")
    for key in ("stop", "trl"):  # whose texts may hold commas
        if isinstance(merged.get(key), str):
            merged[key] = (merged[key],)
    for key in ("report_to", "eval_sets", "transfer", "fresh"):
        if key in merged:
            merged[key] = _separated(merged[key])
    if isinstance(merged.get("holdout"), int | float):
        merged["holdout"] = str(merged["holdout"])
    try:
        config = RunConfig(**merged)
    except ValidationError as error:
        raise ConfigError(_explain(error, sources)) from None
    check_together(config, sources)
    return ResolvedConfig(
        values=config,
        given=frozenset(sources),
        sources={key: sources.get(key) or _default_of(key, config) for key in key_names()},
    )


def read_layers(
    command_line: Mapping[str, Any],
    *,
    environment: Mapping[str, str] | None = None,
    command_keys: Collection[str] = (),
    source: str = "command line",
) -> Layers:
    """YAML files, environment and command line, each file read once: it may be a pipe.

    Args:
        command_keys: further keys that the command reads itself, by the same precedence.
        source: what messages call the place where `command_line` was given.

    Raises:
        ConfigError: an unknown key, or a bad file.
    """
    environment = os.environ if environment is None else environment
    merged: dict[str, Any] = {}
    beside: dict[str, Any] = {}
    sources: dict[str, str] = {}
    own: set[str] = set()

    def lay(values: Mapping[str, Any], source: str, *, preset: bool = False) -> None:
        for key, value in values.items():
            if key in command_keys:
                beside[key] = value
                continue
            if key not in key_names():
                raise ConfigError(_unknown(key, source))
            merged[key] = value
            sources[key] = source
            if not preset:
                own.add(key)

    from_environment = {
        name.removeprefix(ENVIRONMENT_PREFIX).lower(): value
        for name, value in sorted(environment.items())
        if name.startswith(ENVIRONMENT_PREFIX)
    }
    files = command_line.get("config") or from_environment.get("config") or ()
    if isinstance(files, str):
        files = tuple(part for part in files.split(",") if part)
    for file in files:
        for path, values in _read_with_includes(file, ()):
            lay(values, path, preset=_is_preset(path))
    lay(from_environment, "environment")
    lay(command_line, source)
    if files:
        merged["config"] = files
    return Layers(merged=merged, sources=sources, own=frozenset(own), beside=beside)


def _separated(value: object) -> object:
    """The names in `a,b`, or in a list of such texts; anything else as it is, to be refused later."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        return value
    return tuple(name.strip() for text in texts for name in text.split(",") if name.strip())


def _default_of(key: str, config: RunConfig) -> str:
    if key not in ALGORITHM_KEYS:
        return "default"
    read = key in ALGORITHM_SETTINGS[config.algorithm]
    return f"default of {config.algorithm}" if read else f"not read by {config.algorithm}"


def _row(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Defaults of the algorithm that is asked for; none of one that does not exist, which is refused later."""
    name = given.get("algorithm", "grpo")
    return ALGORITHM_SETTINGS.get(name, {}) if isinstance(name, str) else {}  # type: ignore[call-overload]


def _read_with_includes(file: str, above: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    """The file's values, after those of the files that its own `config` key names."""
    if any(os.path.realpath(file) == os.path.realpath(other) for other in above):
        raise ConfigError(f"config file {file} includes itself ({' > '.join((*above, file))}).")
    values = _read_yaml(file)
    included = values.get("config") or ()
    names = [included] if isinstance(included, str) else included
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise ConfigError(
            f"config file {file}: config={included!r}: wanted a file or a list of files."
        )
    layers = []
    for name in names:
        beside = Path(file).parent / name
        inner = str(beside) if beside.exists() else name
        layers += _read_with_includes(inner, (*above, file))
    return [*layers, (file, values)]


def _preset(name: str) -> Traversable:
    return importlib.resources.files("ttrl") / "presets" / f"{name}.yaml"


def _is_preset(file: str) -> bool:
    """Built in; a file of that name wins."""
    return not Path(file).exists() and file.isidentifier() and _preset(file).is_file()


def _read_yaml(file: str) -> dict[str, Any]:
    try:
        text = (_preset(file) if _is_preset(file) else Path(file)).read_text("utf-8")
        values = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"config file {file} cannot be read: {error}.") from None
    except YAML_ERRORS as error:
        raise ConfigError(f"config file {file} is not valid YAML: {error}") from None
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise ConfigError(
            f"config file {file} holds a {type(values).__name__}; wanted lines like 'steps: 40'."
        )
    return values


def _unknown(key: str, source: str) -> str:
    """In the spelling of where it was found."""

    def spelled(name: str) -> str:
        if source == "environment":
            return ENVIRONMENT_PREFIX + name.upper()
        return "--" + name.replace("_", "-") if source == "command line" else name

    near = difflib.get_close_matches(key.replace("-", "_"), key_names(), n=1, cutoff=0.5)
    hint = f" Did you mean {spelled(near[0])}?" if near else ""
    return f"{source}: unknown key {spelled(key)!r}.{hint} `ttrl config` lists every key."


def _explain(error: ValidationError, sources: Mapping[str, str]) -> str:
    lines = []
    for problem in error.errors():
        key = str(problem["loc"][0]) if problem["loc"] else "config"
        got = problem.get("input")
        lines.append(f"{sources.get(key, 'default')}: {key}={got!r}: {problem['msg'].lower()}.")
    return "\n".join(lines) + "\n`ttrl config` shows every key with its value and source."
