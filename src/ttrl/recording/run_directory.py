"""The folder of one run: what it was made of, what happened, what came out. Nothing is overwritten.

config.yaml  manifest.json  metrics.jsonl  votes.jsonl  guard.jsonl  evaluations/  checkpoints/
result.json  report.html  figure.svg
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import IO, Any, Literal

from ttrl.errors import CheckpointError, ConfigError
from ttrl.files import write_whole
from ttrl.types import Question

PACKAGES = ("ttrl", "torch", "transformers", "peft", "tokenizers", "safetensors", "numpy")


def make_manifest(
    *,
    command: Literal["train", "eval"],
    model_fingerprint: str,
    questions: Sequence[Question],
    prompts: Sequence[str],
    true_labels: Mapping[str, str] | None,
    peer_fingerprint: str | None = None,
) -> dict[str, Any]:
    """Collects what has to be equal for a run to be the same one, and what helps to understand it.

    Args:
        command: the one that makes the folder. Only what `train` made can be resumed or exported.
        prompts: the rendered prompts, so that a changed template is noticed too.
        true_labels: the answers a run is rewarded by; None for every run that is TTRL.
        peer_fingerprint: that of another model that votes; without one there is no such input.
    """
    return {
        "format": 1,
        "command": command,
        "inputs": {
            "model": model_fingerprint,
            "questions": _hash([[q.id, q.prompt, *_asked(q)] for q in questions]),
            "prompts": _hash(list(prompts)),
            "true_labels": None if true_labels is None else _hash(dict(true_labels)),
            **({} if peer_fingerprint is None else {"peer": peer_fingerprint}),
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


LOCK = ".lock"


class RunDirectory:
    """A run's folder, with its paths, appends and atomic writes. `create` and `open` are the ways in."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = path / "checkpoints"
        self._lock: IO[bytes] | None = None

    @classmethod
    def create(
        cls,
        path: Path,
        *,
        config: str,
        manifest: Mapping[str, Any],
        command: str = "train",
        files: Mapping[str, str] | None = None,
    ) -> RunDirectory:
        """Makes the folder of a new run, or of what `command` makes of several.

        The manifest is written last: a folder without it is half made.

        Args:
            files: further texts, by name.

        Raises:
            ConfigError: there is something of that name already.
            CheckpointError: the folder cannot be written.
        """
        refuse_existing(path, command=command)
        run = cls(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
            for folder in ("checkpoints", "evaluations") if command == "train" else ():
                (path / folder).mkdir()
            run.write_text("config.yaml", config)
            for name, text in (files or {}).items():
                (path / name).parent.mkdir(exist_ok=True)
                run.write_text(name, text)
            run.write_json("manifest.json", manifest)
        except (OSError, CheckpointError) as error:
            shutil.rmtree(path, ignore_errors=True)  # half a run could be neither made nor resumed
            raise CheckpointError(f"run directory {path} cannot be written: {error}.") from None
        except BaseException:
            shutil.rmtree(path, ignore_errors=True)
            raise
        return run

    @classmethod
    def open(cls, path: Path) -> RunDirectory:
        """Opens the folder of an existing run.

        Raises:
            CheckpointError: not a run directory.
        """
        try:
            whole = (path / "config.yaml").is_file() and (path / "manifest.json").is_file()
        except OSError:  # a name too long to be one
            whole = False
        if not whole:
            raise CheckpointError(
                f"{path}: not a run directory (no config.yaml with a manifest.json in it). "
                "Give the folder that `ttrl train --out` made."
            )
        return cls(path)

    def lock(self) -> None:
        """Keeps other processes out until `unlock`, or until this one ends, however it ends.

        Raises:
            CheckpointError: another process has it.
        """
        try:
            import fcntl
        except ImportError:  # not on Windows
            return
        try:
            file = (self.path / LOCK).open("wb")
        except OSError as error:
            raise CheckpointError(f"{self.path / LOCK} cannot be written: {error}.") from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise CheckpointError(
                f"{self.path}: another process is working in it. Wait for it to end, or stop it."
            ) from None
        except OSError:  # a file system without locks
            file.close()
            return
        self._lock = file

    def unlock(self) -> None:
        """Lets other processes in."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def append(self, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Adds a line to a .jsonl file for each row.

        Raises:
            CheckpointError: it cannot be written.
        """
        text = "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)
        try:
            with (self.path / name).open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
        except OSError as error:
            raise CheckpointError(f"{self.path / name} cannot be written: {error}.") from None

    def forget_after(self, step: int) -> None:
        """Drops what was recorded after a step, as when a run goes on from its checkpoint."""
        for name in ("metrics.jsonl", "votes.jsonl", "guard.jsonl", "keep.jsonl"):
            path = self.path / name
            if path.exists():
                # Not splitlines(): it also breaks at U+2028 and its kin, which answers may hold.
                lines = path.read_text("utf-8", errors="replace").split("\n")
                kept = [line + "\n" for line in lines if _step_of(line) <= step]
                self.write_text(name, "".join(kept))

    def write_json(self, name: str, value: Mapping[str, Any]) -> None:
        """Writes an object as a whole file at once."""
        self.write_text(name, json.dumps(value, indent=2, ensure_ascii=False) + "\n")

    def read_json(self, name: str) -> dict[str, Any] | None:
        """Reads the object of a file; None where there is no such file.

        Raises:
            CheckpointError: the file is there and is not JSON.
        """
        path = self.path / name
        try:
            value = json.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            return None
        except (ValueError, RecursionError) as error:
            raise CheckpointError(f"{path}: not valid JSON ({error}). Start a new run.") from None
        except OSError as error:
            raise CheckpointError(f"{path} cannot be read: {error}.") from None
        if not isinstance(value, dict):
            raise CheckpointError(
                f"{path}: holds a {type(value).__name__}; wanted an object. Start a new run."
            )
        return value

    def write_text(self, name: str, text: str) -> None:
        """Writes a whole file at once.

        Raises:
            CheckpointError: it cannot be written.
        """
        write_whole(self.path / name, text)


def refuse_existing(path: Path, *, command: str | None = "train") -> None:
    """Raises ConfigError where a new run would land on something.

    Args:
        command: the one that can go on with what is there; None if there is none.
    """
    try:
        taken = path.exists() and (not path.is_dir() or any(path.iterdir()))
    except OSError as error:
        raise ConfigError(f"run directory {path} cannot be made: {error}.") from None
    if taken:
        raise ConfigError(
            f"run directory {path} exists already and is never overwritten. Choose another --out"
            + (f", or go on with it: ttrl {command} --resume {path}" if command else ".")
        )


def _step_of(line: str) -> float:
    """Reads the step of a line; one cut short by a crash counts as after every step."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")
