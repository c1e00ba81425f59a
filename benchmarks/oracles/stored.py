"""References as compressed JSON, and in which places two of them differ."""

from __future__ import annotations

import json
import lzma
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "reference"
SHOWN = 20
"""Differences that are listed of one file; the others are counted."""
MISSING = "(missing)"


def read(name: str) -> Any:
    """The reference of that name."""
    return json.loads(lzma.decompress((FOLDER / f"{name}.json.xz").read_bytes()))


def exists(name: str) -> bool:
    """Whether there is a reference of that name."""
    return (FOLDER / f"{name}.json.xz").is_file()


def write(name: str, content: Any) -> Path:
    """Puts a reference in the place of what was there."""
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.json.xz"
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    path.write_bytes(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))
    return path


def as_json(content: Any) -> Any:
    """The content as a reference returns it: tuples are lists, keys are texts."""
    return json.loads(json.dumps(content))


def differences(before: Any, after: Any) -> list[str]:
    """One line for each place where two JSON values differ, in the order of the first one."""
    then, now = dict(_leaves(before, "")), dict(_leaves(after, ""))
    found = []
    for place in dict.fromkeys([*then, *now]):
        old, new = then.get(place, MISSING), now.get(place, MISSING)
        if not _same(old, new):
            found.append(f"{place.lstrip('.') or 'all'}: {_cut(old)} -> {_cut(new)}")
    return found


def listed(title: str, lines: list[str]) -> list[str]:
    """The lines below their title, the first ones only where there are many; nothing without any."""
    if not lines:
        return []
    more = [f"    and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return [f"  {title}: {len(lines)} differ", *(f"    {line}" for line in lines[:SHOWN]), *more]


def _leaves(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{place}.{key}")
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{place}[{index}]")
    else:
        yield place, value


def _same(old: Any, new: Any) -> bool:
    if isinstance(old, float) and isinstance(new, float) and math.isnan(old) and math.isnan(new):
        return True
    return type(old) is type(new) and bool(old == new)


def _cut(value: Any) -> str:
    text = value if value is MISSING else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 160 else f"{text[:160]}..."
