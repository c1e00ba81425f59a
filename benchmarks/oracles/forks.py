"""Many commands of ttrl, each in a process of its own, which starts with everything imported.

    python -m benchmarks.oracles.forks

Reads requests, JSON lines {"arguments": [...], "folder": path}, and answers each with
{"code": exit code, "err": standard error}. A process ended by signal n has the code -n.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import traceback
from collections.abc import Sequence

from ttrl.cli.main import main as ttrl


def main() -> None:
    """Serves until standard input ends."""
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        ttrl(["train", "--limit", "1", "--dry-run"])  # imports what every run needs
    for line in sys.stdin:
        request = json.loads(line)
        with tempfile.TemporaryFile() as said:
            code = _in_a_fork(request["arguments"], request["folder"], said.fileno())
            said.seek(0)
            err = said.read().decode("utf-8", "replace")
        print(json.dumps({"code": code, "err": err}), flush=True)


def _in_a_fork(arguments: Sequence[str], folder: str, err: int) -> int:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            null = os.open(os.devnull, os.O_RDWR)
            for target, own in ((0, null), (1, null), (2, err)):
                os.dup2(own, target)
            os.chdir(folder)
            sys.path.insert(0, folder)
            code = ttrl(arguments)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    main()
