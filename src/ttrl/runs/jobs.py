"""Several commands of ttrl as processes of their own, one after another or side by side.

A run that fails takes no other with it, and memory is given back between runs.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ttrl.config import ENVIRONMENT_PREFIX
from ttrl.errors import EXIT_DONE, EXIT_GUARD, CheckpointError
from ttrl.threads import usable_cores

ENDED = (EXIT_DONE, EXIT_GUARD)
"""Exit codes of commands that have left their result."""
POLL_SECONDS = 0.2
PATIENCE_SECONDS = 300
"""Seconds that an interrupted run has to end its update and save."""
TOLD_CHARACTERS = 2_000
"""Characters to show of a failed command's last output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One command. It is finished when `done` exists."""

    name: str
    arguments: tuple[str, ...]
    done: Path
    log: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A job that ended without its result."""

    name: str
    exit_code: int
    said: str
    """The end of the job's log."""


@dataclass(slots=True, kw_only=True)
class _Process:
    job: Job
    popen: subprocess.Popen[bytes]
    started: float


def run_side_by_side(
    jobs: Sequence[Job],
    *,
    at_once: int,
    told: Callable[[Job], str] = lambda job: "",
    say: Callable[[str], object] = lambda line: None,
) -> list[Failure]:
    """Runs what is not done yet, at most `at_once` at a time, each on its share of the cores.

    An interrupt is passed on to what is running, waited for, and raised again: runs that can be resumed
    have saved by then.

    Args:
        told: a few words about a job that has just ended well.
        say: called with a line for each job that ends, well or not.

    Raises:
        CheckpointError: a log cannot be written.
    """
    waiting = [job for job in jobs if not job.done.exists()]
    ended = len(jobs) - len(waiting)
    running: list[_Process] = []
    failures: list[Failure] = []
    environment = _environment(at_once)
    with _ended_with(running):
        while waiting or running:
            while waiting and len(running) < at_once:
                running.append(_start(waiting.pop(0), environment))
            time.sleep(POLL_SECONDS)
            for process in [p for p in running if p.popen.poll() is not None]:
                running.remove(process)
                ended += 1
                job, seconds = process.job, time.monotonic() - process.started
                line = f"{ended:>3}/{len(jobs)}  {job.name:<24} {seconds:6.0f} s  "
                if process.popen.returncode in ENDED and job.done.exists():
                    say(line + told(job))
                else:
                    failures.append(_failure(process))
                    say(f"{line}FAILED with exit code {failures[-1].exit_code}: see {job.log}")
    return failures


def _start(job: Job, environment: dict[str, str]) -> _Process:
    log: IO[bytes]
    try:
        job.log.parent.mkdir(parents=True, exist_ok=True)
        log = job.log.open("ab")
    except OSError as error:
        raise CheckpointError(f"{job.log} cannot be written: {error}.") from None
    with log:
        popen = subprocess.Popen(
            # -P: not from the folder it runs in, where a file may be named like a package
            [sys.executable, "-P", "-m", "ttrl", *job.arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,  # Ctrl-C reaches it once: through us
        )
    return _Process(job=job, popen=popen, started=time.monotonic())


def _environment(at_once: int) -> dict[str, str]:
    """Variables of ours are in the config that the jobs are given; left in place they would count twice."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(ENVIRONMENT_PREFIX)}
    if at_once > 1:
        told = kept.get("OMP_NUM_THREADS", "").partition(",")[0]
        threads = int(told) if told.isascii() and told.isdigit() else usable_cores()
        kept["OMP_NUM_THREADS"] = str(max(1, threads // at_once))
    return kept


@contextmanager
def _ended_with(running: Sequence[_Process]) -> Iterator[None]:
    """Whatever ends the block ends the processes that are still running."""
    try:
        yield
    finally:
        alive = [p.popen for p in running if p.popen.poll() is None]
        for popen in alive:
            popen.send_signal(signal.SIGINT)
        deadline = time.monotonic() + PATIENCE_SECONDS
        try:
            for popen in alive:
                popen.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            pass
        finally:  # after a second interrupt too: nothing goes on without us
            for popen in alive:
                if popen.poll() is None:
                    popen.kill()
                    popen.wait()


def _failure(process: _Process) -> Failure:
    text = process.job.log.read_text("utf-8", errors="replace") if process.job.log.exists() else ""
    code = process.popen.returncode
    return Failure(
        name=process.job.name,
        exit_code=code if code > 0 else 128 - code,  # killed by a signal, as shells tell it
        said=text[-TOLD_CHARACTERS:].strip(),
    )
