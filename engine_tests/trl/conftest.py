"""The real command under the real TRL, in processes of their own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PATIENCE = 1800  # seconds until a process counts as hanging
TINY = """
    --engine trl --limit 8 --questions-per-step 4 --votes-per-question 8 --trained-per-question 4
    --steps 4 --samples 2 --eval-limit 2 --difficulty 5 --max-tokens 96 --learning-rate 0.002
    --temperature 1.3 --checkpoint-every 2 --warmup-steps 0 --device cpu
"""


@dataclass(frozen=True)
class Outcome:
    """What a command left."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Run:
    """A run directory."""

    path: Path

    def rows(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.path / name).read_text("utf-8").splitlines()]

    @property
    def result(self) -> dict[str, Any]:
        return json.loads((self.path / "result.json").read_text("utf-8"))

    @property
    def weights(self) -> bytes:
        return next(self.path.glob("checkpoints/step-*/*/*.safetensors")).read_bytes()


@pytest.fixture(scope="session")
def run_of() -> Callable[[Path], Run]:
    return Run


@pytest.fixture(scope="session")
def command() -> Callable[..., Outcome]:
    """`command(*arguments, processes=2)`: python or torchrun with these, from start to end."""

    def run(*arguments: object, processes: int = 1, **environment: str) -> Outcome:
        start = [sys.executable]
        if processes > 1:
            start += ["-m", "torch.distributed.run", "--nproc_per_node", str(processes)]
            start += [
                "--master_port",
                "0",
                "--rdzv_backend",
                "c10d",
                "--rdzv_endpoint",
                "localhost:0",
            ]
        kept = {k: v for k, v in os.environ.items() if not k.startswith("TTRL_")}
        quiet = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", "HF_HUB_OFFLINE": "1"}
        done = subprocess.run(
            [*start, *map(str, arguments)],
            capture_output=True,
            text=True,
            env={**kept, **quiet, **environment},
            timeout=PATIENCE,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="session")
def tiny() -> list[str]:
    """Settings of a run of seconds."""
    return TINY.split()


@pytest.fixture(scope="session")
def train(command: Callable[..., Outcome]) -> Callable[..., Outcome]:
    """`train(out, *options)`: `ttrl train --engine trl` in tiny settings."""

    def run(out: Path, *options: object, processes: int = 1) -> Outcome:
        return command(
            "-m", "ttrl", "train", *TINY.split(), "--out", out, *options, processes=processes
        )

    return run
