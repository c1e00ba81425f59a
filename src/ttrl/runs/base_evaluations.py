"""Borrows the evaluations before training from the folder of an earlier `ttrl eval`."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ttrl.config import INVOCATION_KEYS, ResolvedConfig, keys_read_by
from ttrl.data.sets import QuestionSet
from ttrl.errors import CheckpointError, ConfigError
from ttrl.evaluation.labels import Labels
from ttrl.recording.evaluations import Evaluation, EvaluationCost
from ttrl.recording.run_directory import RunDirectory
from ttrl.runs.resume import INPUTS, stored_config

NOTHING = EvaluationCost(sampled_tokens=0, sampling_seconds=0, evaluation_seconds=0)
"""Spent on a borrowed evaluation: the cost is that of whoever made it."""
EVALUATION_KEYS = tuple(
    key for key in keys_read_by("eval") if key not in INVOCATION_KEYS | {"eval_sets"}
)
"""The settings that the figures of a base depend on."""


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
