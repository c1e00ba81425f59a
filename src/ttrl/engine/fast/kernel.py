"""The attention kernel of attention.c, compiled on first use and kept in the user's cache folder.

A machine without a C compiler has no kernel; the sampler then takes the general path and says so.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import importlib.resources
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from torch import Tensor

_FLAGS = (
    "-O3", "-march=native", "-std=c11", "-shared", "-fPIC", "-fno-math-errno", "-fno-trapping-math",
    "-fassociative-math", "-fno-signed-zeros", "-freciprocal-math",
)  # fmt: skip
_COMPILE_SECONDS = 60
_NAMES = {torch.float32: "attend_float", torch.bfloat16: "attend_half"}


@functools.cache
def compiled() -> ctypes.CDLL | None:
    """The compiled kernel, or None where it cannot be had."""
    compiler = (
        os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    )
    if compiler is None or sys.platform == "win32":
        return None
    source = importlib.resources.files("ttrl.engine.fast") / "attention.c"
    code = source.read_bytes()
    # Native code belongs to one processor; folders of home may be shared between machines.
    about = [code, compiler.encode(), " ".join(_FLAGS).encode(), _processor().encode()]
    name = hashlib.sha256(b"\0".join(about)).hexdigest()[:16]
    for folder in _folders():
        try:
            return _load(folder / f"attention-{name}.so", code, compiler)
        except (OSError, subprocess.SubprocessError):
            continue
    return None


def attend(
    query: Tensor,
    prompt_keys: Tensor,
    prompt_values: Tensor,
    owner: Tensor,
    start: Tensor,
    keys: Tensor,
    values: Tensor,
    length: int,
) -> Tensor:
    """Attention of one token per row; shapes as in attention.c.   [R, H, D] -> [R, H, D]"""
    kernel = compiled()
    assert kernel is not None
    rows, heads, size = query.shape
    threads = torch.get_num_threads()
    prompt, room = prompt_keys.shape[-1], keys.shape[-1]
    out = torch.empty_like(query)
    work = torch.empty(threads * (prompt + room))
    pointers = (query, out, prompt_keys, prompt_values, owner, start, keys, values, work)
    assert all(tensor.is_contiguous() for tensor in pointers)
    sizes = (rows, heads, keys.shape[1], size, prompt, room, length)
    getattr(kernel, _NAMES[query.dtype])(
        *(ctypes.c_void_p(tensor.data_ptr()) for tensor in pointers),
        *map(ctypes.c_int64, sizes),
        ctypes.c_float(size**-0.5),
        ctypes.c_int64(threads),
    )
    return out


def _folders() -> list[Path]:
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    own = f"ttrl-{os.getuid()}" if hasattr(os, "getuid") else "ttrl"
    return [Path(home) / "ttrl", Path(tempfile.gettempdir()) / own]


def _load(path: Path, code: bytes, compiler: str) -> ctypes.CDLL:
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _refuse_foreign(path.parent)
    if not path.exists():
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            source, built = Path(folder) / "attention.c", Path(folder) / "attention.so"
            source.write_bytes(code)
            _compile(compiler, source, built)
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
            [compiler, *_FLAGS, *threads, str(source), "-o", str(built), "-lm"],
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
