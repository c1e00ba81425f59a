"""Tables of a page: what was measured before and after, by set and level, and how far groups are apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ttrl.evaluation.estimators import LARGEST_K
from ttrl.evaluation.report.findings import Tone, apart, fate_counts, fates
from ttrl.evaluation.report.outcome import Outcome, paired_outcome
from ttrl.evaluation.report.reading import Run
from ttrl.evaluation.report.text import (
    NO_BREAK_SPACE,
    NOTHING,
    heading,
    in_order,
    percent,
    plain,
    short_span,
    signed,
    signed_span,
)
from ttrl.interval import Interval
from ttrl.recording.evaluations import WHENS, SetMetrics

BEHAVIOUR = (
    ("consensus_similarity", "consensus, similarity to the true answer", "%", 1),
    ("self_similarity", "similarity to each other", "%", 1),
    ("majority_ratio", "majority ratio", "%", 1),
    ("no_answer_rate", "no answer", "%", 1),
    ("truncated_rate", "cut at the limit", "%", 1),
    ("mean_tokens", "mean length", "tokens", 1),
    ("entropy", "entropy", "nats per token", 4),
)
"""Metrics that need no labels: their name here, unit and digits."""
MAX_LEVELS = 60


@dataclass(frozen=True, slots=True)
class Column:
    """The head of a column."""

    title: str
    scale: tuple[float, float] = (0.0, 100.0)
    """Ends of the line that the column's whiskers are drawn on, in percent or percentage points."""

    @property
    def marks(self) -> tuple[tuple[float, str], ...]:
        """Returns (place on the line in percent, number): both ends, and 0 or else the middle."""
        low, high = self.scale
        between = 0.0 if low < 0 < high else (low + high) / 2
        place = 100 * (between - low) / ((high - low) or 1)
        middle = ((place, self._mark(between)),) if 12 < place < 88 else ()
        return ((0.0, self._mark(low)), *middle, (100.0, self._mark(high)))

    def _mark(self, value: float) -> str:
        """At most one digit behind the point; with a sign where the scale has negative numbers."""
        if self.scale[0] >= 0:
            return f"{round(value, 1):g}"
        return signed(value, 0 if float(f"{value:.0f}") == round(value, 1) else 1)


@dataclass(frozen=True, slots=True)
class Cell:
    """One entry of a table."""

    text: str = NOTHING
    small: str = ""
    """Such as the interval."""
    more: str = ""
    """Further small words."""
    tone: Tone | None = None
    whisker: Interval | None = None
    """A share or a change, drawn on the column's scale."""
    start: Interval | None = None
    """Where the whisker's value came from, drawn as a ring on the same line."""
    arm: str | None = None
    """Name of the arm whose colour stands before the text."""
    link: str = ""
    """A relative address."""


@dataclass(slots=True)
class Table:
    """Rows of cells; the first cell of a row is its head. A text stands for a plain column or cell."""

    caption: str
    columns: Sequence[Any]
    rows: Sequence[Sequence[Any]]
    about: str = ""
    """Beside the caption."""
    note: str = ""
    quiet: int = 0
    """How many rows at the end matter less."""

    def __post_init__(self) -> None:
        self.columns = [Column(each) if isinstance(each, str) else each for each in self.columns]
        self.rows = [[Cell(e) if isinstance(e, str) else e for e in row] for row in self.rows]

    @property
    def plotted(self) -> list[bool]:
        """Returns which columns have whiskers."""
        columns = range(len(self.columns))
        return [any(row[i].whisker for row in self.rows if i < len(row)) for i in columns]


def share_cell(found: Interval | None) -> Cell:
    """Returns a cell with a share in percent and its interval."""
    if found is None:
        return Cell()
    return Cell(percent(found.value), small=short_span(found.bounds))


def change_cell(
    found: Interval | None,
    *,
    drawn: bool = False,
    tone: Tone | None = None,
    without: str = "no interval",
) -> Cell:
    """Returns a change in points with its interval; `tone` in place of what the interval alone says."""
    if found is None:
        return Cell()
    if found.bounds is None:
        return Cell(signed(100 * found.value), small=without)
    return Cell(
        text=signed(100 * found.value),
        small=signed_span(found.bounds),
        tone=tone or found.direction,
        whisker=found if drawn else None,
    )


def set_tables(run: Run) -> list[Table]:
    """Returns the measures of a run before and after, a table per set; accuracies need labels."""
    tables = []
    for name in in_order(run.result.metrics):
        base, final = (run.result.of(name, when) for when in WHENS)
        if not base and not final:
            continue
        found = paired_outcome([run], name)
        kinds = ("avg", base.avg, final.avg), ("maj", base.maj, final.maj)
        known = (*kinds, ("pass", base.passes, final.passes))
        names = [f"{kind}@{k}" for kind, early, late in known for k in sorted({*early, *late})]
        names += ["similarity"] if (base or final).similarity is not None else []
        rows = [(each, *_moved(each, base.of(each), final.of(each), found)) for each in names]
        quiet = [
            row
            for each in BEHAVIOUR
            if (row := _quiet_row(*each, base.of(each[0]), final.of(each[0])))
        ]
        nothing = "" if rows else "Accuracy needs labels: there is no answer key for this set."
        heads, about = ("metric", "before", "after", "change"), _conditions(base, final)
        tables.append(Table(heading(name), heads, [*rows, *quiet], about, nothing, len(quiet)))
    return tables


def _moved(
    name: str, before: Interval | None, after: Interval | None, found: Outcome | None
) -> tuple[Cell, Cell, Cell]:
    """A metric before and after, and its change, judged by its paired interval or else by both intervals."""
    cells = share_cell(before), replace(share_cell(after), whisker=after, start=before)
    if before is None or after is None:
        return *cells, Cell("")
    paired = None if found is None else found.change_of(name)
    change = Interval(value=after.value - before.value)
    if paired is not None:
        change = replace(paired.supported, value=change.value)
    cell = change_cell(change, without="")
    if change.bounds is None:
        if before.bounds is None or after.bounds is None:
            return *cells, cell
        cell = replace(cell, tone=apart(before, after))
    more = "no clear change" if cell.tone == "unclear" else str(cell.tone)
    return *cells, replace(cell, more=more)


def _quiet_row(
    key: str, label: str, unit: str, digits: int, before: Interval | None, after: Interval | None
) -> list[Cell] | None:
    """A metric without an interval; None if it was not measured."""
    if before is None and after is None:
        return None
    factor, end = (100, f"{NO_BREAK_SPACE}%") if unit == "%" else (1, "")
    texts = [
        NOTHING if each is None else f"{factor * each.value:,.{digits}f}{end}"
        for each in (before, after)
    ]
    change = ""
    if before is not None and after is not None:
        change = signed(factor * (after.value - before.value), digits)
    return [Cell(label, small="" if unit == "%" else unit), *map(Cell, (*texts, change))]


def _conditions(base: SetMetrics, final: SetMetrics) -> str:
    """How many questions, how many labels, how it was sampled."""
    either, parts = base or final, []
    if either.questions is not None:
        parts.append(f"{either.questions:,} questions")
        if either.labeled is not None and either.labeled < either.questions:
            parts.append(f"{either.labeled:,} with a label" if either.labeled else "no labels")
    for key, label in (("temperature", "temperature"), ("top_p", "top-p")):
        used = [each.value for each in (base.of(key), final.of(key)) if each is not None]
        if used and used[0] == used[-1]:
            parts.append(f"{label} {plain(used[0])}")
        elif used:
            parts.append(f"{label} {plain(used[0])} before, {plain(used[-1])} after")
    return ", ".join(parts)


def headline_table(tables: Sequence[Table]) -> Table | None:
    """Returns the accuracy that stands for each set, its first: that of one completion."""
    rows = []
    for table in tables:
        if len(table.rows) > table.quiet:
            name, before, after, change = table.rows[0]
            moved = replace(after, text=f"{before.text} → {after.text}", small="", tone=change.tone)
            rows.append((Cell(table.caption, small=name.text), moved))
    return Table("Accuracy of each set before and after", ("", ""), rows) if rows else None


def level_tables(run: Run) -> list[Table]:
    """Returns the measures of each level of difficulty, a table per set whose questions have levels."""
    tables = []
    for name in in_order(name for name, _ in run.result.evaluations):
        pair = [run.evaluation(name, when) for when in WHENS]
        sides = [{row.level: row for row in each.by_level} if each else {} for each in pair]
        levels = list(dict.fromkeys(level for side in sides for level in side))
        found, n = paired_outcome([run], name), max((e.samples for e in pair if e), default=0)
        # The accuracies that any level has, with their k if it is known, and the majority ratio.
        named = {"avg": f"avg@{min(LARGEST_K, n) or 'k'}", "maj": f"maj@{n or 'n'}"}
        known = [row for side in sides for row in side.values()]
        named = {k: named[k] for k in named if any(getattr(row, k) for row in known)}
        metrics = named | {"majority_ratio": "majority ratio"}
        rows = []
        for level in levels[:MAX_LEVELS]:
            both = [side.get(level) for side in sides]
            row = next(each for each in both if each is not None)
            asked = f"{row.questions:,}"
            if row.labeled < row.questions:
                asked += f", {row.labeled:,} with a label"
            cells = [Cell(level[:80]), Cell(asked)]
            here = None if found is None else found.at_level(level)
            for key, metric in metrics.items():
                values = [None if each is None else getattr(each, key) for each in both]
                early, late = (Interval(value=v) if isinstance(v, float) else v for v in values)
                cells += [replace(e, whisker=None) for e in _moved(metric, early, late, here)]
            rows.append(cells)
        more = len(levels) - MAX_LEVELS
        note = f"{more} more levels are left out here and stand in the files under evaluations/."
        heads = [title for m in metrics.values() for title in (f"{m} before", "after", "change")]
        if rows:
            heads = ["level", "questions", *heads]
            tables.append(Table(heading(name), heads, rows, note=note if more > 0 else ""))
    return tables


@dataclass(frozen=True, slots=True, kw_only=True)
class Fates:
    """The numbers of questions gained, kept, lost and never right, of a set or of a run."""

    name: str
    counts: Mapping[str, float] | None
    """None where no vote was marked both before and after."""
    about: str = ""
    sentence: str = ""
    arm: str | None = None
    link: str = ""


def set_fates(run: Run) -> list[Fates]:
    """Returns the fates of each set that was evaluated before and after, with a test."""
    rows = []
    for name in in_order(name for name, _ in run.result.evaluations):
        base, final = (run.evaluation(name, when) for when in WHENS)
        if base is None or final is None:
            continue
        if (found := paired_outcome([run], name)) is None:
            rows.append(Fates(name=heading(name), counts=None, sentence="Needs labels."))
            continue
        asked, graded = base.metrics.questions or len(base.questions), len(found.keys)
        about = f"{graded:,} of {asked:,} with a label" if graded < asked else ""
        counts, text = fate_counts(found), fates(found).text
        rows.append(Fates(name=heading(name), counts=counts, about=about, sentence=text))
    return rows
