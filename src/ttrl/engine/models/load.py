"""Loads a causal language model and its tokenizer through transformers, and never runs remote code."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from ttrl.engine.models.source import ModelSource
from ttrl.errors import ConfigError, ModelError

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
    with _quiet(), _as_model_error(source):
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
    with _quiet(), _as_model_error(source):
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
def _quiet() -> Iterator[None]:
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
