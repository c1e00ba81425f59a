"""What the run showed, in sentences computed from its numbers.

'Rose' and 'fell' are said only where the 95 % intervals before and after are apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ttrl.evaluate.report.estimates import (
    Direction,
    Estimate,
    direction,
    estimate,
    in_order,
    sample_sizes,
    set_title,
    span,
)
from ttrl.evaluate.report.quantities import NO_BREAK_SPACE, mapping, number, percent, plain

Metrics = Mapping[str, Any]
_LEVEL = f"95{NO_BREAK_SPACE}%"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """One finding. `tone` picks the sign before it; 'unknown' means that labels are missing."""

    text: str
    tone: Direction | Literal["unknown"]


def verdict(result: Mapping[str, Any]) -> tuple[Sentence, ...]:
    """The findings, the most important one first."""
    sets = {name: mapping(value) for name, value in mapping(result.get("sets")).items()}
    findings = []
    for name in in_order(set(sets)):
        base, final = mapping(sets[name].get("base")), mapping(sets[name].get("final"))
        if not base and not final:
            continue
        findings.append(set_sentence(name, base, final))
        against_voting = voting_sentence(base, final) if name == "unlabeled" else None
        if against_voting is not None:
            findings.append(against_voting)
    return tuple(findings) or (
        Sentence(text="The run has no evaluation, so there is no verdict.", tone="unknown"),
    )


def set_sentence(name: str, base: Metrics, final: Metrics) -> Sentence:
    """How one set fared. avg@k is compared at the smallest k that both evaluations have."""
    before_ks, after_ks = sample_sizes(base, "avg"), sample_sizes(final, "avg")
    if not before_ks and not after_ks:
        return _of_similarity(name, base, final) or _without_labels(name, base, final)
    if not base or not final:
        return _one_sided(name, base, final)
    shared = sorted(set(before_ks) & set(after_ks))
    if not shared:
        text = f"On {_questions(name, base)}, avg@k has no k in common before and after."
        return Sentence(text=text, tone="unclear")
    metric = f"avg@{shared[0]}"
    before, after = estimate(base, metric), estimate(final, metric)
    assert before is not None and after is not None  # sample_sizes lists measured metrics only
    where = f"On {_questions(name, base)}, {metric}{_temperature(base, final)}"
    return _movement(where, before, after)


def voting_sentence(base: Metrics, final: Metrics) -> Sentence | None:
    """One completion of the trained model against a vote of the base model, or None.

    Above it, the run has more to show than the vote that the base model could take anyway.
    """
    singles, votes = sample_sizes(final, "avg"), sample_sizes(base, "maj")
    if not singles or not votes:
        return None
    single, vote = f"avg@{singles[0]}", f"maj@{votes[-1]}"
    after, voted = estimate(final, single), estimate(base, vote)
    assert after is not None and voted is not None  # sample_sizes lists measured metrics only
    subject = f"A single completion of the trained model ({single}, {percent(after.value)}) is"
    reference = f"the base model reached by voting ({vote}, {percent(voted.value)}"
    if voted.interval is None:
        place = _compared(after.value, voted.value)
        return Sentence(text=f"{subject} {place} what {reference}, no interval).", tone="unclear")
    reference += f"; {_LEVEL} interval {span(voted.interval)})."
    if after.value > voted.interval[1]:
        return Sentence(text=f"{subject} above what {reference}", tone="rose")
    if after.value < voted.interval[0]:
        return Sentence(text=f"{subject} below what {reference}", tone="fell")
    return Sentence(text=f"{subject} within the interval of what {reference}", tone="unclear")


def _movement(where: str, before: Estimate, after: Estimate) -> Sentence:
    old, new = percent(before.value), percent(after.value)
    if before.interval is None or after.interval is None:
        text = f"{where} went from {old} to {new}; without intervals this supports no claim."
        return Sentence(text=text, tone="unclear")
    spans = f"{span(before.interval)} and {span(after.interval)}"
    tone = direction(before, after)
    if tone == "unclear":
        text = (
            f"{where} shows no clear change: {old} before, {new} after, "
            f"and the {_LEVEL} intervals ({spans}) overlap."
        )
    else:
        text = f"{where} {tone} from {old} to {new} ({_LEVEL} intervals {spans})."
    return Sentence(text=text, tone=tone)


def _one_sided(name: str, base: Metrics, final: Metrics) -> Sentence:
    metrics, when, missing = (base, "before", "after") if base else (final, "after", "before")
    metric = f"avg@{sample_sizes(metrics, 'avg')[0]}"
    measured = estimate(metrics, metric)
    assert measured is not None  # sample_sizes lists measured metrics only
    where = f"On {_questions(name, metrics)}, {metric}{_temperature(metrics, metrics)}"
    interval = f" ({_LEVEL} interval {span(measured.interval)})" if measured.interval else ""
    text = (
        f"{where} was {percent(measured.value)}{interval} {when} training; "
        f"there is no evaluation {missing} it."
    )
    return Sentence(text=text, tone="unclear")


def _of_similarity(name: str, base: Metrics, final: Metrics) -> Sentence | None:
    """Texts and programs with true answers are not right or wrong but more or less similar to these."""
    before, after = estimate(base, "similarity"), estimate(final, "similarity")
    if before is None or after is None:
        return None
    where = f"On {_questions(name, base)}, similarity to the true answer{_temperature(base, final)}"
    return _movement(where, before, after)


def _without_labels(name: str, base: Metrics, final: Metrics) -> Sentence:
    text = f"The {_questions(name, base or final)} have no answer key: accuracy needs labels."
    for key, words in (
        ("self_similarity", "mean similarity of the answers to each other"),
        ("majority_ratio", "majority ratio"),
    ):
        before, after = number(base, key), number(final, key)
        if before is not None and after is not None:
            text += (
                f" The {words} went from {percent(before)} to {percent(after)}, "
                "which is agreement, not correctness."
            )
            break
    return Sentence(text=text, tone="unknown")


def _questions(name: str, metrics: Metrics) -> str:
    """'128 unlabeled questions', and how many of them have a label where not all do."""
    count, labeled = number(metrics, "questions"), number(metrics, "labeled")
    if count is None:
        return set_title(name)
    text = f"{count:,.0f} {set_title(name)}"
    if count == 1:
        text = text.removesuffix("s")
    if labeled and labeled < count:
        text += f" ({labeled:,.0f} with a label)"
    return text


def _temperature(base: Metrics, final: Metrics) -> str:
    before, after = number(base, "temperature"), number(final, "temperature")
    if before is None or after is None:
        return ""
    if before != after:
        return f" (temperature {plain(before)} before, {plain(after)} after)"
    return f" at temperature {plain(before)}"


def _compared(value: float, reference: float) -> str:
    if value == reference:
        return "equal to"
    return "above" if value > reference else "below"
