"""Where figures come from, and what else ran there meanwhile."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_PROC = Path("/proc")


class Watch:
    """Watches the machine from its creation on: how busy other processes kept it."""

    def __init__(self) -> None:
        self._load = os.getloadavg()
        self._time = time.perf_counter()
        self._busy, self._own = _ticks()

    def told(self) -> dict[str, Any]:
        """What a record of figures should say about the machine.

        `others` and `own` are shares of all processors: 0.5 is one of two.
        """
        busy, own = _ticks()
        possible = (time.perf_counter() - self._time) * _ticks_per_second() * (os.cpu_count() or 1)
        mine = (own - self._own) / possible
        return {
            "platform": platform.platform(),
            "processor": processor(),
            "python": platform.python_version(),
            "cores": os.cpu_count(),
            "load_before": [round(value, 2) for value in self._load],
            "load": [round(value, 2) for value in os.getloadavg()],
            "own": round(mine, 3),
            "others": round(max(0.0, (busy - self._busy) / possible - mine), 3),
        }


def processor() -> str:
    """The name of the processor, as Linux tells it."""
    try:
        lines = (_PROC / "cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((x.partition(":")[2].strip() for x in lines if x.startswith("model name")), "")


def resident_bytes() -> int:
    """Memory of this process now."""
    return _status("VmRSS")


def peak_bytes() -> int:
    """Largest memory of this process since its start or the last `forget_peak`.

    Not getrusage: its maximum outlives exec, so a small process would tell its parent's size.
    """
    return _status("VmHWM")


def forget_peak() -> None:
    """Lets `peak_bytes` begin anew."""
    (_PROC / "self" / "clear_refs").write_text("5")


def _status(key: str) -> int:
    lines = (_PROC / "self" / "status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))


def _ticks_per_second() -> int:
    return os.sysconf("SC_CLK_TCK")


def _ticks() -> tuple[int, int]:
    """Processor time since boot of everything, and of this process with its descendants.

    Of descendants that have ended, parents keep the sum, so none is lost while the tree lives.
    """
    if not (_PROC / "stat").exists():
        return 0, 0
    user, nice, system, _idle, _iowait, irq, softirq, *_ = (
        int(value) for value in (_PROC / "stat").read_text().split("\n", 1)[0].split()[1:]
    )
    parents, used = {}, {}
    for pid, fields in _processes():
        parents[pid] = int(fields[1])
        used[pid] = sum(map(int, fields[11:15]))  # utime, stime, and those of ended children
    own = 0
    for pid in parents:
        above = pid
        while above in parents and above != os.getpid():
            above = parents[above]
        own += used[pid] if above == os.getpid() else 0
    return user + nice + system + irq + softirq, own


def _processes() -> Iterator[tuple[int, list[str]]]:
    """Number and the fields after the name of each process; names may hold spaces."""
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text()
            except OSError:  # it has ended
                continue
            yield int(entry.name), text.rpartition(")")[2].split()
