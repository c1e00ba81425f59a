"""Numbers, names and short texts as a reader sees them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ttrl.interval import Interval

NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"
EN_DASH = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
NOTHING = "\N{EM DASH}"
ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
LEVEL = f"95{NO_BREAK_SPACE}%"

TRAINED, HELD_OUT, NO_PRIOR = "unlabeled", "heldout", "out_of_prior"
FRESH, TRANSFER = "fresh_", "transfer_"
SET_TITLES = {
    TRAINED: "unlabeled questions",
    HELD_OUT: "held-out questions",
    "fresh_generated": "newly generated questions",
    "fresh_perturbed": "perturbed questions",
    NO_PRIOR: "out-of-prior questions",
}


def set_title(name: str) -> str:
    """Returns the name of a question set on a page, in the plural."""
    if name in SET_TITLES:
        return SET_TITLES[name]
    if name.startswith(TRANSFER):
        return f"{name.removeprefix(TRANSFER)} transfer questions"
    if name.startswith(FRESH):
        return f"fresh {name.removeprefix(FRESH).replace('_', ' ')} questions"
    return name.replace("_", " ") + " questions"


def heading(name: str) -> str:
    """Returns `set_title` with a capital, to begin a line with."""
    return capital(set_title(name))


def in_order(names: Iterable[str]) -> list[str]:
    """Returns the sets with known ones first, in the order of the report."""
    found = set(names)
    return [name for name in SET_TITLES if name in found] + sorted(found - SET_TITLES.keys())


def capital(text: str) -> str:
    """Returns the text with a capital at its beginning."""
    return text[:1].upper() + text[1:]


def percent(share: float) -> str:
    """Returns a share in percent: 0.509 -> '50.9 %'."""
    return f"{100 * share:.1f}{NO_BREAK_SPACE}%"


def plain(value: float, digits: int = 4) -> str:
    """Returns a number with the given significant digits, but never fewer than its integer part has."""
    return f"{value:,.0f}" if abs(value) >= 10**digits else f"{value:.{digits}g}"


def signed(value: float, digits: int = 1) -> str:
    """Returns a number with its sign, unless it rounds to 0."""
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0:
        return text
    return ("+" if value > 0 else MINUS) + text


def points(change: Interval) -> str:
    """Returns a change of shares: '+12.3 points [+10.1, +14.5]', without brackets if it supports none."""
    ends = ", ".join(signed(100 * bound) for bound in change.supported.bounds or ())
    return f"{signed(100 * change.value)} points{f' [{ends}]' if ends else ''}"


def span(bounds: tuple[float, float]) -> str:
    """Returns an interval of shares in percent: (0.47, 0.548) -> '47.0 to 54.8', on one line."""
    return f"{NO_BREAK_SPACE}to{NO_BREAK_SPACE}".join(f"{100 * bound:.1f}" for bound in bounds)


def signed_span(bounds: tuple[float, float]) -> str:
    """Returns an interval of changes in points: (-0.01, 0.02) -> '−1.0 to +2.0', on one line."""
    return f"{NO_BREAK_SPACE}to{NO_BREAK_SPACE}".join(signed(100 * bound) for bound in bounds)


def short_span(bounds: tuple[float, float] | None) -> str:
    """Returns `span` in short, for tables; empty without an interval."""
    return "" if bounds is None else EN_DASH.join(f"{100 * bound:.1f}" for bound in bounds)


def p_value(p: float) -> str:
    """Returns 'p = 0.031', say, or 'p < 0.001' if more digits would be meaningless."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}" if p < 0.1 else f"p = {p:.2f}"


def plural(amount: float, thing: str) -> str:
    """Returns a count with its noun: '1 question', '12 questions'."""
    return f"{amount:,.0f} {thing}{'' if amount == 1 else 's'}"


def duration(seconds: float) -> str:
    """Returns seconds as hours, minutes and seconds, in the coarsest two units that say enough."""
    if seconds < 60:
        return f"{seconds:.1f}{NO_BREAK_SPACE}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}{NO_BREAK_SPACE}h {minutes}{NO_BREAK_SPACE}min"
    return f"{minutes}{NO_BREAK_SPACE}min {rest}{NO_BREAK_SPACE}s"


def memory(size: float) -> str:
    """Returns bytes in binary units."""
    if size < 2**30:
        return f"{size / 2**20:.0f}{NO_BREAK_SPACE}MiB"
    return f"{size / 2**30:.2f}{NO_BREAK_SPACE}GiB"


def energy(joules: float) -> str:
    """Returns joules, with watt-hours in addition if these say more."""
    text = f"{joules:,.0f}{NO_BREAK_SPACE}J"
    return text if joules < 3600 else f"{text} ({joules / 3600:,.1f}{NO_BREAK_SPACE}Wh)"


def short(text: str, length: int) -> str:
    """Returns the text, cut to so many characters."""
    return text if len(text) <= length else text[: length - 1] + ELLIPSIS


def line(value: object, length: int = 80) -> str:
    """Returns a short text for one line: an answer or an id."""
    return short(" ".join(str(value).split()), length)


def scalar(value: object) -> str:
    """Returns a setting or a version as a short text; a list with commas, but without nested lists."""
    if isinstance(value, list | tuple):
        parts = ("(several)" if isinstance(e, list | tuple) else scalar(e) for e in value[:20])
        return ", ".join(parts) or "none"
    if isinstance(value, Mapping):
        return "(several)"
    if value is None:
        return "none"
    return short(("yes" if value else "no") if isinstance(value, bool) else str(value), 120)
