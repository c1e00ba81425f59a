"""What a run takes over from earlier ones: its own start, or the evaluations of its base."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ttrl.config import INVOCATION_KEYS, Layers, ResolvedConfig, keys_read_by, resolve, settle
from ttrl.data.sets import QuestionSet
from ttrl.errors import CheckpointError, ConfigError
from ttrl.evaluation.labels import Labels
from ttrl.recording.evaluations import Evaluation, EvaluationCost
from ttrl.recording.run_directory import RunDirectory

INPUTS = {
    "model": "the model's files have changed",
    "questions": "the questions have changed",
    "prompts": "the prompts have changed (chat template, task or prompt_template)",
    "true_labels": "the answers that the run is rewarded by have changed",
}
PEER = {"peer": "the peer's files have changed"}
"""An input of runs with a peer alone, and none of a base's evaluation."""


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
    for name, what in (INPUTS | PEER).items():
        if then.get(name) != now["inputs"].get(name):
            raise CheckpointError(
                f"--resume {directory.path}: {what} since the run was started (sha256 "
                f"{str(then.get(name))[:12]} then, {str(now['inputs'].get(name))[:12]} now). Put them back, "
                "or start a new run with another --out."
            )


NOTHING = EvaluationCost(sampled_tokens=0, sampling_seconds=0, evaluation_seconds=0)
"""Spent on a borrowed evaluation: the cost is that of whoever made it."""
EVALUATION_KEYS = tuple(
    key
    for key in keys_read_by("eval")
    if key not in INVOCATION_KEYS | {"eval_sets", "views", "view_count"}
)
"""The settings that the figures of a base depend on. Votes on views only add one."""


def borrow_base(
    spec: str,
    run: RunDirectory,
    resolved: ResolvedConfig,
    sets: Sequence[QuestionSet],
    labels: Mapping[str, Labels],
) -> None:
    """Copies the base's evaluations out of the folder of a `ttrl eval` into that of a new run.

    They are the same figures that the run would find itself, so everything they depend on has to agree:
    the model, questions and prompts by sha256, and every setting that `ttrl eval` reads.

    Raises:
        ConfigError: something differs, or a set is missing; the run directory is taken away again.
    """
    try:
        source = RunDirectory.open(Path(spec))
        _check(source, run, resolved)
        for each in sets:
            name = f"evaluations/base-{each.name}.json"
            found = source.read_json(name)
            if found is None or not _is_whole(found):
                raise ConfigError(
                    f"base_evaluations={spec}: it has no whole {name}. Evaluate that set too, or leave "
                    "the option out."
                )
            borrowed = replace(Evaluation.from_json(found), cost=NOTHING)
            _check_answers(borrowed, labels[each.name], spec)
            run.write_json(name, borrowed.to_json())
    except (ConfigError, CheckpointError):
        shutil.rmtree(run.path)
        raise


def _is_whole(found: dict[str, Any]) -> bool:
    return isinstance(found.get("metrics"), dict) and isinstance(found.get("cost"), dict)


def _check(source: RunDirectory, run: RunDirectory, resolved: ResolvedConfig) -> None:
    theirs = (source.read_json("manifest.json") or {}).get("inputs") or {}
    ours = (run.read_json("manifest.json") or {})["inputs"]
    for name in INPUTS:
        if name != "true_labels" and theirs.get(name) != ours[name]:
            raise ConfigError(
                f"base_evaluations={source.path}: it was made with other {name} than this run "
                f"(sha256 {str(theirs.get(name))[:12]} there, {str(ours[name])[:12]} here). Evaluate the "
                "base again with `ttrl eval --out`, or leave the option out."
            )
    there, here = stored_config(source).as_dict(), resolved.as_dict()
    for key in EVALUATION_KEYS:
        if there[key] != here[key]:
            raise ConfigError(
                f"base_evaluations={source.path}: it was made with {key}={there[key]!r}, and this run has "
                f"{key}={here[key]!r}. Evaluate the base again, or leave the option out."
            )


def _check_answers(found: Evaluation, labels: Labels, spec: str) -> None:
    """Refuses figures that were made with other true answers than the ones here."""
    for record in found.questions:
        now = None if labels.answers is None else labels.answers.get(record.id)
        if record.answer != now:
            raise ConfigError(
                f"base_evaluations={spec}: the answer of question {record.id} was "
                f"{record.answer!r} there and is {now!r} here. Evaluate the base again."
            )
