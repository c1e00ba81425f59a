"""What several runs show next to each other, in sentences computed from their numbers."""

from __future__ import annotations

from collections.abc import Sequence

from ttrl.evaluate.report.comparison import Arm, set_metrics
from ttrl.evaluate.report.comparison_measures import FEW, Measure, difference, sets_of
from ttrl.evaluate.report.comparison_pairs import (
    LEVEL,
    Measured,
    Pair,
    differences,
    questions_told,
    role_told,
)
from ttrl.evaluate.report.estimates import (
    Direction,
    Sentence,
    direction_of,
    points,
    set_title,
    signed_span,
    span,
)
from ttrl.evaluate.report.quantities import NO_BREAK_SPACE, NOTHING, number, percent
from ttrl.evaluate.statistics import mean

SENTENCES = 6
"""Groups or clear differences that get a sentence each; the tables have all of them."""
SINGLY = 2
"""Differences that are not clear and yet get a sentence each."""
QUOTED = 4
NO_RECORDS = "without the same single questions there is no paired interval"
"""Why there is none."""


def quote(arms: Sequence[Arm], sets: dict[str, Measured]) -> str:
    """The verdict in one paragraph that can stand alone."""
    if not sets:
        return _without_labels(arms)
    name, groups = next(iter(sets.items()))
    starts = {percent(each.before.value) for _, each in groups if each.before and each.after}
    start = starts.pop() if len(starts) == 1 else None
    reached = [_reached(arm, each, start) for arm, each in groups[:QUOTED]]
    if len(groups) > QUOTED:
        reached.append(f"{len(groups) - QUOTED} more below")
    metrics = {each.metric for _, each in groups}
    metric = metrics.pop() if len(metrics) == 1 else "avg@k"
    same = "the same " if len(groups) > 1 and _same_questions(groups) else ""
    origin = f" from {start}" if start else ""
    text = f"On {same}{questions_told(name, groups)}, {metric} went{origin} {'; '.join(reached)}."
    overs = {each.over for _, each in groups if each.change and each.change.interval}
    if overs:
        over = "questions, and over seeds where a group has several runs"
        text += f" Brackets are {LEVEL} intervals over {overs.pop() if len(overs) == 1 else over}."
    if any(each.is_small for _, each in groups):
        text += f" {FEW[:1].upper()}{FEW[1:]}."
    pairs = differences(groups)
    return f"{text} {_how_many_are_clear(pairs)}" if pairs else text


def findings(sets: dict[str, Measured]) -> tuple[Sentence, ...]:
    """Group by group on the first set, then pairs of groups, then the other sets."""
    sentences: list[Sentence] = []
    for index, (name, groups) in enumerate(sets.items()):
        if index == 0:
            sentences += [_change_sentence(name, *group) for group in groups[:SENTENCES]]
            sentences += _pair_sentences(differences(groups))
            unpaired = _unpaired(name, groups)
            sentences += [] if unpaired is None else [unpaired]
        elif len(groups) == 1:
            sentences.append(_change_sentence(name, *groups[0]))
        else:
            sentences.append(_set_sentence(name, groups))
    return tuple(sentences)


def _change_sentence(name: str, arm: Arm, each: Measure) -> Sentence:
    runs = f" ({len(arm.runs)} runs)" if len(arm.runs) > 1 else ""
    where = f"{arm.name}{runs}: {each.metric} on {questions_told(name, [(arm, each)])}"
    upper = " Rewarded by true labels: an upper bound, not TTRL." * (arm.role == "upper bound")
    if each.before is None or each.after is None:
        text = f"{where} was {_one_sided(each)}.{upper}"
        return Sentence(text=text, tone="unclear")
    moved = f"from {percent(each.before.value)} to {percent(each.after.value)}"
    if each.change is None or each.change.interval is None:
        why = FEW if each.is_small else NO_RECORDS
        text = f"{where} went {moved}; {why}."
        return Sentence(text=text + upper, tone="unclear")
    tone = direction_of(each.change.interval)
    change = f"{points(each.change.value)}, {LEVEL} interval {signed_span(each.change.interval)}"
    change += f" over {each.over}"
    if len(each.changes) > 1:
        change += f"; single runs {signed_span((min(each.changes), max(each.changes)))}"
    verb = "shows no clear change," if tone == "unclear" else tone
    return Sentence(text=f"{where} {verb} {moved} ({change}).{upper}", tone=tone)


def _one_sided(each: Measure) -> str:
    known, when = (each.before, "before") if each.after is None else (each.after, "after")
    other = "after" if when == "before" else "before"
    if known is None:
        return "not measured"
    interval = f" ({LEVEL} interval {span(known.interval)})" if known.interval else ""
    return f"{percent(known.value)}{interval} {when} training, and not measured {other}"


def _pair_sentences(pairs: Sequence[Pair]) -> list[Sentence]:
    """Clear differences one by one; of the rest, one sentence of each kind where there is much of it."""
    clear = [pair for pair in pairs if pair.tone != "unclear"]
    unclear = [pair for pair in pairs if pair.is_judged and pair.tone == "unclear"]
    told = [_pair_sentence(pair) for pair in clear[:SENTENCES]]
    if len(unclear) <= SINGLY:
        told += [_pair_sentence(pair) for pair in unclear]
    else:
        rest = "all" if len(unclear) == len(pairs) else "the other" if clear else "the"
        whole = "" if len(unclear) + len(clear) == len(pairs) else " with the same seeds"
        text = (
            f"Of {rest} {len(unclear)} pairs{whole} none is clearly apart on the same questions: the "
            "intervals of their differences reach 0."
        )
        told.append(Sentence(text=text, tone="unclear"))
    chosen = [pair for pair in pairs if pair.interval is not None and pair.chosen]
    if len(chosen) <= SINGLY:
        return told + [_chosen_sentence(pair) for pair in chosen]
    text = (
        f"{len(chosen)} pairs of groups have different numbers of runs or other seeds. The table compares "
        "the runs that can be paired, which is no claim about the groups."
    )
    return [*told, Sentence(text=text, tone="unclear")]


def _chosen_sentence(pair: Pair) -> Sentence:
    assert pair.interval is not None  # of those that are too few, the change of each group tells
    text = (
        f"{pair.higher.name} and {pair.lower.name} do not have the same seeds. Of {pair.chosen} alone, "
        f"{pair.higher.name} ends {_size(pair)} above {pair.lower.name} on the same questions "
        f"({LEVEL} interval {signed_span(pair.interval)} over {pair.over}), which is no claim about the "
        "groups."
    )
    return Sentence(text=text, tone="unclear")


def _pair_sentence(pair: Pair) -> Sentence:
    assert pair.interval is not None  # it is judged
    interval = f"{LEVEL} interval {signed_span(pair.interval)} over {pair.over}"
    if "seeds" not in pair.over:
        interval += "; one seed does not tell about others"
    if pair.tone == "unclear":
        text = (
            f"No clear difference between {pair.higher.name} and {pair.lower.name} on the same "
            f"questions: {points(pair.value)} ({interval})."
        )
    else:
        text = (
            f"{pair.higher.name} ends {_size(pair)} above {pair.lower.name} on the same questions "
            f"({interval})."
        )
    return Sentence(text=text, tone=pair.tone)


def _size(pair: Pair) -> str:
    return f"{100 * pair.value:.1f}{NO_BREAK_SPACE}points"


def _set_sentence(name: str, groups: Measured) -> Sentence:
    told = []
    for arm, each in groups[:SENTENCES]:
        if each.change is None:
            told.append(f"{arm.name} not measured twice")
        elif each.change.interval is None:
            told.append(f"{arm.name} {points(each.change.value)}, no interval")
        else:
            told.append(
                f"{arm.name} {points(each.change.value)} ({signed_span(each.change.interval)})"
            )
    if len(groups) > SENTENCES:
        told.append(f"{len(groups) - SENTENCES} more in the table")
    tones: set[Direction] = {
        direction_of(each.change.interval if each.change else None) for _, each in groups
    }
    few = f"; {FEW}" if any(each.is_small for _, each in groups) else ""
    text = f"On {questions_told(name, groups)}: {'; '.join(told)}{few}."
    return Sentence(text=text, tone=tones.pop() if len(tones) == 1 else "unclear")


def _unpaired(name: str, groups: Measured) -> Sentence | None:
    """Says which groups have other questions than the first one."""
    (reference, first), told = groups[0], []
    for arm, each in groups[1:]:
        if difference(first, each) is None:
            reason = (
                f"{len(first.keys & each.keys)} of {len(each.keys)} questions are the same"
                if first.keys and each.keys
                else "no records of single questions"
            )
            told.append(f"{arm.name} ({reason})")
    if not told:
        return None
    text = (
        f"On the {set_title(name)}, these cannot be paired with {reference.name}: {'; '.join(told)}. "
        "A difference to them may come from the questions."
    )
    return Sentence(text=text, tone="unknown")


def _reached(arm: Arm, each: Measure, start: str | None) -> str:
    """'to 72.8 % with grpo (3 runs; +25.6 points [+22.8 to +28.2])', from `start` or its own base."""
    if each.before is None or each.after is None or each.change is None:
        return f"{arm.name}: {_one_sided(each)}"
    interval = f" [{signed_span(each.change.interval)}]" if each.change.interval else ""
    origin = "" if start else f"from {percent(each.before.value)} "
    runs = f"{len(arm.runs)} runs" if len(arm.runs) > 1 else ""
    change = f"{points(each.change.value)}{interval}"
    about = "; ".join(part for part in (role_told(arm), runs, change) if part)
    return f"{origin}to {percent(each.after.value)} with {arm.name} ({about})"


def _how_many_are_clear(pairs: Sequence[Pair]) -> str:
    judged = [pair for pair in pairs if pair.is_judged]
    clear = sum(pair.tone != "unclear" for pair in judged)
    if len(pairs) == 1:
        word = (
            ("clear" if clear else "not clear") if judged else f"not judged: {_why_not(pairs[0])}"
        )
        return f"The difference between them is {word}."
    if not judged:
        return f"No difference between them is judged: {_why_not(pairs[0])}."
    told = {0: "None", len(pairs): "All"}.get(clear, str(clear))
    text = f"{told} of {len(pairs)} differences after training {'is' if clear < 2 else 'are'} clear"
    rest = len(pairs) - len(judged)
    if rest:
        text += f"; {rest} cannot be judged"
    return f"{text}."


def _why_not(pair: Pair) -> str:
    return FEW if pair.interval is None else "their runs do not have the same seeds"


def _without_labels(arms: Sequence[Arm]) -> str:
    text = "There are no labels, so these runs cannot be compared by accuracy."
    told = []
    for arm in arms[:QUOTED]:
        for name in sets_of([arm])[:1]:
            before, after = (_majority(arm, name, when) for when in ("base", "final"))
            if NOTHING not in (before, after):
                told.append(f"{arm.name} from {before} to {after}")
    if told:
        text += f" The majority ratio went: {'; '.join(told)}. That is agreement, not correctness."
    return text


def _majority(arm: Arm, name: str, when: str) -> str:
    ratios = [number(set_metrics(run, name, when), "majority_ratio") for run in arm.runs]
    known = [ratio for ratio in ratios if ratio is not None]
    return percent(mean(known)) if known else NOTHING


def _same_questions(groups: Measured) -> bool:
    first = groups[0][1].keys
    return bool(first) and all(each.keys == first for _, each in groups)
