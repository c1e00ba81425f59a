"""Compiles the kernels of kernels.c on first use and caches them in the user's cache folder.

Without a C compiler there are none; the sampler then takes the general path and says so.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import importlib.resources
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

_FLAGS = (
    "-O3", "-march=native", "-std=c11", "-shared", "-fPIC", "-fno-math-errno", "-fno-trapping-math",
    "-fassociative-math", "-fno-signed-zeros", "-freciprocal-math", "-ffp-contract=fast",
)  # fmt: skip
_SOURCES = (
    "numbers.h", "matmul.h", "attention.h", "decode.h", "trees.h", "training.h", "tree_attention.h", "draw.h",
    "kernels.c",
)  # fmt: skip
_COMPILE_SECONDS = 60
SUFFIX = {torch.float32: "float", torch.bfloat16: "half"}
"""Types that the kernels support, with the suffixes of their names."""


@functools.cache
def compiled() -> ctypes.CDLL | None:
    """Returns the compiled kernels, or None if they cannot be compiled on this machine."""
    compiler = (
        os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    )
    if compiler is None or sys.platform == "win32":
        return None
    folder_of_sources = importlib.resources.files("ttrl.engine.fast")
    code = {name: (folder_of_sources / name).read_bytes() for name in _SOURCES}
    # Native code belongs to one processor; folders of home may be shared between machines.
    about = [*code.values(), compiler.encode(), " ".join(_FLAGS).encode(), _processor().encode()]
    name = hashlib.sha256(b"\0".join(about)).hexdigest()[:16]
    for folder in _folders():
        try:
            return _load(folder / f"kernels-{name}.so", code, compiler)
        except (OSError, subprocess.SubprocessError):
            continue
    return None


def _folders() -> list[Path]:
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    own = f"ttrl-{os.getuid()}" if hasattr(os, "getuid") else "ttrl"
    return [Path(home) / "ttrl", Path(tempfile.gettempdir()) / own]


def _load(path: Path, code: dict[str, bytes], compiler: str) -> ctypes.CDLL:
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _refuse_foreign(path.parent)
    if not path.exists():
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            for name, text in code.items():
                (Path(folder) / name).write_bytes(text)
            built = Path(folder) / "kernels.so"
            _compile(compiler, Path(folder) / _SOURCES[-1], built)
            built.replace(path)  # complete or absent, also with two processes at once
    return ctypes.CDLL(str(path))


def _refuse_foreign(folder: Path) -> None:
    """Code is loaded from this folder, so nobody else may write to it."""
    about = folder.stat()
    if hasattr(os, "getuid") and (about.st_uid != os.getuid() or about.st_mode & 0o022):
        raise PermissionError(f"{folder} is not this user's alone")


def _compile(compiler: str, source: Path, built: Path) -> None:
    """With OpenMP where the compiler has it, else for one thread."""
    for threads in (["-fopenmp"], []):
        done = subprocess.run(
            [*shlex.split(compiler), *_FLAGS, *threads, str(source), "-o", str(built), "-lm"],
            capture_output=True,
            timeout=_COMPILE_SECONDS,
            check=False,
        )
        if done.returncode == 0:
            return
    raise subprocess.SubprocessError("the compiler failed")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        told = [line for line in lines if line.startswith(("model name", "flags", "Features"))]
        return "".join(sorted(set(told)))
    except OSError:
        return platform.machine() + platform.processor()
