"""Every setting of a run: its key, type, default, help and readers, in one line each.

No default depends on another key, except in the group Algorithm, where each algorithm has its own
(`ttrl.algorithm_settings`). The defaults suit the embedded model; `--config paper` holds the published
settings for models of a billion parameters.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from ttrl.algorithm_settings import ALGORITHM_SETTINGS, AdvantageName, AlgorithmName
from ttrl.types import TASKS_OF_VIEWS, SourceName, TaskName, TextMeasure, ViewName

RUN = "train probe study sweep config"
"""The commands that take a whole run's settings. Readers are commands, and the two adapters whose settings
come from a script or another program's config: Overlay (`ttrl.overlays.trl`) and verl."""
EVAL = f"{RUN} eval"
DATA = f"{EVAL} export-data"
VOTE = f"{RUN} vote Overlay verl"
ANSWERS = f"{VOTE} eval"


def _separated(value: object) -> object:
    """The names in `a,b`, or in a list of such texts; anything else unchanged, to be refused later."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        return value
    return tuple(name.strip() for text in texts for name in text.split(",") if name.strip())


def _listed(value: object) -> object:
    """One text as a list of it: such texts may contain commas."""
    return (value,) if isinstance(value, str) else value


def _spelled(value: object) -> object:
    """A number of a YAML file as the text that the command line has for it."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if number else value


Positive = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, le=1)]
ReportTo = Literal["tensorboard", "wandb", "trackio", "mlflow", "all", "none"]
Names = Annotated[tuple[str, ...], BeforeValidator(_separated)]
Views = Annotated[tuple[Literal[ViewName, "auto"], ...], BeforeValidator(_separated)]
LabelVotes = Annotated[tuple[SourceName, ...], BeforeValidator(_separated)]
Augmentations = Annotated[tuple[Literal["perturbed"], ...], BeforeValidator(_separated)]
Trackers = Annotated[tuple[ReportTo, ...], BeforeValidator(_separated)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_listed)]
ShareOrFile = Annotated[str | None, BeforeValidator(_spelled)]


def _key(
    default: Any,
    group: str,
    text: str,
    readers: str = RUN,
    *,
    invocation: bool = False,
    of_files: bool = False,
    per_run: str | None = None,
    **limits: Any,
) -> Any:
    """One key. `Key` says what the arguments mean; `limits` are those of pydantic's `Field`."""
    extra: dict[str, Any] = {"group": group, "readers": readers.split(), "per_run": per_run}
    extra |= {"invocation": invocation, "of_files": of_files}
    return Field(default=default, description=text, json_schema_extra=extra, **limits)


def _own(text: str, **limits: Any) -> Any:
    """A parameter of some algorithms; its default is that of the algorithm that runs."""
    return _key(None, "Algorithm", text, **limits)


def _call(default: Any, text: str, readers: str, **more: Any) -> Any:
    """A key that says how a command was called, and not what the run is."""
    return _key(default, "Run", text, readers, invocation=True, **more)


class RunConfig(BaseModel):
    """Every setting of a run, resolved."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    # fmt: off
    model: str = _key("ttrl-tiny", "Model", "'ttrl-tiny' (embedded), a folder, a .gguf file, or a Hugging Face id org/name[@revision]", EVAL)
    lora: int = _key(0, "Model", "rank of the LoRA adapters; 0 trains all weights", EVAL, ge=0)
    dtype: Literal["float32", "bfloat16"] = _key("float32", "Model", "type of the weights and of computation", EVAL)
    device: str = _key("auto", "Model", "auto, cpu, cuda or cuda:N", EVAL)
    prompt_template: str | None = _key(None, "Model", "text with {question}; default: the model's own (chat template or ttrl.json), else a plain one", EVAL)

    questions: str = _key("word-problems", "Questions", "'word-problems' (embedded), a .jsonl, .json, .csv or .parquet file, or hub:org/name[@revision]:split", DATA)
    question_column: str | None = _key(None, "Questions", "column with the question; default: found by name", DATA, of_files=True)
    answers: str | None = _key(None, "Questions", "column or file with the true answers, used for evaluation only: training never sees them", DATA, of_files=True)
    holdout: ShareOrFile = _key(None, "Questions", "share (between 0 and 1) of the questions, or a file of questions, used for evaluation only", DATA, of_files=True)
    limit: int | None = _key(None, "Questions", "use only the first N questions", DATA, ge=1)
    difficulty: int = _key(4, "Questions", "days in each embedded word problem", DATA, ge=1, le=7)
    data_seed: int = _key(0, "Questions", "seed for holding out questions and making fresh ones; separate from --seed, so that runs with different seeds share their questions", DATA, ge=0)
    task_column: str | None = _key(None, "Questions", "column with each question's task, for files that mix tasks", f"{DATA} Overlay", of_files=True)
    options_column: str | None = _key(None, "Questions", "column with a list of options (choice) or labels (label); default: as listed in the question", f"{DATA} Overlay", of_files=True)
    level_column: str | None = _key(None, "Questions", "column with each question's level of difficulty, for tables by level; default: found by name", EVAL, of_files=True)
    transfer: Names = _key((), "Questions", "files of other questions, evaluated before and after training and never trained on: docs/fresh.md", EVAL)
    fresh: Names = _key((), "Questions", "sets of new questions, made for evaluation only: generated, perturbed or gym:<task>: docs/fresh.md", EVAL)
    fresh_count: Positive = _key(128, "Questions", "maximum number of questions in each fresh set", EVAL)
    equation_column: str | None = _key(None, "Questions", "column with the arithmetic that gives the answer, for perturbed copies; default: found by name", EVAL, of_files=True)

    task: TaskName = _key("math", "Consensus", "how answers are requested, extracted and compared: docs/answers.md", f"{ANSWERS} export-data")
    reward: str = _key("agreement", "Consensus", "agreement (majority; similarity for text and code), majority, soft, selective, confidence, similarity, medoid, threshold, novel; the controls random and format; answer-key (TRUE LABELS: an upper bound, not TTRL); or package.module:function: docs/rewards.md", VOTE)
    last_number: bool = _key(False, "Consensus", "if no answer is marked, take the last number in the text; this invents votes", ANSWERS)
    restrain_center: float = _key(1.0, "Consensus", "advantage restrain: share of the votes whose answer weighs most as a label", VOTE, ge=0, le=1)
    restrain_width: float = _key(0.5, "Consensus", "advantage restrain: standard deviation of that weight", VOTE, gt=0, allow_inf_nan=False)
    restrain_least: Rate = _key(0.0, "Consensus", "advantage restrain: below this share of the votes all completions of a question are punished", VOTE, le=1)
    restrain_penalty: Rate = _key(1.0, "Consensus", "advantage restrain: that punishment", VOTE)
    text_measure: TextMeasure = _key("rouge-l", "Consensus", "how the similarity of texts is measured", ANSWERS)
    similarity_threshold: Share = _key(0.5, "Consensus", "reward threshold: similarity to the medoid that is rewarded with 1", VOTE)
    confidence_temperature: float = _key(1.0, "Consensus", "reward confidence: temperature of the weights; a large one gives the plain vote", VOTE, gt=0, allow_inf_nan=False)
    selective_share: Share = _key(0.375, "Consensus", "reward selective: smallest share of the votes that makes a label", VOTE)
    selective_margin: Rate = _key(0.125, "Consensus", "reward selective: lead over the second answer, as a share of the votes", VOTE, le=1)
    selective_negative: Rate = _key(0.125, "Consensus", "reward selective: answers with a smaller share of the votes are punished", VOTE, le=1)
    selective_entropy: Rate = _key(0.1, "Consensus", "reward selective: weight of an answer's excess entropy", VOTE)

    algorithm: AlgorithmName = _key("grpo", "Learning", "reinforcement-learning algorithm: docs/algorithms.md")
    steps: int = _key(60, "Learning", "training steps", ge=0)
    questions_per_step: Positive = _key(16, "Learning", "questions sampled in each step")
    votes_per_question: Positive = _key(64, "Learning", "completions that vote on each question (M)", f"{RUN} export-data Overlay")
    trained_per_question: Positive = _key(32, "Learning", "how many of the M votes are trained on (K <= M)")
    votes: Literal["fixed", "adaptive"] = _key("fixed", "Learning", "fixed: M votes on every question; adaptive: fewer where more would hardly change the winner")
    adaptive_first: int = _key(16, "Learning", "adaptive votes: completions drawn before the first look; their number then doubles, up to M", ge=2)
    adaptive_error: Rate = _key(0.05, "Learning", "adaptive votes: share of questions whose winner may differ from that of M votes; 0 stops only when the winner is certain", lt=0.5)
    trained_choice: Literal["first", "random", "spread", "extremes"] = _key("first", "Learning", "which K of the M votes: the first, random ones, those whose rewards vary most, or those of the most and the least frequent answers", f"{RUN} Overlay verl")
    views: Views = _key(("auto",), "Labels", "ask each question in other words too, with the M - K votes that are not trained on, or in eval beside the plain completions: facts (swapped between days), names, options (permuted), identifiers; an empty text: none; auto: facts, where they can be swapped and the other settings allow it: docs/labels.md", f"{RUN} eval")
    view_count: Positive = _key(8, "Labels", "most different views of one question in one step", f"{RUN} eval")
    label_votes: LabelVotes = _key((), "Labels", "further votes that elect the label and are not trained on: base, visits (earlier ones), teacher, peer: docs/labels.md")
    further_votes: Positive = _key(32, "Labels", "completions of the base, of the teacher and of the peer on each question")
    label_temperature: float = _key(0.6, "Labels", "temperature of votes that elect and are not trained on: those on views, and of the base, the teacher and the peer", gt=0, allow_inf_nan=False)
    label_rule: Literal["pooled", "harmonic"] = _key("pooled", "Labels", "how the votes on a question and its further votes elect: counted together, or by the harmonic mean of their two shares")
    visit_decay: Rate = _key(0.5, "Labels", "weight of a question's votes at its last visit, and again for each visit before", le=1)
    teacher_decay: float = _key(0.99, "Labels", "share of the teacher's weights that stays in a step at first; it rises to 0.9999 by a cosine", ge=0, lt=1)
    peer: str | None = _key(None, "Labels", "another model that stays as it is and votes too: as for --model")
    verifier: str | None = _key(None, "Labels", "a program that weighs the votes: JSON lines on its standard input and output: docs/labels.md", VOTE)
    verifier_weight: float = _key(5.0, "Labels", "weight of a vote that the verifier confirms without naming a weight", VOTE, gt=0, le=1e9)
    verifier_seconds: float = _key(10.0, "Labels", "time limit of the verifier for one vote", VOTE, gt=0, le=86_400)
    augment: Augmentations = _key((), "Labels", "train on copies of the questions too: perturbed (other numbers; their answers are not needed): docs/labels.md")
    augment_copies: Positive = _key(1, "Labels", "copies of each question; all are visited once before one comes again")
    mask_truncated: bool = _key(False, "Learning", "do not train on completions cut off at max_tokens (they still vote and are rewarded)")
    updates_per_step: Positive = _key(1, "Learning", "optimizer updates in one pass over the samples of a step; each uses whole questions")
    passes_per_step: Positive = _key(1, "Learning", "passes over the samples of a step")
    learning_rate: Rate = _key(2e-4, "Learning", "peak learning rate; for models above 0.1B parameters about 1e-6 (all weights) or 1e-5 (LoRA)", le=1000)
    schedule: Literal["constant", "cosine"] = _key("constant", "Learning", "how the learning rate changes after warm-up")
    warmup_steps: int = _key(5, "Learning", "steps of linear warm-up", ge=0)
    weight_decay: Rate = _key(0.0, "Learning", "decoupled weight decay of AdamW")
    adam_beta2: float = _key(0.99, "Learning", "second-moment decay of AdamW", gt=0, lt=1)
    clip_norm: float = _key(1.0, "Learning", "maximum norm of a gradient", gt=0, allow_inf_nan=False)
    guard: Literal["stop", "warn", "slow", "off"] = _key("stop", "Learning", "what happens when a run without labels shows signs of collapse: stop, warn, halve the learning rate, or do not look: docs/guard.md")
    stop_after_silent_steps: Positive = _key(20, "Learning", "stop after this many consecutive steps without a gradient (full agreement)")
    micro_batch_tokens: Positive = _key(8192, "Learning", "tokens in one forward and backward pass; limits memory, does not change the result")
    gradient_checkpointing: bool = _key(False, "Learning", "recompute activations in the backward pass: less memory, about a third more time")

    advantage: AdvantageName | None = _own("how rewards become advantages: normalized (divided by their standard deviation), centered, fixed (+1 or -1), marginal (expected over redrawn votes), entropy-scaled, or restrain (over all answers as labels): docs/algorithms.md")
    clip_low: float | None = _own("the probability ratio is clipped below at 1 - this", gt=0, lt=1)
    clip_high: float | None = _own("the probability ratio is clipped above at 1 + this", gt=0, allow_inf_nan=False)
    dual_clip: Rate | None = _own("maximum ratio (above 1) for negative advantages; 0: no limit")
    loss_aggregation: Literal["token-mean", "sequence-mean", "constant"] | None = _own("token-mean: mean over all tokens; sequence-mean: over each completion's tokens, then over completions; constant: sum divided by completions x max_tokens")
    kl_coefficient: Rate | None = _own("weight of the KL term to the base model; 0 needs no reference model")
    kl_estimator: Literal["k1", "k2", "k3"] | None = _own("estimator of the KL term")
    kl_in: Literal["loss", "reward"] | None = _own("where the KL term is added")
    entropy_coefficient: Rate | None = _own("weight of an entropy bonus in the loss")
    advantage_clip: Rate | None = _own("maximum absolute advantage; 0: no limit")
    importance_cap: Rate | None = _own("weight losses by the ratio of trainer to sampler probability, capped at this; 0: the clipped ratio itself is relative to the sampler")
    refill_rounds: int | None = _own("rounds in which questions whose rewards are all equal are replaced by others", ge=0)
    gae_lambda: float | None = _own("lambda of generalized advantage estimation", ge=0, le=1)
    value_clip: Rate | None = _own("maximum change of a value in one step; 0: no limit")
    critic_learning_rate: Rate | None = _own("peak learning rate of the critic, on the same schedule", le=1000)
    dpo_beta: float | None = _own("strength of the tie to the base model", gt=0, allow_inf_nan=False)
    dpo_loss: Literal["sigmoid", "sigmoid-norm", "ipo"] | None = _own("loss of a pair: DPO's, the same per token of each completion, or IPO's")
    dpo_label_smoothing: Rate | None = _own("assumed share of pairs that are the wrong way round", lt=0.5)
    prime_beta: float | None = _own("scale of the implicit reward", gt=0, allow_inf_nan=False)
    prime_learning_rate: Rate | None = _own("peak learning rate of the implicit reward model, on the same schedule", le=1000)

    temperature: float = _key(1.0, "Sampling", "temperature of the votes", gt=0, allow_inf_nan=False)
    top_p: Share = _key(1.0, "Sampling", "top-p of the votes")
    top_k: int = _key(0, "Sampling", "top-k of the votes; 0 keeps all tokens", ge=0)
    max_tokens: Positive = _key(96, "Sampling", "maximum tokens of a completion", EVAL)
    stop: Texts = _key((), "Sampling", "texts that end a completion", EVAL)
    sampling_dtype: Literal["model", "bfloat16"] = _key("model", "Sampling", "type in which votes are sampled; bfloat16 is faster for a float32 model and leaves its updates and evaluations unchanged", EVAL)
    sampler_rows: Positive = _key(1024, "Sampling", "completions sampled side by side; limits memory, does not change the result", EVAL)

    samples: Positive = _key(64, "Evaluation", "completions per question in each evaluation", EVAL)
    eval_temperature: float = _key(0.6, "Evaluation", "temperature in evaluations; 0 is greedy", EVAL, ge=0, allow_inf_nan=False)
    eval_top_p: Share = _key(0.95, "Evaluation", "top-p in evaluations", EVAL)
    eval_limit: int | None = _key(None, "Evaluation", "evaluate only the first N questions of each set", EVAL, ge=1)

    eval_sets: Names = _key((), "Evaluation", "evaluate only these sets, such as unlabeled and heldout; default: all", EVAL)

    engine: Literal["native", "trl"] = _key("native", "Engine", "what samples and updates: ttrl itself, on one device; or TRL's GRPOTrainer, on any number of devices: docs/trl.md")
    vllm: Literal["off", "colocate", "server"] = _key("off", "Engine", "engine trl: sample with vLLM, inside the training processes or from a `trl vllm-serve` server")
    trl: Texts = _key((), "Engine", "engine trl: further fields of its GRPOConfig, as KEY=VALUE")

    seed: int = _key(0, "Run", "seed of every random decision except the choice of questions (--data-seed)", "train probe config eval vote Overlay verl", ge=0, per_run="the seeds of all runs are named by --seeds")
    base_evaluations: str | None = _call(None, "folder of a `ttrl eval` of the same model, questions and settings, whose figures replace the evaluation before training", "train config", per_run="each run gets its own")
    out: str | None = _call(None, "run directory; default: runs/<model>-<time>", "train study sweep config eval vote")
    keep: Literal["last", "best"] = _key("last", "Run", "the checkpoint that is evaluated and exported: the last, or the one that looks best without labels: docs/guard.md")
    checkpoint_every: Positive = _key(20, "Run", "steps between checkpoints", "train study sweep config")
    config: tuple[str, ...] = _call((), "YAML files, later ones win; 'paper' (the published settings) is built in", f"{DATA} vote")
    resume: str | None = _call(None, "run directory to continue, with its own settings", "train study sweep config")
    report_to: Trackers = _call((), "experiment trackers that also receive the metrics: tensorboard, wandb, trackio, mlflow; all: every one that is installed", "train study sweep config")
    dry_run: bool = _call(False, "show what would happen, then stop", "train study sweep config eval")
    json_output: bool = _call(False, "print one JSON object as the last line of standard output", f"{DATA} vote report export", alias="json")
    # fmt: on

    @property
    def view_names(self) -> tuple[ViewName, ...]:
        """Returns the means by which a run asks questions in other words, with `auto` resolved."""
        named = tuple(name for name in self.views if name != "auto")
        if "auto" not in self.views:
            return named
        able = (
            self.trained_per_question < self.votes_per_question
            and (self.trained_choice, self.votes, self.engine) == ("first", "fixed", "native")
            and (self.task_column is not None or self.task in TASKS_OF_VIEWS["facts"])
        )
        return ("facts",) if able else ()

    @model_validator(mode="before")
    @classmethod
    def _algorithm_defaults(cls, given: dict[str, Any]) -> dict[str, Any]:
        row = algorithm_row(given)
        return given | {key: value for key, value in row.items() if given.get(key) is None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """The facts about one key, for parsers, error messages and help texts."""

    name: str
    """Name of the key as written in YAML."""
    annotation: Any
    """Type of the values, without limits."""
    default: Any
    help: str
    group: str
    """The heading under which it is listed."""
    readers: Collection[str]
    """The commands, and adapters, that read it."""
    invocation: bool
    """Whether it says how a command was called, not what the run is."""
    of_files: bool
    """Whether it describes a file of questions."""
    per_run: str | None
    """Why runs of one study or sweep cannot share it; None if they can."""

    @property
    def is_switch(self) -> bool:
        """Returns whether the key is a switch, on or off."""
        return self.annotation is bool

    @property
    def is_list(self) -> bool:
        """Returns whether the key takes any number of texts."""
        return get_origin(self.annotation) is tuple


def _keys() -> dict[str, Key]:
    found = {}
    for attribute, field in RunConfig.model_fields.items():
        about, name = field.json_schema_extra, field.alias or attribute
        assert isinstance(about, dict)
        found[name] = Key(
            name=name,
            annotation=field.annotation,
            default=field.default,
            help=str(field.description),
            **about,  # type: ignore[arg-type]
        )
    return found


KEYS: Mapping[str, Key] = _keys()
"""Every key by its name, in the order in which they are listed."""
INVOCATION_KEYS = frozenset(key.name for key in KEYS.values() if key.invocation)
"""Keys that say how a command was called, not what the run is."""


def key_names() -> list[str]:
    """Returns every key as written in YAML."""
    return list(KEYS)


def keys_of_groups(groups: Collection[str]) -> list[str]:
    """Returns the keys under these headings, as written in YAML."""
    return [key.name for key in KEYS.values() if key.group in groups]


def keys_read_by(reader: str) -> list[str]:
    """Returns the keys that a command (`eval`) or an adapter (`Overlay`, `verl`) reads."""
    return [key.name for key in KEYS.values() if reader in key.readers]


def algorithm_row(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the requested algorithm's defaults; none if it does not exist, which is an error later."""
    name = given.get("algorithm", "grpo")
    return ALGORITHM_SETTINGS.get(name, {}) if isinstance(name, str) else {}  # type: ignore[call-overload]
