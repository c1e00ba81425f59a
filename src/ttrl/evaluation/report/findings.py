"""Every sentence of a page, each written in one place and computed from the numbers that it names.

'Rose' and 'fell' are said only where the 95 % interval of the paired change leaves out 0. Without
records of the questions, only where the 95 % intervals before and after are apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ttrl.evaluation.pooling import pooled_difference
from ttrl.evaluation.report.memorisation import memorisation
from ttrl.evaluation.report.outcome import (
    Outcome,
    pass_rate,
    share_right,
    tone_of,
    vote_value,
)
from ttrl.evaluation.report.text import (
    LEVEL,
    p_value,
    percent,
    plain,
    plural,
    points,
    set_title,
    span,
)
from ttrl.evaluation.statistics import clustered_mcnemar_p, mcnemar_p, mean
from ttrl.interval import FEWEST_QUESTIONS, Direction, Interval
from ttrl.recording.evaluations import SetMetrics

Tone = Direction | Literal["unknown"]

FEW = f"fewer than {FEWEST_QUESTIONS} questions support no interval"
ONE_SEED = (
    f"One seed: brackets are {LEVEL} intervals over questions and say nothing of other seeds."
)
SIGNIFICANT = 0.05
ENOUGH_CHANGED = 20
"""Questions that have to change for the clustered McNemar test to hold."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One finding. `tone` picks the sign before it; 'unknown' means that something is missing."""

    text: str
    tone: Tone


def number_of(name: str, count: int | None, labeled: int | None = None) -> str:
    """Returns '128 unlabeled questions (30 with a label)'; without the number if it is unknown."""
    title = set_title(name)
    if count is None:
        return title
    text = f"{count:,} {title.removesuffix('s') if count == 1 else title}"
    return f"{text} ({labeled:,} with a label)" if labeled and labeled < count else text


def set_sentence(
    name: str, base: SetMetrics, final: SetMetrics, found: Outcome | None = None
) -> Sentence:
    """Says how a run did on a set. avg@k is compared at the smallest k that both evaluations have.

    With records of the questions, the change is judged by its own interval, paired by question.
    """
    either = base or final
    where = f"On {number_of(name, either.questions, either.labeled)}"
    if not base.avg and not final.avg:
        if base.similarity is None or final.similarity is None:
            return _without_labels(name, base, final)
        # Texts and programs are not right or wrong but more or less similar to a true answer.
        what = f"similarity to the true answer{_temperature(base, final)}"
        return movement(f"{where}, {what}", base.similarity, final.similarity, None)
    if not base or not final:
        metric = f"avg@{min(either.avg)}"
        value = one_sided(base.of(metric), final.of(metric))
        text = f"{where}, {metric}{_temperature(either, either)} was {value}."
        return Sentence(text, "unclear")
    shared = sorted(set(base.avg) & set(final.avg))
    if not shared:
        return Sentence(f"{where}, avg@k has no k in common before and after.", "unclear")
    metric = f"avg@{shared[0]}"
    change = None if found is None else found.change_of(metric)
    where += f", {metric}{_temperature(base, final)}"
    return movement(where, base.avg[shared[0]], final.avg[shared[0]], change)


def movement(
    where: str, before: Interval, after: Interval, change: Interval | None, *, why: str = ""
) -> Sentence:
    """Says how a metric moved, judged by the interval of its change, or else by those of its values.

    Args:
        why: what to say where the change has no interval, in place of comparing the others.
    """
    old, new = percent(before.value), percent(after.value)
    change = None if change is None else change.supported
    if change is not None and change.bounds is not None:
        if change.direction == "unclear":
            text = f"{where} shows no clear change: {old} before, {new} after, {points(change)}."
        else:
            text = f"{where} {change.direction} from {old} to {new}: {points(change)}."
        return Sentence(text, change.direction)
    if why or before.bounds is None or after.bounds is None:
        why = why or "without intervals this supports no claim"
        return Sentence(f"{where} went from {old} to {new}; {why}.", "unclear")
    spans, tone = f"{span(before.bounds)} and {span(after.bounds)}", apart(before, after)
    if tone == "unclear":
        text = (
            f"{where} shows no clear change: {old} before, {new} after, and the {LEVEL} intervals "
            f"({spans}) overlap."
        )
    else:
        text = f"{where} {tone} from {old} to {new} ({LEVEL} intervals {spans})."
    return Sentence(text, tone)


def apart(before: Interval, after: Interval) -> Direction:
    """Returns 'rose' or 'fell' only if two intervals are apart.

    Both are over the same questions, so this asks for more than a paired test would.
    """
    if before.bounds is None or after.bounds is None:
        return "unclear"
    if after.bounds[0] > before.bounds[1]:
        return "rose"
    return "fell" if after.bounds[1] < before.bounds[0] else "unclear"


def one_sided(before: Interval | None, after: Interval | None) -> str:
    """Says what is known if only one evaluation was made."""
    known, when, missing = (before, "before", "after") if before else (after, "after", "before")
    if known is None:
        return "not measured"
    interval = f" ({LEVEL} interval {span(known.bounds)})" if known.bounds else ""
    return f"{percent(known.value)}{interval} {when} training, and not measured {missing} it"


def _temperature(base: SetMetrics, final: SetMetrics) -> str:
    before, after = base.temperature, final.temperature
    if before is None or after is None:
        return ""
    if before != after:
        return f" (temperature {plain(before)} before, {plain(after)} after)"
    return f" at temperature {plain(before)}"


def _without_labels(name: str, base: SetMetrics, final: SetMetrics) -> Sentence:
    either = base or final
    asked = number_of(name, either.questions, either.labeled)
    text = f"The {asked} have no answer key: accuracy needs labels."
    for key, words in (
        ("self_similarity", "mean similarity of the answers to each other"),
        ("majority_ratio", "majority ratio"),
    ):
        before, after = base.of(key), final.of(key)
        if before is not None and after is not None:
            return Sentence(
                f"{text} {agreement([('', before.value, after.value)], words)}", "unknown"
            )
    return Sentence(text, "unknown")


def agreement(
    moved: Sequence[tuple[str, float, float]],
    what: str = "majority ratio",
    about: str = "which is agreement, not correctness",
) -> str:
    """Says how a mean moved that supports no claim, of one run or several arms: (name, before, after)."""
    parts = (
        f"from {percent(before)} to {percent(after)}{f' with {who}' if who else ''}"
        for who, before, after in moved
    )
    return f"The {what} went {'; '.join(parts)}, {about}."


def against_votes(
    base: SetMetrics, final: SetMetrics, found: Outcome | None = None
) -> Sentence | None:
    """Compares one completion of the trained model with a vote of the base model; None if either is unknown.

    Above it, training has more to show than the vote that the base model could take anyway. Judged by
    the difference, paired by question; without records of the questions, by the interval of the vote.
    """
    change: Interval | None = None
    k: int | str
    if found is not None and (paired := found.change(share_right, vote_value)) is not None:
        k = n = found.samples or "n"
        single, voted, change = found.level("final").value, found.level("base", vote_value), paired
    elif final.avg and base.maj:
        k, n = min(final.avg), max(base.maj)
        single, voted = final.avg[k].value, base.maj[n]
    else:
        return None
    subject = f"A single completion of the trained model (avg@{k}, {percent(single)}) is"
    vote = f"what the base model reached by voting (maj@{n}, {percent(voted.value)}"
    if change is not None and (bounded := change.supported).bounds is not None:
        tone = bounded.direction
        place = {"rose": "above", "fell": "below", "unclear": "not clearly apart from"}[tone]
        return Sentence(f"{subject} {place} {vote}): {points(change)}.", tone)
    if change is None and voted.bounds is not None:
        low, high = voted.bounds
        tone = "rose" if single > high else "fell" if single < low else "unclear"
        place = {"rose": "above", "fell": "below", "unclear": "within the interval of"}[tone]
        text = f"{subject} {place} {vote}; {LEVEL} interval {span(voted.bounds)})."
        return Sentence(text, tone)
    above = "above" if single > voted.value else "below"
    place = "equal to" if single == voted.value else above
    why = ", no interval)" if change is None else f"); {FEW}"
    return Sentence(f"{subject} {place} {vote}{why}.", "unclear")


def memorised(trained: Outcome | None, other: Outcome | None, name: str) -> tuple[Sentence, ...]:
    """Says whether the gain is memorised, against one other set: in short, and with all its numbers.

    One sentence alone where it cannot be told.
    """
    title = set_title(name)
    sizes = [len(each.keys) if each and each.is_paired else 0 for each in (trained, other)]
    if trained is None or other is None or min(sizes) < FEWEST_QUESTIONS:
        text = (
            f"Whether the gain is memorised cannot be told against the {title}: it needs labels for at "
            f"least {plural(FEWEST_QUESTIONS, 'question')} before and after, and {sizes[0]} trained and "
            f"{sizes[1]} of the {title} have them."
        )
        return (Sentence(text, "unknown"),)
    gain, gain_of_others = trained.change(), other.change()
    assert gain is not None and gain_of_others is not None  # both are paired
    apart = pooled_difference(trained.changes(), other.changes())
    found = memorisation(gain, gain_of_others, apart, metric=trained.metric, others=title)
    return (Sentence(found.short_sentence, found.tone), Sentence(found.sentence, found.tone))


def vote_test(found: Outcome) -> tuple[float | None, str]:
    """Returns the p-value of "changed votes were as likely gained as lost", or None, and names the test."""
    tables, changes = found.contingencies(), found.changes(vote_value)
    moved = int((changes.sum(axis=0) != 0).sum())
    if not moved:
        return None, "no vote changed between right and wrong"
    if len(tables) == 1:
        p, changed = mcnemar_p(tables[0].gained, tables[0].lost), plural(moved, "question")
        return p, f"exact McNemar test over the {changed} that changed, {p_value(p)}"
    if moved < ENOUGH_CHANGED:
        return None, f"{plural(moved, 'question')} changed, too few for a test over seeds"
    p = clustered_mcnemar_p(changes.tolist())
    return p, f"McNemar's test, clustered by question, {p_value(p)}"


def fate_counts(found: Outcome) -> dict[str, float]:
    """Returns the numbers of questions gained, kept, lost and never right, mean over the runs."""
    tables = found.contingencies()
    names = ("gained", "kept", "lost", "never")
    return {name: mean([float(getattr(table, name)) for table in tables]) for name in names}


def fates(found: Outcome) -> Sentence:
    """Says what became of the votes of an arm, with the test of whether it may be chance."""
    counts, (p, test) = fate_counts(found), vote_test(found)
    whose, digits = ("Mean over seeds: of", 1) if len(found.seeds) > 1 else ("Of", 0)
    gained, kept, lost, never = (f"{value:,.{digits}f}" for value in counts.values())
    tone: Tone = "rose" if counts["gained"] > counts["lost"] else "fell"
    chance = f": more {'gained' if tone == 'rose' else 'lost'} than chance would easily make"
    if p is None or p >= SIGNIFICANT:
        tone, chance = "unclear", "" if p is None else ": chance alone may make such a difference"
    text = (
        f"{whose} {plural(len(found.keys), 'question')} the vote gained {gained}, kept {kept}, lost {lost} "
        f"and never had {never}{chance} ({test})."
    )
    return Sentence(text, tone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """pass@k before and after: what one of several completions gets right."""

    k: int
    before: float
    after: float
    change: Interval

    def fell(self, where: str = "") -> str:
        """Returns 'pass@16 fell from 100.0 % to 50.0 %, −50.0 points [−60.0, −40.0]', say."""
        moved = f"from {percent(self.before)} to {percent(self.after)}, {points(self.change)}"
        return f"pass@{self.k}{where} fell {moved}"


def reach(found: Outcome) -> Reach | None:
    """Returns pass@k at k = 16, or at all completions if these are fewer; None for a single one."""
    k = found.largest_k
    change = found.change(pass_rate(k)) if k > 1 else None
    if change is None:
        return None
    before, after = (float(found.table(when, pass_rate(k)).mean()) for when in ("base", "final"))
    return Reach(k=k, before=before, after=after, change=change.supported)


def losses(outcomes: Mapping[str, Outcome]) -> list[Sentence]:
    """Says what got worse in one run: one sentence per set with a loss, and one for the sets without.

    Of pass@k something is said only where there are enough questions to judge it.
    """
    found: list[Sentence] = []
    without: dict[bool, list[str]] = {True: [], False: []}
    for name, each in outcomes.items():
        counts, (p, _) = fate_counts(each), vote_test(each)
        lost, gained, change, reached = counts["lost"], counts["gained"], each.change(), reach(each)
        fell, parts = tone_of(change) == "fell", []
        if lost:
            had = plural(lost + counts["kept"], "question")
            parts.append(
                f"the vote lost {lost:,.0f} of the {had} that it had right (and gained {gained:,.0f})"
            )
        if fell and change is not None:
            n = each.samples
            what = f"avg@{n}" if n else "the share of right completions"
            parts.append(f"{what} fell, {points(change)}")
        if reached is not None and reached.change.direction == "fell":
            fell = True
            parts.append(
                f"{reached.fell()}, so some questions that {plural(reached.k, 'completion')} could answer "
                "before are out of reach now"
            )
        if not parts:
            without[reached is not None and bool(reached.change.bounds)].append(set_title(name))
            continue
        is_clear = fell or (lost > gained and p is not None and p < SIGNIFICANT)
        text = f"What got worse on the {set_title(name)}: {'; '.join(parts)}."
        found.append(Sentence(text, "fell" if is_clear else "unclear"))
    for is_known, titles in without.items():
        if titles:
            text = (
                f"No vote was lost on the {' and the '.join(titles)}: none that was right before is "
                f"wrong after{', and pass@k did not clearly fall' if is_known else ''}."
            )
            found.append(Sentence(text, "unclear"))
    return found
