"""Two programs that cannot share a process, measured in turns.

Each side is a process of its own that waits for a line on its standard input, does one step, and answers
with one JSON object. While one works, the other is blocked in a read and takes no processor time.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

Answer = dict[str, Any]

ENVIRONMENT = {
    "OMP_WAIT_POLICY": "passive",  # a thread that spins while it waits would slow the other side down
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
    "PYTHONWARNINGS": "ignore",
    "TRANSFORMERS_VERBOSITY": "error",
}


class Worker:
    """A process that answers lines."""

    def __init__(self, command: Sequence[str | Path], spec: Mapping[str, Any]) -> None:
        self._errors = tempfile.TemporaryFile(mode="w+")  # noqa: SIM115
        self._process = subprocess.Popen(
            [*map(str, command), json.dumps(spec)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=os.environ | ENVIRONMENT,
        )
        self.hello = self._read()
        """What it says once it is ready: versions and threads."""

    def step(self) -> Answer:
        """One step of its work."""
        assert self._process.stdin is not None
        self._process.stdin.write("step\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> Answer:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            self._errors.seek(0)
            raise RuntimeError(f"a worker ended early:\n{self._errors.read()[-3000:]}")
        answer: Answer = json.loads(line)
        return answer

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            assert stream is not None
            stream.close()
