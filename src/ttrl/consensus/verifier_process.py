"""Runs a program of the user's that replies to lines with lines, and ends it where it does not.

The program is started without a shell, in a session of its own, with a limit of memory. Whatever it started
is killed with it. What it writes is bounded: a reply in bytes, and of its messages only the end is kept.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Sequence
from typing import IO

MEMORY_BYTES = 4 << 30
"""Address space of the program, and of each process that it starts."""
START_SECONDS = 60.0
"""Least time for the first reply after a start, for programs that load what they need."""
REPLY_BYTES = 65_536
MESSAGE_BYTES = 2_000
"""The end of what it writes to its standard error."""

_LIMITED = """
import json, os, resource, sys
memory, command = json.loads(sys.argv[1])
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
most = resource.getrlimit(resource.RLIMIT_AS)[1]
memory = memory if most == resource.RLIM_INFINITY else min(memory, most)
resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
try:
    os.execvp(command[0], command)
except OSError as error:
    sys.exit(f"{command[0]} cannot be started: {error.strerror}")
"""
"""Sets limits and becomes the program: code between fork and exec is not safe beside threads."""


class NoReply(Exception):
    """The program gave no reply that can be used, and was killed; the text says why."""


class LineProgram:
    """One running program.

    Args:
        command: with its arguments.
        seconds: time for a reply.

    Raises:
        OSError: no process can be started.
    """

    def __init__(self, command: Sequence[str], *, seconds: float) -> None:
        self.seconds = seconds
        self._is_new = True
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _LIMITED, json.dumps([MEMORY_BYTES, list(command)])],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self._input, self._output = self._process.stdin.fileno(), self._process.stdout.fileno()
        for end in (self._input, self._output):
            os.set_blocking(end, False)
        self._messages = bytearray()
        self._listener = threading.Thread(
            target=_keep_the_end, args=(self._process.stderr, self._messages), daemon=True
        )
        self._listener.start()
        # Also at the end of this interpreter, and when nobody holds the program any more.
        self.end = weakref.finalize(self, _end, self._process, self._listener, os.getpid())

    @property
    def messages(self) -> str:
        """Returns the end of its standard error, without characters that a terminal would obey."""
        text = bytes(self._messages).decode("utf-8", "replace")
        return "".join(c if c.isprintable() else " " for c in text).strip()

    def ask(self, line: bytes) -> bytes:
        """Writes a line, which ends with a line feed, and returns the line that replies to it, without one.

        Raises:
            NoReply: there is none in time, the program ended, or it wrote too much. It is killed.
        """
        seconds = max(self.seconds, START_SECONDS) if self._is_new else self.seconds
        try:
            reply = self._exchange(line, time.monotonic() + seconds, seconds)
        except (
            BaseException
        ):  # a reply to an interrupted question would be taken for the next one's
            self.end()
            raise
        self._is_new = False
        return reply

    def _exchange(self, line: bytes, deadline: float, seconds: float) -> bytes:
        if self._read(REPLY_BYTES):
            raise NoReply("it wrote a line that nobody asked for")
        unsent, reply = memoryview(line), b""
        poll = select.poll()
        poll.register(self._output, select.POLLIN)
        poll.register(self._input, select.POLLOUT)
        while True:
            left = deadline - time.monotonic()
            ready = poll.poll(left * 1_000) if left > 0 else []
            if not ready:
                raise NoReply(f"it gave no reply within {seconds:g} s")
            ends = [end for end, _ in ready]
            if self._input in ends:
                unsent = self._write(unsent)
                if not unsent:
                    poll.unregister(self._input)
            if self._output in ends:
                part = self._read(REPLY_BYTES)
                if part == b"":
                    raise NoReply("it ended, or closed its standard output")
                reply += part or b""
            first, found, rest = reply.partition(b"\n")
            if found and (rest or unsent):
                raise NoReply("it wrote a line that nobody asked for")
            if found:
                return first
            if len(reply) > REPLY_BYTES:
                raise NoReply(f"it wrote a line of more than {REPLY_BYTES:,} bytes")

    def _read(self, most: int) -> bytes | None:
        """What can be read now: None for nothing yet, and no bytes where nothing will come."""
        try:
            return os.read(self._output, most)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def _write(self, data: memoryview) -> memoryview:
        try:
            return data[os.write(self._input, data) :]
        except BlockingIOError:
            return data
        except OSError:
            raise NoReply("it ended, or closed its standard input") from None


def _keep_the_end(stream: IO[bytes], kept: bytearray) -> None:
    with contextlib.suppress(OSError, ValueError):
        while part := stream.read(4_096):
            kept += part
            del kept[:-MESSAGE_BYTES]


def _end(process: subprocess.Popen[bytes], listener: threading.Thread, owner: int) -> None:
    """Kills the program and what it started, and lets the rest of its messages be read."""
    if os.getpid() != owner:  # a fork of ours has no right to end it
        return
    # Before `wait`: until then the number of its group belongs to nobody else.
    with contextlib.suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    listener.join(timeout=1)
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
    if process.stderr is not None and not listener.is_alive():
        process.stderr.close()
