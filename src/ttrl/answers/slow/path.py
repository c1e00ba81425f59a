r"""Finds a canonical form for mathematics that the fast reader leaves unread: \sin 30^\circ, \cot x.

One answer at a time goes to a worker, a process of its own that can be killed, because no limit inside
of a program holds against symbolic algebra. The form is of one answer alone and never of a pair, so
equality stays an equivalence. This side imports no sympy, starts a worker on first need, installs no
signal handler and leaves alarms alone. Works from several threads and after a fork.

Each answer may take 2 s of processor time and 1 GiB in its worker. An answer that reaches either limit
would reach it again, so that is remembered. A search for a spelling ends after a number of calls
(`SEARCH_CALLS`), which takes a fraction of this time, also on a slow processor, and is the same on every
machine. The clock on the wall decides nothing, however busy the machine: a minute is only for a worker
that no longer runs, stopped or waiting for something. An answer lost in this way, or with a worker that
something else ended, is asked once more, then counts as killed this time and is not remembered.

What no run determines is how fast the processor is, for answers that need about 2 s of it, and searches
within a few calls of their limit, whose number depends a little on what the worker read before.

Where no worker can start (not POSIX, no sympy, a frozen program) nothing is read slowly.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from ttrl.answers.slow.tokens import tokens_of

CPU_SECONDS = 2.0
"""Processor time of a worker for one answer, in seconds."""
SECONDS = 60.0
"""Wall time after which a silent worker counts as hanging: many times its processor time."""
START_SECONDS = 300.0
"""Time after which a worker that does not come up counts as hanging: it imports sympy."""
TASKS_OF_A_WORKER = 2_000
MOST_WORKERS = 4
CACHE_ENTRIES = 50_000
REPLY_BYTES = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The slow reader's result for one answer."""

    spelling: str | None
    """The same value in LaTeX without functions, such as \\frac{1}{2} or 1 + \\sqrt{2}, if there is one."""
    values: tuple[str, ...] | None
    """The fingerprint: a number, or the names of the variables and 8 values, to 50 digits. None where a
    spelling says all, as of large numbers."""
    killed: bool
    """Whether a limit of time or memory ended the reading; then the other fields are None."""


_KILLED = Reading(spelling=None, values=None, killed=True)


def read_slowly(answer: str) -> Reading | None:
    """Reads one answer, or returns None if it is refused at the gate or not understood. It never raises."""
    tokens = tokens_of(answer)
    return None if tokens is None else _pool.read(" ".join(tokens))


def close() -> None:
    """Ends the workers. The next answer starts them again."""
    _pool.close()


class _NoWorker(Exception):
    """A worker did not start."""


class _Closed(Exception):
    """The pool was closed while the worker was at work."""


class _Lost(Exception):
    """A worker gave no reply, and not for what it was asked: it was stopped, or something ended it."""


class _Worker:
    """One process: JSON lines in, JSON lines out."""

    seconds = SECONDS
    """How long its asker waits for a reply."""

    def __init__(self) -> None:
        self.tasks = 0
        self.closed = False
        self.is_ready = False
        self.reached_its_limit = False
        """It ended by its limit of processor time or memory, which another worker would reach as well."""
        if not sys.executable:
            raise _NoWorker("no interpreter is known")
        try:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-S",
                    "-P",
                    "-c",
                    _PROGRAM,
                    json.dumps([*_module_paths(), CPU_SECONDS]),
                ],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env=_environment(),
            )
        except (OSError, ValueError) as error:
            raise _NoWorker(str(error)) from error

    def ask(self, answer: str) -> bytes | None:
        """Returns the reply, or None where there is none in time: then the worker is of no more use.

        Args:
            answer: its tokens, with spaces between them.

        Raises:
            _NoWorker: it did not come up.
        """
        assert self.process.stdin is not None
        if not self.is_ready and self._line(START_SECONDS) is None:
            raise _NoWorker(f"no sign of life from {sys.executable}")
        self.is_ready = True
        self.tasks += 1
        try:
            self.process.stdin.write(json.dumps(answer).encode() + b"\n")
            line = self._line(self.seconds)
        except OSError:
            line = None
        if line is None:
            self.stop()  # no signal reaches a process that ended: its status remains
            self.reached_its_limit = self.process.returncode == -signal.SIGPROF
        return line

    def _line(self, seconds: float) -> bytes | None:
        assert self.process.stdout is not None
        deadline = time.monotonic() + seconds
        poll = select.poll()
        poll.register(self.process.stdout, select.POLLIN)
        line = b""
        while not line.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not poll.poll(left * 1_000):
                return None
            part = os.read(self.process.stdout.fileno(), REPLY_BYTES)
            line += part
            if not part or len(line) > REPLY_BYTES:
                return None
        return line

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self.process.kill()
        self.process.wait()

    def kill(self) -> None:
        self.stop()
        self._close_pipes()

    def disown(self) -> None:
        """Lets go of a process in a forked child: it belongs to the parent, and so do the other ends."""
        self.process.returncode = 0  # nobody here waits for it
        self._close_pipes()

    def _close_pipes(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


class _Pool:
    """Workers on demand, one task at a time for each, and a cache of their readings."""

    def __init__(self) -> None:
        self._free = threading.Semaphore(max(1, min(MOST_WORKERS, (os.cpu_count() or 2) - 1)))
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._all: set[_Worker] = set()
        self._closings = 0
        self._known: OrderedDict[str, Reading | None] = OrderedDict()
        self._is_off = os.name != "posix" or bool(getattr(sys, "frozen", False))

    def read(self, answer: str) -> Reading | None:
        with self._lock:
            if answer in self._known:
                self._known.move_to_end(answer)
                return self._known[answer]
        with self._free:
            if self._is_off:
                return None
            try:
                reading = self._asked_twice(answer)
            except _Closed:
                return None
            except _NoWorker as error:
                self._switch_off(error)
                return None
            except _Lost:
                return _KILLED
        with self._lock:
            self._known[answer] = reading
            if len(self._known) > CACHE_ENTRIES:
                self._known.popitem(last=False)
        return reading

    def _asked_twice(self, answer: str) -> Reading | None:
        with contextlib.suppress(_Lost):
            return self._ask_a_worker(answer)
        return self._ask_a_worker(answer)

    def _ask_a_worker(self, answer: str) -> Reading | None:
        worker = self._take()
        with self._lock:
            closings = self._closings
        try:
            reply = worker.ask(answer)
        except BaseException:  # the caller's own signal: a reply may still come, to nobody
            self._end(worker)
            raise
        with self._lock:
            closed = worker.closed
            stays = not closed and reply is not None and worker.tasks < TASKS_OF_A_WORKER
            if stays:
                self._idle.append(worker)
        if not stays:
            self._end(worker)
        if closed:
            raise _Closed
        if reply is None:
            self._replace(closings)
            if not worker.reached_its_limit:
                raise _Lost
            return _KILLED
        return _reading(reply)

    def _replace(self, closings: int) -> None:
        """Starts the successor of a killed worker, which comes up while its asker goes on."""
        with contextlib.suppress(_NoWorker):  # the next answer will tell
            worker = _Worker()
            with self._lock:
                if stays := self._closings == closings:
                    self._all.add(worker)
                    self._idle.append(worker)
            if not stays:
                worker.kill()

    def _take(self) -> _Worker:
        while True:
            with self._lock:
                worker = self._idle.pop() if self._idle else None
                closings = self._closings
            if worker is None:
                worker = _Worker()
                with self._lock:
                    self._all.add(worker)
                    closed = self._closings != closings
                if closed:
                    self._end(worker)
                    raise _Closed
                return worker
            if worker.process.poll() is None:
                return worker
            self._end(worker)  # something else ended it between two tasks

    def _end(self, worker: _Worker) -> None:
        worker.kill()
        with self._lock:
            self._all.discard(worker)

    def _switch_off(self, error: _NoWorker) -> None:
        with self._lock:
            is_first, self._is_off = not self._is_off, True
        if is_first:
            warnings.warn(
                "functions such as \\sin 30^\\circ are compared by spelling only, since no worker starts: "
                f"{error}. Is sympy installed?",
                RuntimeWarning,
                stacklevel=4,
            )

    def close(self) -> None:
        with self._lock:
            self._closings += 1
            idle, self._idle = self._idle, []
            busy = self._all.difference(idle)
            for worker in busy:
                worker.closed = True
        for worker in busy:
            worker.stop()  # whoever asked it closes its pipes
        for worker in idle:
            self._end(worker)

    def disown(self) -> None:
        for worker in self._all:
            worker.disown()


def _reading(reply: bytes) -> Reading | None:
    form = json.loads(reply)
    if form is None:
        return None
    spelling, values = form
    return Reading(
        spelling=spelling, values=None if values is None else tuple(values), killed=False
    )


# How a worker starts -------------------------------------------------------------------------

_PROGRAM = """
import json, sys, types
paths, package, cpu_seconds = json.loads(sys.argv[1])
sys.path[:] = sys.path + paths
ttrl = sys.modules["ttrl"] = types.ModuleType("ttrl")
ttrl.__path__ = [package]
from ttrl.answers.slow.worker import main
main(cpu_seconds)
"""
"""A new interpreter and no fork of this one: safe beside threads and CUDA, and __main__ runs only once.

The package comes without its __init__, which imports much that a worker does not need.
"""


def _module_paths() -> tuple[list[str], str]:
    paths = [os.path.abspath(path) for path in sys.path if isinstance(path, str) and path]
    return paths, str(Path(__file__).resolve().parents[2])


def _environment() -> dict[str, str]:
    """Fixed hashes and arithmetic: two processes agree on every value. No bytecode is written."""
    left_out = ("PYTHON", "SYMPY_", "MPMATH_")
    own = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    if "PYTHONHOME" in os.environ:
        own["PYTHONHOME"] = os.environ["PYTHONHOME"]
    fixed = {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    return {**own, **fixed, "SYMPY_GROUND_TYPES": "python", "MPMATH_NOGMPY": "1"}


# One pool for the process --------------------------------------------------------------------

_pool = _Pool()


def _after_fork() -> None:
    """The child starts workers of its own; held locks and the parent's pipes stay behind."""
    global _pool
    before, _pool = _pool, _Pool()
    before.disown()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
atexit.register(close)
