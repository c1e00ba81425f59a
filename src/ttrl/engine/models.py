"""Finds and loads a causal language model, its tokenizer and its LoRA adapters; never runs remote code."""

from __future__ import annotations

import hashlib
import importlib.resources
import io
import json
import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from ttrl.errors import CheckpointError, ConfigError, ModelError
from ttrl.seeding import derive_seed

EMBEDDED = "ttrl-tiny"
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSource:
    """The location of a model's files."""

    spec: str
    kind: Literal["folder", "gguf", "hub"]
    path: str
    """A folder, a file, or a hub id without its revision."""
    revision: str | None = None

    def fingerprint(self) -> str:
        """Returns a sha256 over config, tokenizer and weights; over id and revision for a hub model.

        A run that is resumed must find the same one.
        """
        digest = hashlib.sha256()
        if self.kind == "hub":
            digest.update(f"{self.path}@{self.revision}".encode())
            return digest.hexdigest()
        path = Path(self.path)
        files = [path] if path.is_file() else sorted(p for p in path.iterdir() if p.is_file())
        for file in files:
            if file.suffix in {".gguf", ".safetensors", ".json", ".jinja", ".model"}:
                digest.update(file.name.encode() + b"\0")
                with file.open("rb") as stream:
                    digest.update(hashlib.file_digest(stream, "sha256").digest())
        return digest.hexdigest()


def find_model(spec: str) -> ModelSource:
    """Returns the source that `--model` names. A local path wins over a hub id of the same spelling.

    Raises:
        ModelError: nothing of that name, or a folder without a model in it.
    """
    path = Path(spec)
    try:
        there = path.exists()
    except OSError:  # a name too long to be one
        there = False
    if spec == EMBEDDED and not there:
        folder = importlib.resources.files("ttrl") / "embedded" / EMBEDDED
        return ModelSource(spec=spec, kind="folder", path=str(folder))
    if there and path.is_file():
        if path.suffix != ".gguf":
            raise ModelError(
                f"model {spec}: a file ending in {path.suffix or 'nothing'}; wanted a .gguf file or a "
                "folder with config.json and *.safetensors."
            )
        return ModelSource(spec=spec, kind="gguf", path=spec)
    if there and path.is_dir():
        _check_folder(path)
        return ModelSource(spec=spec, kind="folder", path=spec)
    if _HUB_ID.fullmatch(spec):
        name, _, revision = spec.partition("@")
        return ModelSource(spec=spec, kind="hub", path=name, revision=revision or None)
    raise ModelError(
        f"model {spec}: no such file or folder, and not a hub id (org/name[@revision]). "
        f"The embedded model is called {EMBEDDED!r}."
    )


def _check_folder(path: Path) -> None:
    if not (path / "config.json").is_file():
        adapter = (path / "adapter_config.json").is_file()
        hint = (
            " It holds a LoRA adapter, which has to be merged into its base first: that of a run by "
            "`ttrl export RUN --out FOLDER`, any other by peft's merge_and_unload."
            if adapter
            else ""
        )
        raise ModelError(f"model folder {path}: no config.json in it.{hint}")
    if not any(path.glob("*.safetensors")):
        pickled = any(path.glob("*.bin"))
        hint = (
            " Its *.bin files are pickles, which can run code when read: convert them to safetensors."
            if pickled
            else " Download or save the weights as *.safetensors."
        )
        raise ModelError(f"model folder {path}: no weights (*.safetensors) in it.{hint}")


PROMPT_FILE = "ttrl.json"
"""File of a model folder with {"prompt_template": "..."}, for models without a chat template."""

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A model and its tokenizer, ready for sampling and training."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    prompt_template: str | None
    """The template of the folder's ttrl.json, if there is one."""


def pick_device(name: str) -> torch.device:
    """Returns the device of that name; `auto` is CUDA if available, else the CPU.

    Raises:
        ConfigError: a device that does not exist here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        if device.type not in {"cpu", "cuda"}:
            raise RuntimeError(f"{device.type} devices are not supported.")
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"device={name!r}: {reason} Use 'auto' or 'cpu'.") from None
    return device


def load_model(source: ModelSource, *, dtype: str, device: torch.device) -> LoadedModel:
    """Loads weights and tokenizer.

    GGUF weights are dequantised into an ordinary model, so that they can be trained and saved.

    Raises:
        ModelError: files that are missing, broken, unreachable or of an architecture not supported.
    """
    path, options = _from(source)
    weights = dict(options)
    if source.kind == "gguf" and hasattr(transformers, "GgufConfig"):
        weights["quantization_config"] = transformers.GgufConfig(dequantize=True)
    if source.kind != "gguf":
        weights["use_safetensors"] = True
    with _without_bars(), _as_model_error(source):
        tokenizer = AutoTokenizer.from_pretrained(path, **options)
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            path,
            dtype=DTYPES[dtype],
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # reported below, by name
            **weights,
        )
        model, info = loaded
    wrong = sorted(info["missing_keys"]) + sorted(str(k[0]) for k in info["mismatched_keys"])
    if wrong:
        raise ModelError(
            f"model {source.spec}: {len(wrong)} of its tensors are missing or of another shape than "
            f"config.json says ({', '.join(wrong[:3])}{', ...' if len(wrong) > 3 else ''}); they would be "
            "random. Get the complete weights."
        )
    _forget_quantization(model)
    mend_generation_config(model)
    if tokenizer.eos_token_id is None and model.generation_config.eos_token_id is None:
        raise ModelError(
            f"model {source.spec}: neither its tokenizer nor its generation config names an end token, "
            "so no completion could end. Set eos_token in tokenizer_config.json."
        )
    return LoadedModel(
        model=model.to(device),
        tokenizer=tokenizer,
        prompt_template=_prompt_template(source),
    )


def load_prompting(source: ModelSource) -> tuple[PreTrainedTokenizerBase, str | None]:
    """Loads the tokenizer and the prompt template, without any weights.

    Raises:
        ModelError: as `load_model`.
    """
    path, options = _from(source)
    with _without_bars(), _as_model_error(source):
        tokenizer = AutoTokenizer.from_pretrained(path, **options)
    return tokenizer, _prompt_template(source)


def _from(source: ModelSource) -> tuple[str, dict[str, Any]]:
    """Returns the path and the options of `from_pretrained`."""
    options: dict[str, Any] = {"trust_remote_code": False}
    if source.kind == "gguf":
        _check_gguf(source)
        options["gguf_file"] = Path(source.path).name
        return str(Path(source.path).parent), options
    if source.kind == "hub" and source.revision:
        options["revision"] = source.revision
    return source.path, options


def _prompt_template(source: ModelSource) -> str | None:
    file = Path(source.path) / PROMPT_FILE
    if source.kind != "folder" or not file.is_file():
        return None
    try:
        template = json.loads(file.read_text("utf-8"))["prompt_template"]
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f'{file}: {error!r}; wanted {{"prompt_template": "... {{question}} ..."}}.'
        ) from None
    if "{question}" not in str(template):
        raise ModelError(f"{file}: prompt_template={template!r} has no {{question}}; put it in.")
    return str(template)


def _check_gguf(source: ModelSource) -> None:
    """Refuses what would fail deep inside transformers."""
    try:
        from gguf import GGUFReader
    except ImportError:
        raise ModelError(
            f"model {source.spec}: reading GGUF files needs the gguf package: pip install gguf."
        ) from None
    try:
        GGUFReader(source.path)
    except (ValueError, IndexError, OSError, OverflowError, MemoryError, KeyError) as error:
        raise ModelError(
            f"model {source.spec}: not a readable GGUF file ({error}). Download it again."
        ) from None


def _forget_quantization(model: PreTrainedModel) -> None:
    """Takes the mark off a dequantised model, an ordinary one, which could not be saved with it."""
    for owner, name in (
        (model.config, "quantization_config"),
        (model, "hf_quantizer"),
        (model, "quantization_method"),
        (model, "is_quantized"),
    ):
        if name in vars(owner):
            delattr(owner, name)


def mend_generation_config(model: PreTrainedModel) -> None:
    """Sets do_sample if a model has a temperature without it, which transformers loads but does not save."""
    config = model.generation_config
    try:
        config.validate(strict=True)
    except ValueError:
        config.do_sample = True


@contextmanager
def _as_model_error(source: ModelSource) -> Iterator[None]:
    """Turns whatever transformers raises into one error: this model cannot be loaded."""
    try:
        yield
    except MemoryError:
        raise
    except (
        Exception
    ) as error:  # the boundary to a foreign loader: every failure has one meaning here
        reason = " ".join(str(error).split())[:400] or type(error).__name__
        hint = {
            "gguf": "Its architecture may be one that transformers cannot read from GGUF.",
            "hub": "Check the name, the revision and the network, or give a local folder.",
            "folder": "Check config.json, tokenizer files and *.safetensors.",
        }[source.kind]
        raise ModelError(f"model {source.spec} cannot be loaded: {reason} {hint}") from error


@contextmanager
def _without_bars() -> Iterator[None]:
    """Keeps loading bars and notes of transformers off the user's terminal; errors still rise."""
    from transformers.utils import logging as hf_logging

    verbosity = hf_logging.get_verbosity()
    hf_logging.set_verbosity(logging.ERROR)
    hf_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        # The GGUF reader draws its own bar.
        with redirect_stderr(io.StringIO()):
            yield
    finally:
        hf_logging.set_verbosity(verbosity)


def lora_settings(rank: int) -> LoraConfig:
    """Returns settings for adapters on all linear layers but the output; alpha is 2 x rank, no dropout."""
    return LoraConfig(
        r=rank,
        lora_alpha=2 * rank,
        lora_dropout=0.0,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


def adapt(model: PreTrainedModel, *, rank: int, seed: int) -> PreTrainedModel:
    """Returns the model with new adapters of one rank.

    Their first weights are a function of the seed; torch's global generator is left as it was.
    """
    with torch.random.fork_rng(), _without_peft_notes():
        torch.manual_seed(derive_seed(seed, "lora"))
        return get_peft_model(model, lora_settings(rank))  # type: ignore[return-value]


def load_adapter(model: PreTrainedModel, folder: Path) -> PreTrainedModel:
    """Returns the model with the adapters of a checkpoint, ready for further training.

    Raises:
        CheckpointError: adapters that do not fit the model.
    """
    try:
        with _without_peft_notes():
            return PeftModel.from_pretrained(model, folder, is_trainable=True)  # type: ignore[return-value]
    except (ValueError, RuntimeError, OSError, KeyError) as error:
        raise CheckpointError(f"adapter {folder} does not fit the model: {error}.") from None


@contextmanager
def _without_peft_notes() -> Iterator[None]:
    """Peft asks transformers by a name that is on its way out; the user can do nothing about that."""
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning
        )
        yield
