"""Look-ups in files that may be damaged, older or newer: what is missing or broken gives None or nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

LARGEST = 1e15
"""Beyond it a number is taken for broken: nothing that a run records is as large."""
MAX_DEPTH = 50
"""Of JSON; a deeper one is broken. So whatever walks through it may recurse."""


def finite(value: object) -> float | None:
    """Returns the value as a float, or None if it is no number or a broken one (True and False are none)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        converted = float(value)
    except OverflowError:
        return None
    return converted if abs(converted) <= LARGEST else None  # not so for nan


def number(values: Mapping[str, Any], key: str) -> float | None:
    """Returns the finite number under a key, or None."""
    return finite(values.get(key))


def whole(value: object) -> int | None:
    """Returns the value as a whole number, cut towards 0, or None if it is no finite number."""
    found = finite(value)
    return None if found is None else int(found)


def count(value: object) -> int:
    """Returns the value as a count: 0 for what is negative or no number."""
    return max(0, whole(value) or 0)


def text(value: object) -> str | None:
    """Returns the value if it is a text, a number as it is written, else None."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def mapping(value: object) -> Mapping[str, Any]:
    """Returns the value if it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def entries(value: object) -> Sequence[Any]:
    """Returns the value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def read_text(path: Path) -> str:
    """Returns the file's text, empty if there is none. Bytes that are not UTF-8 become U+FFFD."""
    try:
        return path.read_text("utf-8", errors="replace")
    except OSError:
        return ""


def read_object(path: Path) -> Mapping[str, Any]:
    """Returns the object that a JSON file holds; empty if there is none."""
    return mapping(parsed_json(read_text(path)))


def parsed_json(content: str) -> object:
    """Returns the parsed text; None if it is not JSON, or nested deeper than anything that ttrl writes."""
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if content.count("[") + content.count("{") <= MAX_DEPTH or _depth(parsed) <= MAX_DEPTH:
        return parsed
    return None


def _depth(value: object) -> int:
    """Lists and objects around the innermost one, itself counted; without recursion."""
    depth, level = 0, [value]
    while level := [each for each in level if isinstance(each, dict | list)]:
        depth += 1
        level = [
            inner for each in level for inner in (each.values() if isinstance(each, dict) else each)
        ]
    return depth
