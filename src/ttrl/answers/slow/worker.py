"""Runs in a process of the slow path: reads tokens of answers and writes readings until the input ends.

The process limits itself: memory, no files, no core, and for each task CPU time. At the end of that
time the system ends the process, also inside of C code and whatever the load of the machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sys
from collections.abc import Callable

from ttrl.answers.slow.tokens import tokens_of

MEMORY_BYTES = 1 << 30
OPEN_FILES = 16
READY = b"ready\n"

Form = tuple[str | None, tuple[str, ...] | None]

_WARM_UP = (
    r"\sin 30°+\log_2 8",
    r"\cot x",
    r"\sin^2 x+\cos^2 x",
    r"\tan^{-1} \frac12",
    r"\log_2 4^x",
    r"\log_2 3",
    r"\arctan\frac12+\arctan\frac13",
    r"e^{\frac{i\pi}{3}}",
)


def main(cpu_seconds: float) -> None:
    """Imports and warms up without a time limit, then serves."""
    _limit(resource.RLIMIT_AS, MEMORY_BYTES)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    read = _slow_reader()
    for answer in _WARM_UP:
        read(" ".join(tokens_of(answer) or ()))
    serve(read, cpu_seconds)


def serve(read: Callable[[str], Form | None], cpu_seconds: float) -> None:
    """Answers JSON lines with JSON lines. Running out of memory or time ends the process by SIGPROF."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGPROF])
    _limit(resource.RLIMIT_NOFILE, OPEN_FILES)
    output, sys.stdout = sys.stdout.buffer, sys.stderr  # a stray print is no reply
    output.write(READY)
    output.flush()
    for line in sys.stdin.buffer:
        answer = json.loads(line)
        signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
        try:
            form = read(answer)
        except MemoryError:
            os.kill(os.getpid(), signal.SIGPROF)
        signal.setitimer(signal.ITIMER_PROF, 0)
        output.write(json.dumps(form).encode() + b"\n")
        output.flush()


def _slow_reader() -> Callable[[str], Form | None]:
    # Here, so that `serve` stands without them.
    from sympy import E, I, S, pi
    from sympy.core.cache import clear_cache
    from sympy.core.random import seed

    from ttrl.answers.slow.form import canonical_form
    from ttrl.answers.slow.grammar import expression_of

    for number in (pi, E, I, S.Zero, S.One, S.NegativeOne, S.Half):
        _ = number.assumptions0  # these live on: a search that is ended must not leave half of it

    def read(answer: str) -> Form | None:
        clear_cache()  # neither time nor result depends on what was read before
        seed(0)
        try:
            return canonical_form(expression_of(answer.split()))
        except MemoryError:
            raise
        except Exception:  # sympy raises anything: what it cannot read is not understood
            return None

    return read


def _limit(kind: int, most: int) -> None:
    with contextlib.suppress(ValueError, OSError):  # not every system has every limit
        resource.setrlimit(kind, (most, most))
