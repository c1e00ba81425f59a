"""Shows what several arms reached: as tables of a page, as Markdown, on a terminal, and as JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from ttrl.evaluation.labels import natural_order
from ttrl.evaluation.report.arms import Arm, Measure, measured_sets, sets_of
from ttrl.evaluation.report.findings import FEW, number_of
from ttrl.evaluation.report.groups import Pair, differences
from ttrl.evaluation.report.outcome import Outcome, paired_outcome, pass_rate, tone_of, vote_value
from ttrl.evaluation.report.plan import TITLES
from ttrl.evaluation.report.study import Evidence, gain_of
from ttrl.evaluation.report.tables import Cell, Column, Table, change_cell, share_cell
from ttrl.evaluation.report.text import (
    HELD_OUT,
    LEVEL,
    NOTHING,
    TRAINED,
    capital,
    heading,
    plain,
    set_title,
)
from ttrl.interval import Interval
from ttrl.recording.evaluations import WHENS

REACHES = (5.0, 10.0, 20.0, 50.0)
"""Ends of the scale of differences, in percentage points; 100 beyond."""
POINT = (
    "point", "before", "after", "gain, points", "held-out gain", "majority ratio", "no answer", "entropy",
)  # fmt: skip
Row = dict[str, Any]
"""Of study.json or sweep.json, with intervals as values."""


def arm_tables(arms: Sequence[Arm], *, pairs: bool = True) -> list[Table]:
    """Returns tables of each set with its arms.

    Args:
        pairs: of a comparison, followed by the differences between arms; not of a study or a sweep.
    """
    measured, found = measured_sets(arms, uncut=not pairs), list[Table]()
    for name in sets_of(arms):
        groups = measured.get(name, [])
        by_arm = {each.arm.name: each for each in groups}
        known = "majority_ratio"
        shown = [a for a in arms if a.name in by_arm or a.average(known, name, "final") is not None]
        if shown:
            found.append(_set_table(name, shown, groups))
        apart = differences(groups) if pairs else []
        if any(pair.value.bounds != (0.0, 0.0) for pair in apart):
            found.append(_pair_table(name, apart))
    return found


def _set_table(name: str, arms: Sequence[Arm], groups: Sequence[Measure]) -> Table:
    """Columns of which nothing is known are left out."""
    by_arm = {each.arm.name: each for each in groups}
    outcomes = [each.outcome for each in groups if each.outcome and each.outcome.is_paired]
    n, k = (outcomes[0].samples, outcomes[0].largest_k) if outcomes else (0, 0)
    after = Column("after", scale=_scale(groups))
    columns = ("runs", "before", after, "lowest and highest run", "change, paired")
    votes = (f"maj@{n}", f"pass@{k}", "majority ratio", "no answer", "entropy")
    rows = [_arm_cells(arm, name, by_arm.get(arm.name)) for arm in arms]
    kept = [0, *(at for at in range(1, 11) if any(row[at].text != NOTHING for row in rows))]
    caption, note = heading(name), "Accuracy needs labels. Agreement is not correctness."
    if groups:
        several = any(len(each.arm.runs) > 1 for each in groups)
        over = ", and over seeds where a row has several runs" if several else ""
        few = f"; {FEW}" if any(each.is_small for each in groups) else ""
        caption = f"{', '.join(sorted({e.metric for e in groups}))} on {questions_of(groups)}"
        note = (
            "In percent and percentage points, mean over the runs of a row. Small figures are "
            f"{LEVEL} intervals over questions{over}{few}. On the line, a ring is before and a disc is after."
        )
    heads = ("", *columns, *votes)
    return Table(
        caption, [heads[at] for at in kept], [[row[at] for at in kept] for row in rows], note=note
    )


def _arm_cells(arm: Arm, name: str, each: Measure | None) -> list[Cell]:
    cells = [Cell(arm.name, small=arm.shown_role, arm=arm.name), Cell(str(len(arm.runs)))]
    if each is None:
        cells += [Cell()] * 4
    else:
        last = replace(share_cell(each.after), whisker=each.after, start=each.before, arm=arm.name)
        ends = (
            f"{100 * min(each.finals):.1f} to {100 * max(each.finals):.1f}" if each.finals else ""
        )
        spread = Cell(ends if len(each.finals) > 1 else NOTHING)
        cells += [share_cell(each.before), last, spread, change_cell(each.change)]
    found = each.outcome if each and each.outcome and each.outcome.is_paired else None
    for value in (vote_value, pass_rate(found.largest_k if found else 1)):
        pair = None if found is None else [found.level(when, value).value for when in WHENS]
        cells.append(Cell(_from_to(pair)))
    cells += [
        Cell(_from_to(arm.from_to(key, name))) for key in ("majority_ratio", "no_answer_rate")
    ]
    entropy = arm.from_to("entropy", name)
    return [*cells, Cell(" → ".join(plain(e, 2) for e in entropy) if entropy else NOTHING)]


def _from_to(pair: Sequence[float] | None) -> str:
    return NOTHING if pair is None else f"{100 * pair[0]:.1f} → {100 * pair[1]:.1f}"


def _pair_table(name: str, pairs: Sequence[Pair]) -> Table:
    ends = [100 * abs(end) for p in pairs for end in (p.value.bounds or (p.value.value,))]
    reach = next((each for each in REACHES if max(ends) <= each), 100.0)
    alone = " and all runs of both groups are compared" if any(p.chosen for p in pairs) else ""
    few = f" {capital(FEW)}." if any(pair.value.bounds is None for pair in pairs) else ""
    many = (
        f" These are {len(pairs)} comparisons, and of 20 such intervals about one misses by chance."
    )
    rows = [
        (
            f"{pair.higher} above {pair.lower}",
            change_cell(pair.value, drawn=True, tone=pair.tone),
            Cell(pair.value.over, small=f"{pair.chosen} alone" if pair.chosen else ""),
        )
        for pair in pairs
    ]
    return Table(
        f"Differences after training, {set_title(name)}",
        ("", Column("difference", scale=(-reach, reach)), "over"),
        rows,
        note=(
            f"Percentage points on the same questions, paired by question and by seed where both have "
            f"it, with {LEVEL} intervals; coloured where they leave out 0{alone}.{few}"
            f"{many if len(pairs) > 1 else ''}"
        ),
    )


def questions_of(groups: Sequence[Measure]) -> str:
    """Returns '512 unlabeled questions', or without the number if groups have different ones."""
    counts = {each.questions for each in groups}
    return number_of(groups[0].set, counts.pop() or None if len(counts) == 1 else None)


def _scale(groups: Sequence[Measure]) -> tuple[float, float]:
    """Tens around everything that is drawn, in percent; from 0 to 100 at the most."""
    drawn = [each for one in groups for each in (one.before, one.after) if each is not None]
    ends = [100 * end for each in drawn for end in (each.bounds or (each.value,))] or [0, 100]
    low = min(80.0, max(0.0, 10.0 * math.floor((min(ends) - 2) / 10)))
    return low, min(100.0, max(low + 20, 10.0 * math.ceil((max(ends) + 2) / 10)))


def study_rows(evidence: Evidence) -> list[Row]:
    """Sets in order, arms within them; only where answers can be marked right or wrong.

    Shares in [0, 1], means over seeds and questions with 95 % intervals over both.
    """
    rows = []
    for name in evidence.ttrl.sets:
        for key, arm in evidence.arms.items():
            if (found := evidence.outcomes.get((key, name))) is None:
                continue
            entropy = arm.from_to("entropy", name) or (0.0, 0.0)
            k = pass_rate(found.largest_k)
            passes = [float(found.table(when, k).mean()) for when in WHENS]
            size = {"seeds": len(found.seeds), "questions": len(found.keys)}
            rows.append(
                {"arm": key, "set": name, "samples": found.samples, **size}
                | _shares(found)
                | {"vote_before": found.level("base", vote_value)}
                | {"vote_after": found.level("final", vote_value)}
                | {"pass_key": f"pass@{found.largest_k}"}
                | {"pass_before": passes[0], "pass_after": passes[1]}
                | {"entropy_before": entropy[0], "entropy_after": entropy[1]}
            )
    return rows


def level_rows(evidence: Evidence) -> list[Row]:
    """Returns TTRL's rows by set and level, in natural order; none for sets without levels."""
    rows = []
    for name in evidence.ttrl.sets:
        found = evidence.outcomes.get(("ttrl", name))
        known = {r.level for r in found.records if r.level is not None} if found else set()
        for level in sorted(known, key=natural_order):
            assert found is not None  # it has levels
            here = found.at_level(level)
            votes = [here.level(when, vote_value).value for when in WHENS]
            rows.append(
                {"set": name, "level": level, "questions": len(here.keys)}
                | _shares(here)
                | {"vote_before": votes[0], "vote_after": votes[1]}
            )
    return rows


def _shares(found: Outcome) -> Row:
    return {"before": found.level("base"), "after": found.level("final"), "gain": gain_of(found)}


def as_json(row: Row) -> Row:
    """Returns the form in study.json."""
    return {
        key: asdict(value) | {"over": value.over} if isinstance(value, Interval) else value
        for key, value in row.items()
    }


def level_table(rows: Sequence[Row], metric: str, vote: str) -> Table:
    """Returns a table of TTRL by level."""
    ends = [100 * end for row in rows for end in row["gain"].bounds]
    scale = float(min(0, math.floor(min(ends)))), float(max(1, math.ceil(max(ends))))
    return Table(
        "By level, TTRL",
        ("questions", "level", "number", metric, Column("gain, points", scale=scale), vote),
        [
            (
                set_title(row["set"]),
                row["level"],
                f"{row['questions']:,}",
                _from_to((row["before"].value, row["after"].value)),
                change_cell(row["gain"], drawn=True, tone=tone_of(row["gain"])),
                _from_to((row["vote_before"], row["vote_after"])),
            )
            for row in rows
        ],
        note="Before → after. Intervals as above; of very few questions they say nothing.",
    )


def study_markdown(rows: Sequence[Row]) -> str:
    """Returns a table for a README: percent, gains in points."""
    if not rows:
        return ""
    n, k = rows[0]["samples"], rows[0]["pass_key"]
    ways = f"avg@{n} before → after", "gain, points", f"maj@{n} before → after", k
    lines = []
    for row in rows:
        avg, maj, passes = (
            f"{_share(row[f'{key}before'])} → {_share(row[f'{key}after'])}"
            for key in ("", "vote_", "pass_")
        )
        title = f"{set_title(row['set']).removesuffix(' questions')} ({row['questions']})"
        lines.append((title, TITLES[row["arm"]], avg, _gain(row["gain"]), maj, passes))
    return markdown(("questions", "reward", *ways), lines)


def markdown(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Returns a table in Markdown."""
    rule = "|---" * len(heads) + "|"
    rows = [f"| {' | '.join(line)} |" for line in (heads, *lines)]
    return "\n".join([rows[0], rule, *rows[1:]]) + "\n"


def sweep_rows(arms: Sequence[Arm]) -> list[Row]:
    """Returns the points of a sweep, pooled over seeds; None where labels are missing."""
    rows = []
    for arm in arms:
        trained = paired_outcome(arm.runs, TRAINED)
        held = paired_outcome(arm.runs, HELD_OUT) if HELD_OUT in arm.sets else None
        row: Row = {"name": arm.name, "seeds": list(arm.seeds)}
        row |= dict.fromkeys(("before", "after", "gain")) if trained is None else _shares(trained)
        row["held_out_gain"] = None if held is None else gain_of(held)
        for key in ("majority_ratio", "no_answer_rate", "entropy"):
            row[key.removesuffix("_rate")] = arm.average(key, TRAINED, "final") or 0.0
        rows.append(row)
    return rows


def point_json(row: Row) -> Row:
    """Returns the form in sweep.json."""
    return {
        key: {"value": value.value, "ci": [value.low, value.high]}
        if isinstance(value, Interval)
        else value
        for key, value in row.items()
    }


def sweep_texts(rows: Sequence[Row]) -> list[list[str]]:
    """Returns the cells of their table in Markdown and on a terminal."""
    return [
        [
            row["name"],
            *(_share(row[key]) for key in ("before", "after")),
            *(_gain(row[key]) for key in ("gain", "held_out_gain")),
            *(_share(row[key]) for key in ("majority_ratio", "no_answer")),
            f"{row['entropy']:.3f}",
        ]
        for row in rows
    ]


def aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    """Returns a table for a terminal."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines
    ]


def _gain(gain: Interval | None) -> str:
    """'+12.3 [+10.1, +14.5]'."""
    if gain is None or gain.bounds is None:
        return "–"
    low, high = gain.bounds
    return f"{100 * gain.value:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"


def _share(share: float | Interval | None) -> str:
    """In percent without the sign."""
    value = share.value if isinstance(share, Interval) else share
    return "–" if value is None else f"{100 * value:.1f}"
