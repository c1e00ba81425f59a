"""What a page that compares runs is made of. comparison_page.py puts it together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ttrl.evaluate.report.before_after import Whisker
from ttrl.evaluate.report.estimates import Direction
from ttrl.evaluate.report.figure import CurveGroup
from ttrl.evaluate.report.quantities import signed
from ttrl.evaluate.report.run_files import RunFiles
from ttrl.evaluate.statistics import Fate

Role = Literal["ttrl", "upper bound", "control", "run"]
Tone = Direction | Literal["unknown"]

STRONG_INKS, QUIET_INKS = 6, 3
"""Colours of comparison.css: --arm-1 ... for what is compared, --control-1 ... for controls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """Runs that differ by their seed alone, drawn in one colour."""

    name: str
    role: Role
    runs: tuple[RunFiles, ...]
    links: tuple[str, ...] = ()
    """Address of each run's own report, relative to the page; empty text where there is none."""

    @property
    def run_names(self) -> tuple[str, ...]:
        """What each run is called; a run without a name is called after its seed."""
        return tuple(
            str(run.result.get("name") or f"{self.name}, seed {run.result.get('seed', number)}")
            for number, run in enumerate(self.runs)
        )

    @property
    def addresses(self) -> tuple[str, ...]:
        """One link per run."""
        return self.links + ("",) * (len(self.runs) - len(self.links))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ink:
    """How an arm is drawn."""

    colour: str
    """A custom property of the style sheet."""
    dashed: bool
    """Where the colours have come round, and for controls."""


def inks(arms: Sequence[Arm]) -> tuple[Ink, ...]:
    """One per arm: controls are drawn in quiet colours, everything else in strong ones."""
    strong = quiet = 0
    found = []
    for arm in arms:
        if arm.role == "control":
            found.append(Ink(colour=f"--control-{1 + quiet % QUIET_INKS}", dashed=True))
            quiet += 1
        else:
            colour = f"--arm-{1 + strong % STRONG_INKS}"
            found.append(Ink(colour=colour, dashed=strong >= STRONG_INKS))
            strong += 1
    return tuple(found)


def curve_groups(arms: Sequence[Arm]) -> list[CurveGroup]:
    """The arms as the figure draws them."""
    return [
        CurveGroup(
            name=arm.name,
            role="control" if arm.role == "control" else "main",
            runs=[run.records for run in arm.runs],
        )
        for arm in arms
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """The head of a column."""

    title: str
    scale: tuple[float, float] = (0.0, 100.0)
    """Ends of the line that the column's whiskers are drawn on, in percent or percentage points."""

    @property
    def marks(self) -> tuple[tuple[float, str], ...]:
        """Place on the line in percent, and the number there: both ends, and 0 or else the middle."""
        low, high = self.scale
        between = 0.0 if low < 0 < high else (low + high) / 2
        place = 100 * (between - low) / ((high - low) or 1)
        told = signed_number if low < 0 else plain_number
        middle = ((place, told(between)),) if 12 < place < 88 else ()
        return ((0.0, told(low)), *middle, (100.0, told(high)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One entry of a table."""

    text: str
    small: str = ""
    """Such as the interval."""
    tone: Tone | None = None
    whisker: Whisker | None = None
    """In the units of the column's scale."""
    start: float | None = None
    """Where the whisker's value came from, drawn as a ring on the same line."""
    arm: str | None = None
    """Name of the arm whose colour stands before the text."""
    link: str = ""
    """A relative address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of cells; the first cell of a row is its head."""

    caption: str
    note: str = ""
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @property
    def plotted(self) -> tuple[bool, ...]:
        """Which columns have whiskers."""
        columns = range(len(self.columns))
        return tuple(any(row[i].whisker for row in self.rows if i < len(row)) for i in columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class FateRun:
    """A run in the table of questions."""

    name: str
    arm: str
    link: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionFate:
    """What became of one question in each run."""

    id: str
    prompt: str
    answer: str
    level: str
    before: float | None
    """Share of right votes, mean over the runs; None if unknown."""
    after: float | None
    fates: tuple[Fate | None, ...]
    """One per run; None where the run does not have the question, or not twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fates:
    """The questions of one set."""

    title: str
    runs: tuple[FateRun, ...]
    questions: tuple[QuestionFate, ...]
    counts: tuple[Mapping[Fate, int], ...]
    """How many questions each run gained, kept, lost and never got, those left out included."""
    left_out: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """Something of the appendix, folded."""

    title: str
    body: Table | str
    """A string is shown as it was written."""


def plain_number(value: float) -> str:
    """At most one digit behind the point."""
    return f"{round(value, 1):g}"


def signed_number(value: float) -> str:
    """The same with its sign."""
    return signed(value, 0 if float(f"{value:.0f}") == round(value, 1) else 1)


def scalar(value: object) -> str:
    """A setting or a version as a short text; a list with commas, but not what stands in its lists."""
    if isinstance(value, list | tuple):
        parts = ("(several)" if isinstance(e, list | tuple) else scalar(e) for e in value[:20])
        return ", ".join(parts) or "none"
    if isinstance(value, Mapping):
        return "(several)"
    if value is None:
        return "none"
    text = ("yes" if value else "no") if isinstance(value, bool) else str(value)
    return text if len(text) <= 120 else text[:119] + "\N{HORIZONTAL ELLIPSIS}"


def set_metrics(run: RunFiles, name: str, when: str) -> Mapping[str, Any]:
    """What result.json says about a set; empty if nothing."""
    sets = run.result.get("sets")
    pair = sets.get(name) if isinstance(sets, Mapping) else None
    metrics = pair.get(when) if isinstance(pair, Mapping) else None
    return metrics if isinstance(metrics, Mapping) else {}
