"""Numbers as a reader sees them, and look-ups that give None for what is missing or not finite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"
EN_DASH = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
NOTHING = "\N{EM DASH}"


LARGEST = 1e15
"""Beyond it a number is taken for broken: nothing that a run records is as large."""


def finite(value: object) -> float | None:
    """The value as a float, or None if it is no number or a broken one (True and False are none)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        converted = float(value)
    except OverflowError:
        return None
    return converted if abs(converted) <= LARGEST else None  # not so for nan


def number(values: Mapping[str, Any], key: str) -> float | None:
    """The finite number under a key, or None."""
    return finite(values.get(key))


def mapping(value: object) -> Mapping[str, Any]:
    """The value if it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def percent(share: float) -> str:
    """0.509 -> '50.9 %'."""
    return f"{100 * share:.1f}{NO_BREAK_SPACE}%"


def plain(value: float, digits: int = 4) -> str:
    """So many significant digits, but never fewer than the whole number has."""
    return f"{value:,.0f}" if abs(value) >= 10**digits else f"{value:.{digits}g}"


def signed(value: float, digits: int = 1) -> str:
    """With its sign, except for what rounds to 0."""
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0:
        return text
    return ("+" if value > 0 else MINUS) + text


def duration(seconds: float) -> str:
    """Seconds as hours, minutes and seconds, in the coarsest two units that say enough."""
    if seconds < 60:
        return f"{seconds:.1f}{NO_BREAK_SPACE}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}{NO_BREAK_SPACE}h {minutes}{NO_BREAK_SPACE}min"
    return f"{minutes}{NO_BREAK_SPACE}min {rest}{NO_BREAK_SPACE}s"


def memory(size: float) -> str:
    """Bytes in binary units."""
    if size < 2**30:
        return f"{size / 2**20:.0f}{NO_BREAK_SPACE}MiB"
    return f"{size / 2**30:.2f}{NO_BREAK_SPACE}GiB"


def energy_told(joules: float) -> str:
    """Joules, with watt-hours beside them where these say more."""
    told = f"{joules:,.0f}{NO_BREAK_SPACE}J"
    return told if joules < 3600 else f"{told} ({joules / 3600:,.1f}{NO_BREAK_SPACE}Wh)"


def entries(value: object) -> Sequence[Any]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def p_value(p: float) -> str:
    """'p = 0.031', or 'p < 0.001' where more digits would say nothing."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}" if p < 0.1 else f"p = {p:.2f}"


def plural(amount: float, thing: str) -> str:
    """'1 question', '12 questions'."""
    return f"{amount:,.0f} {thing}{'' if amount == 1 else 's'}"
