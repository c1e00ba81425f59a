"""Exports a checkpoint as a folder that transformers or peft loads without this package."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError, safe_open

from ttrl.config import RunConfig
from ttrl.engine.checkpoint import Checkpoint, latest, verified
from ttrl.engine.models import LoadedModel, find_model, load_adapter, load_model
from ttrl.errors import CheckpointError, ModelError
from ttrl.files import whole_folder
from ttrl.recording.kept import read_kept
from ttrl.recording.run_directory import RunDirectory

CARD = "README.md"
"""Name of an empty form that peft writes beside an adapter; exports leave it out."""

ADAPTER = ("adapter_config.json", "adapter_model.safetensors")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """The contents of an exported folder."""

    out: str
    kind: Literal["full", "merged", "adapter"]
    """Whether it holds the trained model, the base with its adapters merged, or the adapters alone."""
    run: str
    step: int
    """The last step whose update is included."""
    base_model: str
    lora: int
    """Rank of the adapters; 0 if there are none."""
    dtype: str
    parameters: int
    bytes: int


def export_run(
    run: RunDirectory,
    config: RunConfig,
    out: Path,
    *,
    base_sha256: str | None,
    checkpoint: Path | None = None,
    adapter: bool = False,
) -> Exported:
    """Writes the trained model of a run as a new folder.

    Args:
        config: the run's own.
        base_sha256: fingerprint of the model that the run was started on.
        checkpoint: one of the run's; by default the one that `keep: best` has chosen, else the last.
        adapter: the LoRA adapter alone, which needs no base model.

    Raises:
        CheckpointError: no checkpoint, a damaged one, another base model than at the start, or a folder that
            could not be written; nothing is left of it.
        ModelError: the base model is not there, or cannot be loaded.
    """
    if checkpoint is None and (kept := read_kept(run)) is not None:
        checkpoint = kept.path(run.path)
    found = latest(run.checkpoints) if checkpoint is None else verified(checkpoint)
    if found is None:
        raise CheckpointError(
            f"{run.path}: no checkpoint yet, so there is nothing to export. Go on with the run: "
            f"ttrl train --resume {run.path}"
        )
    if config.lora and not adapter:
        export_merged(found, _base(run.path, config, base_sha256), out)
    else:
        export_weights(found, out)
    return Exported(
        out=str(out),
        kind="adapter" if adapter else "merged" if config.lora else "full",
        run=str(run.path),
        step=int(found.state["progress"]["step"]),
        base_model=config.model,
        lora=config.lora,
        dtype=config.dtype,
        parameters=stored_parameters(out),
        bytes=sum(path.stat().st_size for path in out.rglob("*") if path.is_file()),
    )


def _base(run: Path, config: RunConfig, sha256: str | None) -> LoadedModel:
    """The model that the run's adapter was trained on."""
    hint = (
        "Put it back (a relative path counts from the folder that the command runs in), or export the "
        "adapter alone with --adapter."
    )
    try:
        source = find_model(config.model)
    except ModelError as error:
        raise ModelError(f"{run}: its base cannot be found: {error} {hint}") from None
    now = source.fingerprint()
    if sha256 != now:
        raise CheckpointError(
            f"{run}: its base, {config.model}, is another one than the run was started on "
            f"(sha256 {str(sha256)[:12]} then, {now[:12]} now). {hint}"
        )
    # Whatever the run trained on: sums made on a GPU would round otherwise.
    return load_model(source, dtype=config.dtype, device=torch.device("cpu"))


def export_weights(checkpoint: Checkpoint, out: Path) -> None:
    """Copies the checkpoint's model or adapter byte for byte, with its tokenizer and prompt template.

    Raises:
        CheckpointError: it could not be written; nothing is left of it.
    """
    with _appearing(out) as folder:
        _copy(checkpoint.weights, folder, without=(CARD,))


def export_merged(checkpoint: Checkpoint, base: LoadedModel, out: Path) -> None:
    """Writes the base with the checkpoint's adapter added to its weights, and the checkpoint's tokenizer.

    Sums have the base's own type, so in bfloat16 they are rounded to it. The base is used up.

    Raises:
        CheckpointError: the adapter does not fit the base, or the folder could not be written.
    """
    adapted: Any = load_adapter(base.model, checkpoint.weights)
    merged = adapted.merge_and_unload()
    with _appearing(out) as folder:
        merged.save_pretrained(folder)
        # Copied, and not saved by the tokenizer, which tells a full disk as none of Python's errors.
        _copy(checkpoint.weights, folder, without=(CARD, *ADAPTER))


def stored_parameters(folder: Path) -> int:
    """Returns the number of parameters in a folder's safetensors; tied weights are stored and count once."""
    count = 0
    for path in folder.glob("*.safetensors"):
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118, a file is no mapping
                size = 1
                for length in file.get_slice(name).get_shape():
                    size *= length
                count += size
    return count


def _copy(folder: Path, into: Path, *, without: Collection[str]) -> None:
    for path in sorted(folder.rglob("*")):  # a tokenizer with several chat templates has a folder
        if path.is_file() and path.name not in without:
            target = into / path.relative_to(folder)
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(path, target)


@contextmanager
def _appearing(out: Path) -> Iterator[Path]:
    """Does what `whole_folder` does, and says what went wrong."""
    try:
        with whole_folder(out) as folder:
            yield folder
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"{out} cannot be written: {error}. Nothing is left of it, and the run is as it was; "
            "name a place with room and rights."
        ) from None
