"""A checkpoint as a folder that transformers or peft loads without this package."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from ttrl.engine.adapters import load_adapter
from ttrl.engine.checkpoint import Checkpoint
from ttrl.engine.models.load import LoadedModel
from ttrl.errors import CheckpointError
from ttrl.files import whole_folder

CARD = "README.md"
"""peft writes an empty form of this name beside an adapter; it would only be published by mistake."""

ADAPTER = ("adapter_config.json", "adapter_model.safetensors")


def export_weights(checkpoint: Checkpoint, out: Path) -> None:
    """Writes the checkpoint's model or adapter as it is, byte for byte, with its tokenizer and prompt.

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
    """Counts the numbers in all of a folder's safetensors; tied weights are stored, and counted, once."""
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
