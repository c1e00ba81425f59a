"""Sets how many threads compute, and how they wait, before torch loads, which reads it once."""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path

_CPUS = Path("/sys/devices/system/cpu")
_CGROUP = Path("/sys/fs/cgroup")


def set_threads(environment: MutableMapping[str, str]) -> None:
    """Sets one thread for each core that this process may use, waiting without spinning.

    Threads that spin while they wait slow each other down by a factor of 30 on a busy machine; more
    threads than a container may run at once have the same effect. What the user has set stays.
    """
    environment.setdefault("OMP_WAIT_POLICY", "passive")
    environment.setdefault("OMP_NUM_THREADS", str(usable_cores()))


def thread_settings(environment: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Returns the settings under this environment: value and source by variable."""
    resolved = dict(environment)
    set_threads(resolved)
    return {
        name: (resolved[name], "environment" if name in environment else "default")
        for name in ("OMP_NUM_THREADS", "OMP_WAIT_POLICY")
    }


def usable_cores() -> int:
    """Returns the number of whole cores that the process may use, by affinity and quota."""
    if hasattr(os, "sched_getaffinity"):
        cpus = sorted(os.sched_getaffinity(0))
    else:
        cpus = list(range(os.cpu_count() or 1))
    # Two hyperthreads of a core share its arithmetic.
    cores = len({_core(cpu) for cpu in cpus})
    return max(1, min(cores, _quota(cores)))


def _core(cpu: int) -> str:
    """The processors that share a core with this one, itself among them."""
    try:
        return (_CPUS / f"cpu{cpu}" / "topology" / "thread_siblings_list").read_text()
    except OSError:
        return str(cpu)


def _quota(otherwise: int) -> int:
    """Cores that a container's quota amounts to."""
    try:
        limit, period = (_CGROUP / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            limit = (_CGROUP / "cpu/cpu.cfs_quota_us").read_text()
            period = (_CGROUP / "cpu/cpu.cfs_period_us").read_text()
        except OSError:
            return otherwise
    try:
        quota = int(limit) / int(period)
    except (ValueError, ZeroDivisionError):  # "max" is no limit
        return otherwise
    return int(quota) if quota > 0 else otherwise
