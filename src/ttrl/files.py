"""Writes files and folders that are either complete or absent.

Everything is written under a hidden name beside its place, synced and then renamed, so that a reader sees
the old thing or the new one and never half of one. After an error or an interrupt nothing is left; only
a killed process leaves a hidden `.NAME.PID.tmp`, which nobody reads.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Literal

from ttrl.errors import CheckpointError, ConfigError


def write_whole(path: Path, content: str) -> Path:
    """Writes a file atomically, replaces one of the same name, and returns its path.

    Raises:
        CheckpointError: it cannot be written (disk full, no permission); what was there is untouched.
    """
    try:
        with whole_file(path) as stream:
            stream.write(content)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be written: {error}.") from None
    return path


@contextmanager
def whole_file(path: Path) -> Iterator[IO[str]]:
    """Opens a text file for writing; it appears under its name when it is complete.

    It is UTF-8 with line ends as they come. Lone surrogates, which come in answers and which a file cannot
    hold, are spelled out.

    Raises:
        OSError: it cannot be written.
    """
    beside = _beside(path)
    try:
        with beside.open("w", encoding="utf-8", errors="backslashreplace", newline="") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """Makes a folder to write into; it appears under its name when it is complete.

    Args:
        out: must not exist.

    Raises:
        OSError: it cannot be written.
    """
    beside = _beside(out)
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


def refuse_taken(out: Path, *, kind: Literal["file", "folder"]) -> None:
    """Raises ConfigError if --out names something that exists, broken links included."""
    if os.path.lexists(out):
        raise ConfigError(
            f"--out {out} exists already and is never overwritten. Remove it, or name another {kind}."
        )


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def sync(path: Path) -> None:
    """Waits until a file or folder is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
