"""Makes the manifest of a run: versions, machine and inputs. It is read again when the run is resumed."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import time
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any, Literal

from ttrl.types import Question

PACKAGES = ("ttrl", "torch", "transformers", "peft", "tokenizers", "safetensors", "numpy")


def make_manifest(
    *,
    command: Literal["train", "eval"],
    model_fingerprint: str,
    questions: Sequence[Question],
    prompts: Sequence[str],
    true_labels: Mapping[str, str] | None,
) -> dict[str, Any]:
    """Collects what has to be equal for a run to be the same one, and what helps to understand it.

    Args:
        command: the one that makes the folder. Only what `train` made can be resumed or exported.
        prompts: the rendered prompts, so that a changed template is noticed too.
        true_labels: the answers a run is rewarded by; None for every run that is TTRL.
    """
    return {
        "format": 1,
        "command": command,
        "inputs": {
            "model": model_fingerprint,
            "questions": _hash([[q.id, q.prompt, *_asked(q)] for q in questions]),
            "prompts": _hash(list(prompts)),
            "true_labels": None if true_labels is None else _hash(dict(true_labels)),
        },
        "rewarded_by_true_labels": true_labels is not None,
        **surroundings(),
    }


def surroundings() -> dict[str, Any]:
    """Collects when, with what and where a command runs."""
    return {
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "versions": {"python": platform.python_version(), **_versions()},
        "machine": {
            "platform": platform.platform(),
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "threads": os.environ.get("OMP_NUM_THREADS"),
        },
        "git": _git_commit(),
    }


def _asked(question: Question) -> list[object]:
    """Returns nothing for a plain question, so that runs of older versions go on."""
    if question.task is None and not question.options:
        return []
    return [question.task, list(question.options)]


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _git_commit() -> str | None:
    """Returns the commit of the folder that the command runs in; None outside a repository."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
