"""What the run showed, in sentences computed from its numbers.

'Rose' and 'fell' are said only where the 95 % interval of the paired change leaves out 0. Without
records of the questions, only where the 95 % intervals before and after are apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ttrl.evaluate.memorisation import Gain
from ttrl.evaluate.report.estimates import (
    Estimate,
    Sentence,
    direction,
    direction_of,
    estimate,
    in_order,
    sample_sizes,
    set_title,
    span,
)
from ttrl.evaluate.report.losses import losses
from ttrl.evaluate.report.memorised import memorisation_findings
from ttrl.evaluate.report.paired import FEWEST_QUESTIONS, Evaluations, Pairs, pairs, vote_value
from ttrl.evaluate.report.quantities import NO_BREAK_SPACE, mapping, number, percent, plain
from ttrl.evaluate.report.records import share_right
from ttrl.evaluate.statistics import mean

Metrics = Mapping[str, Any]
_LEVEL = f"95{NO_BREAK_SPACE}%"
ONE_RUN = (
    "One run, one seed: the intervals tell how the result varies over questions, not over seeds."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What can be said of a run."""

    opening: tuple[Sentence, ...]
    """How the trained and the held-out questions fared, whether that is memorised, what was lost."""
    findings: tuple[Sentence, ...]
    """The rest, the most important one first."""
    setup: str
    """Of which run this is said."""

    @property
    def paragraph(self) -> str:
        """The opening as one text that may be quoted alone."""
        return " ".join([self.setup, *(sentence.text for sentence in self.opening), ONE_RUN])


def verdict(result: Mapping[str, Any], evaluations: Evaluations) -> Verdict:
    """The findings of a run. Records of questions, if there are any, allow paired intervals."""
    sets = {name: mapping(value) for name, value in mapping(result.get("sets")).items()}
    sides = {
        name: (mapping(sets[name].get("base")), mapping(sets[name].get("final")))
        for name in in_order(set(sets))
    }
    opening: list[Sentence] = []
    findings: list[Sentence] = []
    for name, (base, final) in sides.items():
        if not base and not final:
            continue
        sentence = set_sentence(name, base, final, pairs(evaluations, name))
        (opening if name in ("unlabeled", "heldout") else findings).append(sentence)
    if not opening and not findings:
        nothing = "The run has no evaluation, so there is no verdict."
        return Verdict(
            opening=(Sentence(text=nothing, tone="unknown"),), findings=(), setup=_setup(result)
        )
    against_voting = voting_sentence(
        *sides.get("unlabeled", ({}, {})), pairs(evaluations, "unlabeled")
    )
    memorised, lost = memorisation_findings(evaluations), losses(evaluations)
    return Verdict(
        opening=(*opening, *(finding.short for finding in memorised[:1]), *lost[:1]),
        findings=(
            *([against_voting] if against_voting is not None else []),
            *(finding.full for finding in memorised[:1] if finding.full is not None),
            *(finding.full or finding.short for finding in memorised[1:]),
            *lost[1:],
            *findings,
        ),
        setup=_setup(result),
    )


def _setup(result: Mapping[str, Any]) -> str:
    """'60 steps of grpo on ttrl-tiny with the reward majority, seed 0.'"""
    steps, seed = number(result, "steps"), result.get("seed")
    model, algorithm = result.get("model"), result.get("algorithm")
    text = "A run" if steps is None else f"{steps:,.0f} {'step' if steps == 1 else 'steps'}"
    text += f" of {algorithm}" if algorithm else ""
    text += f" on {model}" if model else ""
    text += f" with the reward {reward}" if (reward := result.get("reward")) else ""
    if reward == "answer-key":
        text += ", which is true labels and not TTRL"
    return text + (f", seed {seed}." if isinstance(seed, int) else ".")


def set_sentence(name: str, base: Metrics, final: Metrics, paired: Pairs | None = None) -> Sentence:
    """How one set fared. avg@k is compared at the smallest k that both evaluations have.

    With records of the questions, the change is judged by its own interval, paired by question.
    """
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
    change = None if paired is None else paired.change_of(metric)
    return _movement(where, before, after, change)


def voting_sentence(base: Metrics, final: Metrics, paired: Pairs | None = None) -> Sentence | None:
    """One completion of the trained model against a vote of the base model, or None.

    Above it, the run has more to show than the vote that the base model could take anyway. Judged by
    the interval of the difference, paired by question; without records of the questions, by the
    interval of the vote.
    """
    if paired and all("vote_right" in r or "pseudo_label" in r for r in paired.before):
        return _against_votes(paired)
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


def _against_votes(paired: Pairs) -> Sentence:
    voted = mean([vote_value(record) for record in paired.before])
    single = mean([share_right(record) for record in paired.after])
    n = paired.samples or "n"
    subject = f"A single completion of the trained model (avg@{n}, {percent(single)}) is"
    reference = f"what the base model reached by voting (maj@{n}, {percent(voted)})"
    apart = paired.apart(vote_value, share_right)
    if apart is None:
        text = (
            f"{subject} {_compared(single, voted)} {reference}; fewer than {FEWEST_QUESTIONS} questions "
            "support no claim."
        )
        return Sentence(text=text, tone="unclear")
    tone = direction_of((apart.low, apart.high))
    place = {"rose": "above", "fell": "below", "unclear": "not clearly apart from"}[tone]
    return Sentence(text=f"{subject} {place} {reference}: {apart}.", tone=tone)


def _movement(where: str, before: Estimate, after: Estimate, change: Gain | None) -> Sentence:
    old, new = percent(before.value), percent(after.value)
    if change is not None:
        tone = direction_of((change.low, change.high))
        if tone == "unclear":
            text = f"{where} shows no clear change: {old} before, {new} after, {change}."
        else:
            text = f"{where} {tone} from {old} to {new}: {change}."
        return Sentence(text=text, tone=tone)
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
    return _movement(where, before, after, None)


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
