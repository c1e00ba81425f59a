"""Saves and loads checkpoints: a folder is complete or it does not exist.

    step-000020/
        model/                 Hugging Face folder (or adapter/, peft format)
        optimizer.safetensors  moments, counts, float32 masters
        critic.safetensors ... what else the algorithm trains, each with its optimizer
        teacher.safetensors    the teacher's weights, if one votes
        state.json             the loop's progress
        manifest.json          sha256 of every file above

The last two are kept.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ttrl.engine.models import PROMPT_FILE
from ttrl.errors import CheckpointError
from ttrl.files import whole_folder

KEPT = 2
FOREIGN = "foreign"
"""Key of the state that marks weights without an optimizer, which no native run resumes from."""


class Stateful(Protocol):
    """Something whose state a checkpoint keeps beside the weights, by file name; `Learner` is one."""

    def state(self) -> dict[str, dict[str, Tensor]]: ...

    def load_state(self, tensors: dict[str, dict[str, Tensor]]) -> None: ...


class Together:
    """Several of them as one."""

    def __init__(self, parts: Sequence[Stateful]) -> None:
        self._parts = parts

    def state(self) -> dict[str, dict[str, Tensor]]:
        """Returns the state of each."""
        return {name: tensors for part in self._parts for name, tensors in part.state().items()}

    def load_state(self, tensors: dict[str, dict[str, Tensor]]) -> None:
        """Puts back what `state` gave."""
        for part in self._parts:
            part.load_state(tensors)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A verified checkpoint on disk."""

    path: Path
    state: Mapping[str, Any]

    @property
    def weights(self) -> Path:
        """Returns the folder of the model or of the LoRA adapter."""
        adapter = self.path / "adapter"
        return adapter if adapter.is_dir() else self.path / "model"

    def load_learner(self, learner: Stateful) -> None:
        """Loads everything but the policy's weights into a learner.

        Raises:
            CheckpointError: the checkpoint belongs to another model.
        """
        try:
            files = sorted(self.path.glob("*.safetensors"))
            learner.load_state({file.stem: load_file(file) for file in files})
        except (KeyError, RuntimeError, OSError, SafetensorError) as error:
            raise CheckpointError(
                f"checkpoint {self.path}: optimizer state of another model ({error})."
            ) from None


def save(
    folder: Path,
    *,
    step: int,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    learner: Stateful,
    state: Mapping[str, Any],
    prompt_template: str | None,
) -> Path:
    """Saves into folder/step-NNNNNN and lets go of all but the last two checkpoints.

    Raises:
        CheckpointError: it could not be written (disk full, no permission); older ones are untouched.
    """
    adapted = hasattr(model, "peft_config")

    def fill(beside: Path, weights: Path) -> None:
        _save_model(model, tokenizer, weights)
        for name, tensors in learner.state().items():
            save_file(tensors, beside / f"{name}.safetensors")

    return _write(folder, step, fill, adapted=adapted, state=state, prompt_template=prompt_template)


def save_candidate(
    folder: Path,
    *,
    step: int,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    state: Mapping[str, Any],
    prompt_template: str | None,
) -> Path:
    """Saves the weights alone, beside those of other steps, for a choice among them.

    Raises:
        CheckpointError: as `save`.
    """
    adapted = hasattr(model, "peft_config")

    def fill(_: Path, weights: Path) -> None:
        _save_model(model, tokenizer, weights)

    return _write(
        folder,
        step,
        fill,
        adapted=adapted,
        state={**state, FOREIGN: True},
        prompt_template=prompt_template,
        kept=None,
    )


def _save_model(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, weights: Path) -> None:
    # Left out, peft would ask the hub whether the base's embeddings were resized; they never are.
    adapted = hasattr(model, "peft_config")
    options: dict[str, Any] = {"save_embedding_layers": False} if adapted else {}
    model.save_pretrained(weights, **options)
    tokenizer.save_pretrained(weights)


def save_weights(
    folder: Path,
    *,
    step: int,
    weights: Path,
    state: Mapping[str, Any],
    prompt_template: str | None,
) -> Path:
    """Saves weights trained by another engine, without an optimizer, so no native run resumes from them.

    Args:
        weights: folder of a model or of an adapter, as transformers and peft save them. It is copied.

    Raises:
        CheckpointError: as `save`.
    """

    def fill(_: Path, into: Path) -> None:
        shutil.copytree(weights, into, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.bin"))

    adapted = (weights / "adapter_config.json").is_file()
    state = {**state, FOREIGN: True}
    return _write(folder, step, fill, adapted=adapted, state=state, prompt_template=prompt_template)


def _write(
    folder: Path,
    step: int,
    fill: Callable[[Path, Path], None],
    *,
    adapted: bool,
    state: Mapping[str, Any],
    prompt_template: str | None,
    kept: int | None = KEPT,
) -> Path:
    target = folder / f"step-{step:06d}"
    if target.exists():
        return target
    for unfinished in folder.glob(".step-*"):  # of processes that were killed
        shutil.rmtree(unfinished, ignore_errors=True)
    try:
        with whole_folder(target) as beside:
            weights = beside / ("adapter" if adapted else "model")
            weights.mkdir()
            fill(beside, weights)
            if prompt_template is not None:
                template = json.dumps({"prompt_template": prompt_template}) + "\n"
                (weights / PROMPT_FILE).write_text(template, "utf-8")
            (beside / "state.json").write_text(json.dumps(dict(state)), "utf-8")
            (beside / "manifest.json").write_text(json.dumps(_hashes(beside), indent=1), "utf-8")
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"checkpoint {target} cannot be written: {error}. Earlier checkpoints are untouched; "
            f"free some space, then: ttrl train --resume {folder.parent}"
        ) from None
    if kept is not None:
        for old in sorted(folder.glob("step-*"))[:-kept]:
            shutil.rmtree(old)
    return target


def latest(folder: Path) -> Checkpoint | None:
    """Returns the newest checkpoint after checking that its files are complete and unchanged, or None.

    Raises:
        CheckpointError: there are checkpoints and the newest is damaged.
    """
    found = sorted(folder.glob("step-*"))
    return verified(found[-1]) if found else None


def verified(path: Path) -> Checkpoint:
    """Returns a checkpoint after comparing each of its files with the sha256 recorded on saving.

    Raises:
        CheckpointError: it is damaged.
    """
    try:
        expected = json.loads((path / "manifest.json").read_text("utf-8"))
        actual = _hashes(path)
        wrong = sorted(name for name in expected if actual.get(name) != expected[name])
        wrong += sorted({"state.json"} - set(expected))
        state = {} if wrong else json.loads((path / "state.json").read_text("utf-8"))
        if not wrong and not state.get(FOREIGN):
            wrong += sorted({"optimizer.safetensors"} - set(expected))
    except (OSError, ValueError, TypeError) as error:
        wrong, state = [f"manifest.json: {error}"], {}
    if wrong:
        before = [p.name for p in sorted(path.parent.glob("step-*")) if p.name < path.name]
        older = f" or remove it to go on from {before[-1]}" if before else ""
        raise CheckpointError(
            f"checkpoint {path} is damaged ({', '.join(wrong)}): restore it from a backup{older}."
        )
    return Checkpoint(path=path, state=state)


def _hashes(folder: Path) -> dict[str, str]:
    hashes = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path != folder / "manifest.json":
            with path.open("rb") as file:
                name = path.relative_to(folder).as_posix()
                hashes[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return hashes
