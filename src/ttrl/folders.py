"""Folders that are whole or not there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def appearing(out: Path) -> Iterator[Path]:
    """A folder to write into, which gets its name when it is complete, and goes if it is not.

    Args:
        out: must not exist.

    Raises:
        OSError: it cannot be written.
    """
    beside = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        beside.mkdir(parents=True)
        yield beside
        for path in [*beside.rglob("*"), beside]:
            if path.is_file():  # some writers give rights to the owner alone
                path.chmod(beside.stat().st_mode & 0o666)
            sync(path)
        beside.rename(out)
        sync(out.parent)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def sync(path: Path) -> None:
    """Returns when a file or folder is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
