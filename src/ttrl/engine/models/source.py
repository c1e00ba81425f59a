"""Finds the model that `--model` names: the embedded model, a folder, a GGUF file or a hub id."""

from __future__ import annotations

import hashlib
import importlib.resources
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ttrl.errors import ModelError

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
