"""Tables of a page: what was measured before and after, by set and level, and how far groups are apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ttrl.evaluate.report.findings import Tone, apart, fate_counts, fates
from ttrl.evaluate.report.outcome import Outcome, paired_outcome, supported
from ttrl.evaluate.report.reading import Run
from ttrl.evaluate.report.text import (
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
from ttrl.recording.evaluations import WHENS, Evaluation, LevelMetrics, SetMetrics

SHARES = {
    "consensus_similarity": "consensus, similarity to the true answer",
    "self_similarity": "similarity to each other",
    "majority_ratio": "majority ratio",
    "no_answer_rate": "no answer",
    "truncated_rate": "cut at the limit",
}
AMOUNTS = {"mean_tokens": ("mean length", "tokens", 1), "entropy": ("entropy", "nats per token", 4)}
MAX_LEVELS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of cells; the first cell of a row is its head."""

    caption: str
    about: str = ""
    """Beside the caption."""
    note: str = ""
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    quiet: int = 0
    """How many rows at the end matter less."""

    @classmethod
    def of(
        cls,
        caption: str,
        columns: Sequence[str | Column],
        rows: Sequence[Sequence[Cell | str]],
        *,
        about: str = "",
        note: str = "",
        quiet: int = 0,
    ) -> Table:
        """Returns a table in short: a column by its title, a cell by its text."""
        return cls(
            caption=caption,
            about=about,
            note=note,
            columns=tuple(Column(title=e) if isinstance(e, str) else e for e in columns),
            rows=tuple(tuple(Cell(e) if isinstance(e, str) else e for e in r) for r in rows),
            quiet=quiet,
        )

    @property
    def plotted(self) -> tuple[bool, ...]:
        """Returns which columns have whiskers."""
        columns = range(len(self.columns))
        return tuple(any(row[i].whisker for row in self.rows if i < len(row)) for i in columns)


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


def set_tables(run: Run) -> tuple[Table, ...]:
    """Returns the measures of a run before and after, a table per set that was evaluated."""
    tables = []
    for name in in_order(run.result.metrics):
        base, final = (run.result.of(name, when) for when in WHENS)
        if base or final:
            tables.append(_set_table(name, base, final, paired_outcome([run], name)))
    return tuple(tables)


def _set_table(name: str, base: SetMetrics, final: SetMetrics, found: Outcome | None) -> Table:
    """Accuracies need labels, the rest does not."""
    names = [f"avg@{k}" for k in sorted({*base.avg, *final.avg})]
    names += [f"maj@{k}" for k in sorted({*base.maj, *final.maj})]
    names += [f"pass@{k}" for k in sorted({*base.passes, *final.passes})]
    names += ["similarity"] if (base or final).similarity is not None else []
    rows = [_accuracy_row(each, base.of(each), final.of(each), found) for each in names]
    quiet = [
        *(_amount_row(key, label, "%", 1, base, final) for key, label in SHARES.items()),
        *(_amount_row(key, *words, base, final) for key, words in AMOUNTS.items()),
    ]
    known = [row for row in quiet if row is not None]
    nothing = "" if rows else "Accuracy needs labels: there is no answer key for this set."
    return Table.of(
        heading(name),
        ("metric", "before", "after", "change"),
        [*rows, *known],
        about=_conditions(base, final),
        note=nothing,
        quiet=len(known),
    )


def _accuracy_row(
    name: str, before: Interval | None, after: Interval | None, found: Outcome | None
) -> tuple[Cell, ...]:
    last = replace(share_cell(after), whisker=after, start=before)
    return Cell(name), share_cell(before), last, _change(name, before, after, found)


def _change(
    name: str, before: Interval | None, after: Interval | None, found: Outcome | None
) -> Cell:
    """The change of a metric, judged by its paired interval; without one, by those of its values."""
    if before is None or after is None:
        return Cell("")
    paired = None if found is None else found.change_of(name)
    change = Interval(value=after.value - before.value)
    if paired is not None:
        change = replace(supported(paired), value=change.value)
    cell = change_cell(change, without="")
    if change.bounds is None:
        if before.bounds is None or after.bounds is None:
            return cell
        cell = replace(cell, tone=apart(before, after))
    return replace(cell, more="no clear change" if cell.tone == "unclear" else str(cell.tone))


def _amount_row(
    key: str, label: str, unit: str, digits: int, base: SetMetrics, final: SetMetrics
) -> tuple[Cell, ...] | None:
    pair = base.of(key), final.of(key)
    if pair == (None, None):
        return None
    factor = 100 if unit == "%" else 1
    texts = [
        NOTHING
        if each is None
        else percent(each.value) if unit == "%" else f"{each.value:,.{digits}f}"
        for each in pair
    ]  # fmt: skip
    before, after = pair
    change = (
        "" if not before or not after else signed(factor * (after.value - before.value), digits)
    )
    head = Cell(label, small="" if unit == "%" else unit)
    return head, Cell(texts[0]), Cell(texts[1]), Cell(change)


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
            moved = Cell(
                text=f"{before.text} → {after.text}",
                tone=change.tone,
                whisker=after.whisker,
                start=after.start,
            )
            rows.append((Cell(table.caption, small=name.text), moved))
    return Table.of("Accuracy of each set before and after", ("", ""), rows) if rows else None


def level_tables(run: Run) -> tuple[Table, ...]:
    """Returns the measures of each level of difficulty, a table per set whose questions have levels."""
    tables = []
    for name in in_order(name for name, _ in run.result.evaluations):
        pair = [run.evaluation(name, when) for when in WHENS]
        base, final = ({row.level: row for row in each.by_level} if each else {} for each in pair)
        names = list(dict.fromkeys([*base, *final]))
        if not names:
            continue
        metrics = _level_metrics([*base.values(), *final.values()], pair)
        found = paired_outcome([run], name)
        heads = [(f"{metric} before", "after", "change") for metric in metrics.values()]
        rows = [
            _level_row(level, base.get(level), final.get(level), metrics, found)
            for level in names[:MAX_LEVELS]
        ]
        more = len(names) - MAX_LEVELS
        note = f"{more} more levels are left out here and stand in the files under evaluations/."
        tables.append(
            Table.of(
                heading(name),
                ("level", "questions", *(title for head in heads for title in head)),
                rows,
                note=note if more > 0 else "",
            )
        )
    return tuple(tables)


def _level_metrics(
    rows: Sequence[LevelMetrics], evaluations: Sequence[Evaluation | None]
) -> dict[str, str]:
    """The accuracies that any level has, else the majority ratio: by field, with their k if it is known."""
    n = max((each.samples for each in evaluations if each), default=0)
    names = {"avg": f"avg@{min(16, n) or 'k'}", "maj": f"maj@{n or 'n'}"}
    known = {key: name for key, name in names.items() if any(getattr(row, key) for row in rows)}
    return known or {"majority_ratio": "majority ratio"}


def _level_row(
    level: str,
    base: LevelMetrics | None,
    final: LevelMetrics | None,
    metrics: Mapping[str, str],
    found: Outcome | None,
) -> tuple[Cell, ...]:
    here = None if found is None else found.at_level(level)
    cells = []
    for key, name in metrics.items():
        pair = [None if row is None else getattr(row, key) for row in (base, final)]
        before, after = (Interval(value=e) if isinstance(e, float) else e for e in pair)
        cells += [share_cell(before), share_cell(after), _change(name, before, after, here)]
    row = base or final
    asked = f"{row.questions:,}" if row else NOTHING
    if row and row.labeled < row.questions:
        asked += f", {row.labeled:,} with a label"
    return Cell(level[:80]), Cell(asked), *cells


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


def set_fates(run: Run) -> tuple[Fates, ...]:
    """Returns the fates of each set that was evaluated before and after, with a test."""
    found = []
    for name in in_order(name for name, _ in run.result.evaluations):
        base, final = (run.evaluation(name, when) for when in WHENS)
        if base is None or final is None:
            continue
        marked = paired_outcome([run], name)
        if marked is None:
            found.append(Fates(name=heading(name), counts=None, sentence="Needs labels."))
            continue
        asked = len(base.questions) if base.metrics.questions is None else base.metrics.questions
        graded = len(marked.keys)
        found.append(
            Fates(
                name=heading(name),
                counts=fate_counts(marked),
                about=f"{graded:,} of {asked:,} with a label" if graded < asked else "",
                sentence=fates(marked).text,
            )
        )
    return tuple(found)
