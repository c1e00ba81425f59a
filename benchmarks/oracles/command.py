"""`ttrl` as a user calls it, in a process of its own with fixed surroundings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import ttrl as package

PATIENCE = 900
"""Seconds until a command counts as hanging."""
ROOT = Path(__file__).parents[2]
"""Of this repository."""
FIXED = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "passive",
    "HF_HUB_OFFLINE": "1",
    "PYTHONHASHSEED": "0",
    "COLUMNS": "100",
    "NO_COLOR": "1",
}
"""Threads and all else of the surroundings that a result might depend on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a command left."""

    code: int
    err: str


SOURCE = Path(package.__file__).parents[1]
"""The folder that holds the package under test."""


def environment(*paths: Path) -> dict[str, str]:
    """That of every command: no settings of ttrl, no network, one thread, packages of these folders first."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("TTRL_", "PYTHON"))}
    return {**kept, **FIXED, "PYTHONPATH": os.pathsep.join(str(path.resolve()) for path in paths)}


def ttrl(
    *arguments: str, cwd: Path, python: str = sys.executable, source: Path = SOURCE
) -> Outcome:
    """`python -m ttrl` with these arguments; it also imports from the folder it runs in.

    Args:
        source: the folder that holds the package.
    """
    done = subprocess.run(
        [python, "-m", "ttrl", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=cwd,
        env=environment(source, cwd),
        timeout=PATIENCE,
        check=False,
    )
    return Outcome(code=done.returncode, err=done.stderr)


class Commands:
    """Calls of one package that start fast: each is the fork of a process that has everything imported."""

    def __init__(self, source: Path = SOURCE) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.oracles.forks"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            cwd=ROOT,
            env=environment(source, ROOT),
        )

    def __enter__(self) -> Commands:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.communicate()

    def __call__(self, *arguments: str, cwd: Path) -> Outcome:
        """As `ttrl`."""
        assert self._process.stdin is not None and self._process.stdout is not None
        request = {"arguments": arguments, "folder": str(cwd.resolve())}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"no answer to: ttrl {' '.join(arguments)}")
        return Outcome(**json.loads(line))
