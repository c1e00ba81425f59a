"""Derives seeds from paths: every random decision names its place, so there is no generator state to save."""

from __future__ import annotations

import hashlib

SeedPart = int | str


def derive_seed(*path: SeedPart) -> int:
    """Returns a seed in [0, 2**63) that depends on every part of the path and on nothing else.

    It is the same on every machine and in every process (unlike `hash()`). Parts are length-prefixed and
    typed, so ("ab", "c"), ("a", "bc") and (1,), ("1",) differ.

    Example: derive_seed(run_seed, "sample", step, question.id, i)
    """
    digest = hashlib.blake2b(digest_size=8)
    for part in path:
        kind = b"i" if isinstance(part, int) else b"s"
        data = str(part).encode("utf-8", "surrogatepass")
        digest.update(kind + len(data).to_bytes(8, "little") + data)
    return int.from_bytes(digest.digest(), "little") >> 1
