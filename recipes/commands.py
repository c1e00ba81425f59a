"""`ttrl` as recipes call it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def ttrl(arguments: Sequence[str], *, done: Path) -> None:
    """Runs the command, on one thread unless OMP_NUM_THREADS says otherwise; not if `done` is there."""
    if done.exists():
        return
    threads = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    environment = {**os.environ, "OMP_WAIT_POLICY": "passive", **threads}
    command = [sys.executable, "-m", "ttrl", *arguments]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if finished.returncode:
        raise SystemExit(f"{' '.join(command)}\n{finished.stderr[-2000:]}")
    print(" ".join(arguments), flush=True)
