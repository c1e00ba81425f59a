"""Resumes a run under its own config, with the same model and questions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from typing import Any

from ttrl.config import INVOCATION_KEYS, Layers, ResolvedConfig, resolve, settle
from ttrl.errors import CheckpointError, ConfigError
from ttrl.recording.run_directory import RunDirectory

INPUTS = {
    "model": "the model's files have changed",
    "questions": "the questions have changed",
    "prompts": "the prompts have changed (chat template, task or prompt_template)",
    "true_labels": "the answers that the run is rewarded by have changed",
}


def resolve_resumed(layers: Layers, directory: RunDirectory) -> ResolvedConfig:
    """Returns the config that the run was started with, which other options may repeat but not change.

    Raises:
        CheckpointError: an option says something else than the run's config.
        ConfigError: an option that is wrong in itself.
    """
    resumed = stored_config(directory)
    given = settle(layers, below=resumed.as_dict(invocation=False))
    wanted, kept = given.as_dict(), resumed.as_dict()
    for key in sorted(given.given - INVOCATION_KEYS):
        if wanted[key] != kept[key]:
            raise CheckpointError(
                f"--resume {directory.path}: it was started with {key}={kept[key]!r}, but the "
                f"{given.sources[key]} says {wanted[key]!r}. A run goes on under its own settings: leave "
                f"{key} out, or start a new run with another --out."
            )
    for key in ("out", "base_evaluations"):
        if key in given.given:
            option = "--" + key.replace("_", "-")
            raise ConfigError(
                f"{option} and --resume {directory.path} contradict each other: leave {option} out."
            )
    return replace(given, values=given.values.model_copy(update={"out": str(directory.path)}))


def stored_config(directory: RunDirectory) -> ResolvedConfig:
    """Reads the run's config.yaml.

    Raises:
        CheckpointError: it cannot be read as one.
    """
    file = directory.path / "config.yaml"
    try:
        if not file.stat().st_size:
            raise ConfigError("it is empty.")
        return resolve({"config": [str(file)]}, environment={})
    except ConfigError as error:
        written = _written_by(directory)
        if file.stat().st_size and written not in {None, version("ttrl")}:
            raise CheckpointError(
                f"{file} was written by ttrl {written}, and this is {version('ttrl')}, which reads it no "
                f"more: {error} Install ttrl=={written} to go on with the run."
            ) from None
        raise CheckpointError(
            f"{file} is damaged: {error} Restore it, or start a new run."
        ) from None


def _written_by(directory: RunDirectory) -> str | None:
    versions = (directory.read_json("manifest.json") or {}).get("versions")
    written = versions.get("ttrl") if isinstance(versions, dict) else None
    return written if isinstance(written, str) else None


def stored_inputs(directory: RunDirectory) -> dict[str, Any]:
    """Reads the sha256 of each input that the run was started with.

    Raises:
        CheckpointError: the folder is not that of a training run.
    """
    manifest = directory.read_json("manifest.json") or {}
    command, inputs = manifest.get("command", "train"), manifest.get("inputs")
    if command != "train":  # older folders lack the entry: those with inputs are of train
        raise CheckpointError(
            f"{directory.path}: not a training run, says its manifest.json, but made by another command "
            f"({str(command)[:40]!r}; `ttrl eval` makes such folders too). Give the folder of a `ttrl train`."
        )
    if not isinstance(inputs, dict):
        raise CheckpointError(
            f"{directory.path}: its manifest.json names no inputs, so it is not a training run. Give the "
            "folder of a `ttrl train`."
        )
    return inputs


def check_same_inputs(directory: RunDirectory, now: Mapping[str, Any]) -> None:
    """Raises CheckpointError where the model's or the questions' content is another than at the start."""
    then = stored_inputs(directory)
    for name, what in INPUTS.items():
        if then.get(name) != now["inputs"][name]:
            raise CheckpointError(
                f"--resume {directory.path}: {what} since the run was started (sha256 "
                f"{str(then.get(name))[:12]} then, {str(now['inputs'][name])[:12]} now). Put them back, or "
                "start a new run with another --out."
            )
