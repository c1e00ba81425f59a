"""What several runs show next to each other, in sentences and tables computed from their numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from ttrl.evaluate.report.before_after import Whisker
from ttrl.evaluate.report.comparison import Arm, Cell, Column, Table, set_metrics
from ttrl.evaluate.report.comparison_measures import (
    Measure,
    change_direction,
    difference,
    direction_of,
    measure,
    seed_interval,
    sets_of,
)
from ttrl.evaluate.report.estimates import Direction, Estimate, set_title, short_span, span
from ttrl.evaluate.report.quantities import (
    NO_BREAK_SPACE,
    NOTHING,
    number,
    percent,
    signed,
)
from ttrl.evaluate.report.verdict import Sentence

ALL_PAIRS_UP_TO = 4
"""Groups; more are compared with the first one alone."""
SENTENCES = 6
SINGLY = 2
"""Differences that are not clear and yet get a sentence each."""
QUOTED = 4
_LEVEL = f"95{NO_BREAK_SPACE}%"

REACHES = (5.0, 10.0, 20.0, 50.0)
"""Ends of the scale of differences, in percentage points; 100 beyond."""

Measured = list[tuple[Arm, Measure]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two groups on the same questions after training."""

    first: Arm
    second: Arm
    """The higher one."""
    between: Estimate
    """`second` - `first`, with the paired interval over questions."""
    over_seeds: tuple[float, float] | None

    @property
    def tone(self) -> Direction:
        """A direction only where neither interval leaves it open."""
        return direction_of(self.between.interval, self.over_seeds)


def measured_sets(arms: Sequence[Arm]) -> dict[str, Measured]:
    """By set, the groups that were measured on it; sets without any are left out."""
    found = {
        name: [(arm, each) for arm in arms if (each := measure(arm, name)) is not None]
        for name in sets_of(arms)
    }
    return {name: groups for name, groups in found.items() if groups}


def quote(arms: Sequence[Arm], sets: dict[str, Measured]) -> str:
    """The verdict in one paragraph that can stand alone."""
    if not sets:
        return _without_labels(arms)
    name, groups = next(iter(sets.items()))
    starts = {percent(each.before.value) for _, each in groups if each.before and each.after}
    start = starts.pop() if len(starts) == 1 else None
    reached = [_reached(arm, each, start) for arm, each in groups[:QUOTED]]
    more = len(groups) - QUOTED
    rest = f"; {more} more below" if more > 0 else ""
    metrics = {each.metric for _, each in groups}
    metric = metrics.pop() if len(metrics) == 1 else "avg@k"
    same = "the same " if len(groups) > 1 and _same_questions(groups) else ""
    text = f"On {same}{_questions(name, groups)}, {metric} went"
    text += (
        f" from {start} {'; '.join(reached)}{rest}." if start else f" {'; '.join(reached)}{rest}."
    )
    if any(each.change and each.change.interval for _, each in groups):
        text += f" Brackets are {_LEVEL} intervals over questions."
    pairs = _differences(groups)
    if pairs:
        clear = sum(pair.tone != "unclear" for pair in pairs)
        text += _clearness(clear, len(pairs))
    return text


def _clearness(clear: int, pairs: int) -> str:
    """How many of the differences after training are clear."""
    if pairs == 1:
        return f" The difference between them is {'clear' if clear else 'not clear'}."
    told = {0: "None", pairs: "All"}.get(clear, str(clear))
    verb = "is" if clear == 1 or not clear else "are"
    return f" {told} of the {pairs} differences between them {verb} clear."


def findings(sets: dict[str, Measured]) -> tuple[Sentence, ...]:
    """Group by group on the first set, then pairs of groups, then the other sets."""
    sentences: list[Sentence] = []
    for index, (name, groups) in enumerate(sets.items()):
        if index == 0:
            sentences += [_change_sentence(name, *group) for group in groups[:SENTENCES]]
            sentences += _pair_sentences(_differences(groups))
            unpaired = _unpaired(name, groups)
            if unpaired is not None:
                sentences.append(unpaired)
        elif len(groups) == 1:
            sentences.append(_change_sentence(name, *groups[0]))
        else:
            sentences.append(_set_sentence(name, groups))
    return tuple(sentences)


def tables(sets: dict[str, Measured]) -> tuple[Table, ...]:
    """Each set with its groups, and below it the differences between them."""
    found = []
    for name, groups in sets.items():
        found.append(_set_table(name, groups))
        pairs = _differences(groups)
        if any(pair.between.interval != (0.0, 0.0) for pair in pairs):
            found.append(_pair_table(name, pairs))
    return tuple(found)


def _set_table(name: str, groups: Measured) -> Table:
    rows = []
    for arm, each in groups:
        seeds = each.seeds
        spread = f"{100 * min(seeds):.1f} to {100 * max(seeds):.1f}" if len(seeds) > 1 else NOTHING
        rows.append(
            (
                Cell(text=arm.name, arm=arm.name, small=_role(arm)),
                Cell(text=str(len(arm.runs))),
                _share_cell(each.before),
                _after_cell(arm, each),
                Cell(text=spread),
                _change_cell(each.change, tone=change_direction(each)),
            )
        )
    metrics = sorted({each.metric for _, each in groups})
    titles = ("", "runs", "before", "after", "lowest and highest run", "change, paired")
    return Table(
        caption=f"{', '.join(metrics)} on {_questions(name, groups)}",
        note=(
            f"In percent and percentage points, mean over the runs of a row. Small figures are {_LEVEL} "
            "intervals over questions; they say nothing about other seeds. On the line, a ring is before "
            "and a disc is after."
        ),
        columns=tuple(
            Column(title=title, scale=_scale(groups) if title == "after" else (0.0, 100.0))
            for title in titles
        ),
        rows=tuple(rows),
    )


def _pair_table(name: str, pairs: Sequence[Pair]) -> Table:
    ends = [100 * abs(end) for pair in pairs for end in pair.between.interval or ()]
    reach = next((each for each in REACHES if max(ends, default=0.0) <= each), 100.0)
    many = (
        f" These are {len(pairs)} comparisons, and of 20 such intervals about one misses by chance."
        if len(pairs) > 1
        else ""
    )
    return Table(
        caption=f"Differences after training, {set_title(name)}",
        note=(
            f"Percentage points on the same questions, with the paired {_LEVEL} interval over questions, "
            "which is drawn, and that over seeds (Welch’s, of groups with two runs or more). Coloured is "
            f"what neither leaves at 0.{many}"
        ),
        columns=(
            Column(title=""),
            Column(title="over questions", scale=(-reach, reach)),
            Column(title="over seeds"),
        ),
        rows=tuple(
            (
                Cell(text=f"{pair.second.name} over {pair.first.name}"),
                _change_cell(pair.between, tone=pair.tone, drawn=True),
                Cell(text=_signed_span(pair.over_seeds) if pair.over_seeds else NOTHING),
            )
            for pair in pairs
        ),
    )


def _differences(groups: Measured) -> list[Pair]:
    """Of all pairs of groups, or of the first one with each other; those that can be paired."""
    if len(groups) <= ALL_PAIRS_UP_TO:
        chosen = list(combinations(groups, 2))
    else:
        chosen = [(groups[0], other) for other in groups[1:]]
    found = []
    for (first, before), (second, after) in chosen:
        between = difference(before, after)
        if between is not None and between.value < 0:  # told from the higher one
            first, second, before, after = second, first, after, before
            between = difference(before, after)
        if between is not None:
            over_seeds = seed_interval(before, after)
            found.append(Pair(first=first, second=second, between=between, over_seeds=over_seeds))
    return found


def _change_sentence(name: str, arm: Arm, each: Measure) -> Sentence:
    where = f"{arm.name}{_runs(arm)}: {each.metric} on {_questions(name, [(arm, each)])}"
    upper = (
        " Rewarded by true labels: an upper bound, not TTRL." if arm.role == "upper bound" else ""
    )
    if each.before is None or each.after is None:
        known, when = (each.after, "after") if each.before is None else (each.before, "before")
        assert known is not None  # a measure has one of them
        interval = f" ({_LEVEL} interval {span(known.interval)})" if known.interval else ""
        text = f"{where} was {percent(known.value)}{interval} {when} training, and not measured "
        return Sentence(
            text=f"{text}{'after' if when == 'before' else 'before'}.{upper}", tone="unclear"
        )
    moved = f"from {percent(each.before.value)} to {percent(each.after.value)}"
    if each.change is None or each.change.interval is None:
        text = f"{where} went {moved}; without single questions there is no paired interval.{upper}"
        return Sentence(text=text, tone="unclear")
    tone = change_direction(each)
    change = f"{_points(each.change)}, {_LEVEL} interval {_signed_span(each.change.interval)}"
    if len(each.seed_changes) > 1:
        runs = (min(each.seed_changes), max(each.seed_changes))
        change += f" over questions; single runs {_signed_span(runs)}"
    if tone == "unclear":
        text = f"{where} shows no clear change, {moved} ({change}).{upper}"
    else:
        text = f"{where} {tone} {moved} ({change}).{upper}"
    return Sentence(text=text, tone=tone)


def _pair_sentences(pairs: Sequence[Pair]) -> list[Sentence]:
    """Clear differences one by one; what is not clear in one sentence where there is much of it."""
    clear = [pair for pair in pairs if pair.tone != "unclear"]
    unclear = [pair for pair in pairs if pair.tone == "unclear"]
    if len(unclear) <= SINGLY:
        return [_pair_sentence(pair) for pair in [*clear[:SENTENCES], *unclear]]
    text = (
        f"Of {'the other ' if clear else 'all '}{len(unclear)} pairs none is clearly apart on the same "
        "questions: the interval over questions or the one over seeds reaches 0."
    )
    told = [_pair_sentence(pair) for pair in clear[:SENTENCES]]
    return [*told, Sentence(text=text, tone="unclear")]


def _pair_sentence(pair: Pair) -> Sentence:
    found = pair.between
    assert found.interval is not None  # differences are paired
    spans = f"{_LEVEL} interval {_signed_span(found.interval)} over questions"
    if pair.over_seeds is not None:
        spans += f", {_signed_span(pair.over_seeds)} over seeds"
    else:
        spans += "; one seed does not tell about others"
    if pair.tone == "unclear":
        text = (
            f"No clear difference between {pair.second.name} and {pair.first.name} on the same "
            f"questions: {_points(found)} ({spans})."
        )
    else:
        side = "above" if pair.tone == "rose" else "below"
        size = f"{abs(100 * found.value):.1f}{NO_BREAK_SPACE}points"
        text = f"{pair.second.name} ends {size} {side} {pair.first.name} on the same questions ({spans})."
    return Sentence(text=text, tone=pair.tone)


def _set_sentence(name: str, groups: Measured) -> Sentence:
    told = []
    for arm, each in groups[:SENTENCES]:
        if each.change is None:
            told.append(f"{arm.name} not measured twice")
        elif each.change.interval is None:
            told.append(f"{arm.name} {_points(each.change)}, no interval")
        else:
            told.append(f"{arm.name} {_points(each.change)} ({_signed_span(each.change.interval)})")
    more = len(groups) - SENTENCES
    rest = f"; {more} more in the table" if more > 0 else ""
    tones = {change_direction(each) for _, each in groups}
    text = f"On {_questions(name, groups)}: {'; '.join(told)}{rest}."
    return Sentence(text=text, tone=tones.pop() if len(tones) == 1 else "unclear")


def _unpaired(name: str, groups: Measured) -> Sentence | None:
    """Says which groups have no questions in common with the first one."""
    reference = groups[0]
    others = [g for g in groups[1:] if difference(reference[1], g[1]) is None]
    if not others:
        return None
    told = []
    for arm, each in others:
        shared = len(reference[1].shares.keys() & each.shares.keys())
        reason = (
            f"{shared} of {len(each.shares)} questions are the same"
            if each.shares and reference[1].shares
            else "no records of single questions"
        )
        told.append(f"{arm.name} ({reason})")
    text = (
        f"On the {set_title(name)}, these cannot be paired with {reference[0].name}: "
        f"{'; '.join(told)}. A difference to them may come from the questions."
    )
    return Sentence(text=text, tone="unknown")


def _reached(arm: Arm, each: Measure, start: str | None) -> str:
    """'to 72.8 % with grpo (3 runs; +25.6 points [+22.8 to +28.2])', from `start` or its own base."""
    if each.before is None or each.after is None or each.change is None:
        known = each.after or each.before
        when = "after" if each.after else "before"
        return f"unmeasured but for {percent(known.value) if known else NOTHING} {when} with {arm.name}"
    interval = f" [{_signed_span(each.change.interval)}]" if each.change.interval else ""
    origin = "" if start else f"from {percent(each.before.value)} "
    runs = "" if len(arm.runs) == 1 else f"{len(arm.runs)} runs; "
    role = f"{_role(arm)}; " if _role(arm) else ""
    return (
        f"{origin}to {percent(each.after.value)} with {arm.name} "
        f"({role}{runs}{_points(each.change)}{interval})"
    )


def _without_labels(arms: Sequence[Arm]) -> str:
    text = "There are no labels, so these runs cannot be compared by accuracy."
    told = []
    for arm in arms[:QUOTED]:
        for name in sets_of([arm])[:1]:
            pairs = [
                (
                    number(set_metrics(run, name, "base"), "majority_ratio"),
                    number(set_metrics(run, name, "final"), "majority_ratio"),
                )
                for run in arm.runs
            ]
            known = [(b, a) for b, a in pairs if b is not None and a is not None]
            if known:
                before = sum(b for b, _ in known) / len(known)
                after = sum(a for _, a in known) / len(known)
                told.append(f"{arm.name} from {percent(before)} to {percent(after)}")
    if told:
        text += f" The majority ratio went: {'; '.join(told)}. That is agreement, not correctness."
    return text


def _share_cell(found: Estimate | None) -> Cell:
    if found is None:
        return Cell(text=NOTHING)
    small = short_span(found.interval) if found.interval else ""
    return Cell(text=f"{100 * found.value:.1f}", small=small)


def _after_cell(arm: Arm, each: Measure) -> Cell:
    told, found = _share_cell(each.after), each.after or each.before
    assert found is not None  # a measure has one of them
    low, high = found.interval or (found.value, found.value)
    whisker = Whisker(value=100 * found.value, low=100 * low, high=100 * high)
    start = 100 * each.before.value if each.before and each.after else None
    return replace(told, whisker=whisker if each.after else None, start=start, arm=arm.name)


def _change_cell(found: Estimate | None, *, tone: Direction, drawn: bool = False) -> Cell:
    if found is None:
        return Cell(text=NOTHING)
    if found.interval is None:
        return Cell(text=signed(100 * found.value), small="no interval")
    low, high = found.interval
    return Cell(
        text=signed(100 * found.value),
        small=_signed_span(found.interval),
        tone=tone,
        whisker=Whisker(value=100 * found.value, low=100 * low, high=100 * high) if drawn else None,
    )


def _scale(groups: Measured) -> tuple[float, float]:
    """Tens around everything that is drawn, in percent; from 0 to 100 at the most."""
    ends = [
        100 * end
        for _, each in groups
        for found in (each.before, each.after)
        if found is not None
        for end in (found.interval or (found.value,))
    ]
    low = max(0.0, 10 * math.floor((min(ends) - 2) / 10))
    return low, min(100.0, max(low + 20, 10 * math.ceil((max(ends) + 2) / 10)))


def _same_questions(groups: Measured) -> bool:
    first = groups[0][1].shares.keys()
    return bool(first) and all(each.shares.keys() == first for _, each in groups)


def _questions(name: str, groups: Measured) -> str:
    counts = {each.questions for _, each in groups}
    if len(counts) != 1 or counts == {0}:
        return set_title(name)
    count = counts.pop()
    title = set_title(name)
    return f"{count:,} {title.removesuffix('s') if count == 1 else title}"


def _role(arm: Arm) -> str:
    return arm.role if arm.role in ("upper bound", "control") else ""


def _runs(arm: Arm) -> str:
    return f" ({len(arm.runs)} runs)" if len(arm.runs) > 1 else ""


def _points(found: Estimate) -> str:
    return f"{signed(100 * found.value)}{NO_BREAK_SPACE}points"


def _signed_span(interval: tuple[float, float]) -> str:
    low, high = (signed(100 * bound) for bound in interval)
    return f"{low}{NO_BREAK_SPACE}to{NO_BREAK_SPACE}{high}"
