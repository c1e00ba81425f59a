"""Another revision, asked the same questions on this machine."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.oracles.command import ROOT, environment

BASE = "d6244fe"
NAME = "0.6.0"
"""What BASE is called."""


@contextlib.contextmanager
def checked_out(revision: str) -> Iterator[Path]:
    """The folder with the package of a revision, for as long as it is asked."""
    revision = BASE if revision == NAME else revision
    with tempfile.TemporaryDirectory() as name:
        tree = Path(name) / "tree"
        _git("worktree", "add", "--detach", "--quiet", str(tree), revision)
        try:
            yield tree / "src"
        finally:
            _git("worktree", "remove", "--force", str(tree))


def recorded(part: str, revision: str) -> Any:
    """What `keys` or `pages` record under another revision."""
    with checked_out(revision) as source, tempfile.TemporaryDirectory() as name:
        out = Path(name) / "record.json"
        subprocess.run(
            [sys.executable, "-m", "benchmarks.oracles", part, "--record", str(out)],
            cwd=ROOT,
            env=environment(source, ROOT),
            check=True,
        )
        return json.loads(out.read_text("utf-8"))


def _git(*arguments: str) -> None:
    done = subprocess.run(
        ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(
            f"git {' '.join(arguments)}: {done.stderr.strip()}\nThe other revision is checked out from the "
            "history of this repository: a full clone is needed."
        )
