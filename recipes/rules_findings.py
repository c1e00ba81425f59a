"""What came out of the rules study, in sentences from intervals alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from rules_arms import ARMS, KEY, TTRL
from rules_results import Base, Row, apart, over_bases

from ttrl.evaluation.report.text import signed
from ttrl.interval import Direction, Interval

UNEQUAL = 0.05
"""Part of the majority's tokens by which an arm may differ without being named."""
Rows = Mapping[str, Row]
"""The arms that ran on a base."""


def findings(known: Mapping[Base, Rows]) -> str:
    """Returns a list in Markdown. An arm that does worse is named like one that does better."""
    differences = {name: over_bases([apart(r, name) for r in known.values()]) for name in ARMS}
    ours = {name: found for name, found in differences.items() if found is not None}
    lines = []
    for title, shown in (
        ("Clearly above the majority vote", "rose"),
        ("Clearly below it", "fell"),
        ("Not distinguishable from it", "unclear"),
        ("Of one seed, so without a claim", "one seed"),
    ):
        names = [name for name, found in ours.items() if kind(found) == shown]
        order = sorted(names, key=lambda name: -ours[name].value)
        listed = "; ".join(f"{name} {change(ours[name])}" for name in order) or "none"
        lines.append(f"- **{title}** (avg@64, points): {listed}.")
    sure: Mapping[str, Callable[[Row], bool]] = {
        "**Clearly above the base's own vote**": lambda row: kind(row.above_vote) == "rose",
        "**Below the base's single answers, clearly or not**": lambda row: row.gain.value < 0,
        "**A vote that loses more questions than it gains**": lambda row: (
            row.fates[1] > row.fates[0]
        ),
    }
    for title, holds in sure.items():
        each = [
            f"base {base.number}: {', '.join(n for n, row in rows.items() if holds(row)) or 'none'}"
            for base, rows in known.items()
        ]
        lines.append(f"- {title}: {'; '.join(each)}.")
    each = [
        f"base {base.number}: {_of_the_key(rows)}" for base, rows in known.items() if KEY in rows
    ]
    if each:
        lines.append(f"- **Part of the gain of the true answers**: {'; '.join(each)}.")
    each = [
        f"base {base.number}: {found}" for base, rows in known.items() if (found := _unequal(rows))
    ]
    if each:
        lines.append(f"- **Not at equal tokens** (millions): {'; '.join(each)}.")
    return "\n".join(lines)


def _unequal(rows: Rows) -> str:
    """Arms whose tokens differ from the majority's by more than the length of their answers explains."""
    if TTRL not in rows:
        return ""
    usual = rows[TTRL].tokens
    apart_by = {
        n: row.tokens for n, row in rows.items() if abs(row.tokens - usual) > UNEQUAL * usual
    }
    listed = ", ".join(f"{name} {tokens / 1e6:.2f}" for name, tokens in apart_by.items())
    return f"{listed}, where the majority has {usual / 1e6:.2f}" if listed else ""


def kind(found: Interval) -> Direction | Literal["one seed"]:
    """Returns what an interval shows: of one seed, nothing that another might not take back."""
    return found.direction if found.seeds > 1 else "one seed"


def _of_the_key(rows: Rows) -> str:
    """The gain of each method under the seeds that the key has too, in percent of the key's."""
    parts = {}
    for name, row in rows.items():
        ours, key = row.trained.shared_with(rows[KEY].trained)
        gains = [found.changes().mean() for found in (ours, key) if found.keys and found.seeds]
        if not row.arm.control and len(gains) == 2 and gains[1] > 0:
            parts[name] = 100 * gains[0] / gains[1]
    order = sorted(parts, key=lambda name: -parts[name])
    return ", ".join(f"{name} {parts[name]:.0f} %" for name in order) or "none"


def change(found: Interval | None) -> str:
    """Returns a difference in points: '+2.5 [−1.0, +6.1]'."""
    if found is None:
        return "–"
    ends = ", ".join(signed(100 * bound) for bound in found.supported.bounds or ())
    return f"{signed(100 * found.value)}{f' [{ends}]' if ends else ''}"
