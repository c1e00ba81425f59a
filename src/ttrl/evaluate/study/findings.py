"""What a study found, in sentences computed from its numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ttrl.evaluate.estimators import LARGEST_K
from ttrl.evaluate.memorisation import Gain, Memorisation
from ttrl.evaluate.pooling import Pooled, pooled_difference, pooled_mean
from ttrl.evaluate.report.estimates import Sentence, set_title
from ttrl.evaluate.report.memorised import TONES
from ttrl.evaluate.report.paired import FEWEST_QUESTIONS
from ttrl.evaluate.report.quantities import number, p_value, percent, plural
from ttrl.evaluate.statistics import Contingency, clustered_mcnemar_p, mcnemar_p, mean
from ttrl.evaluate.study.arms import Outcome, ahead, common, pass_rates
from ttrl.evaluate.study.evidence import (
    NO_PRIOR,
    TRAINED,
    Evidence,
    gain_of,
    points,
    tone_of,
)
from ttrl.evaluate.study.layout import TITLES

FLAT_POINTS = 0.03
"""A control is called flat if the whole interval of its gain lies within so much of 0."""
NOTABLE = 0.01
"""A fall of pass@k that is told although its interval does not leave out 0."""
ENOUGH_CHANGED = 20
"""Questions that have to change for the clustered McNemar test to hold."""


def findings(evidence: Evidence) -> list[Sentence]:
    """The most important one first."""
    main = evidence.main
    if main is None:
        found = [without_marks(evidence)]
    else:
        found = [
            _gain(main),
            *_controls(evidence, main),
            *_voting(evidence, main),
            *_upper_bound(evidence, main),
            *_memorised(evidence, main),
            *_no_prior(evidence),
            _fates(main),
            *_worse(evidence),
            *_lucky_hits(evidence),
        ]
    if len(evidence.arms["ttrl"].seeds) == 1:
        text = "One seed: the intervals speak of other questions, not of other seeds."
        found.append(Sentence(text=text, tone="unknown"))
    if evidence.left_out:
        text = f"Runs that did not end, or cannot be read, and are left out: {', '.join(evidence.left_out)}."
        found.append(Sentence(text=text, tone="fell"))
    return found


def without_marks(evidence: Evidence) -> Sentence:
    """Without labels agreement is all there is; texts and programs are similar to an answer, not right."""
    pairs = evidence.arms["ttrl"].metrics(TRAINED, "final")
    similar = all(number(metrics, "similarity") is not None for metrics in pairs)
    key = "similarity" if similar else "majority_ratio"
    parts = []
    for name, arm in evidence.arms.items():
        before, after = (
            mean([number(metrics, key) or 0.0 for metrics in arm.metrics(TRAINED, when)])
            for when in ("base", "final")
        )
        parts.append(f"{TITLES[name]} {percent(before)} to {percent(after)}")
    if similar:
        text = (
            "Answers of this task are more or less similar to the true one, not right or wrong: there is no "
            "accuracy to compare. Mean similarity to the true answer, without intervals: "
        )
    else:
        text = (
            "Accuracy, memorisation and the comparison with voting need labels. Mean majority ratio, which "
            "is agreement and not correctness: "
        )
    return Sentence(text=f"{text}{', '.join(parts)}.", tone="unknown")


def _gain(main: Outcome) -> Sentence:
    gain = gain_of(main)
    text = (
        f"On {main.after.shape[1]:,} {set_title(TRAINED)}, avg@{main.samples} went from "
        f"{percent(main.before.mean())} to {percent(main.after.mean())}: {points(gain)}, over {gain.over}."
    )
    if gain.questions < FEWEST_QUESTIONS:
        text += f" So few questions support no claim: at least {FEWEST_QUESTIONS} are wanted."
    return Sentence(text=text, tone=tone_of(gain))


def _controls(evidence: Evidence, main: Outcome) -> list[Sentence]:
    found = []
    for name in ("random", "format"):
        control = evidence.outcomes.get((name, TRAINED))
        apart = None if control is None else ahead(main, control)
        if control is None or apart is None:
            continue
        gain = gain_of(control)
        if gain.low > -FLAT_POINTS and gain.high < FLAT_POINTS:
            moved = "stays flat"
        else:
            moved = {"rose": "rises too", "fell": "falls", "unclear": "shows no clear change"}[
                tone_of(gain)
            ]
        text = (
            f"With a {TITLES[name]} the same training {moved} ({points(gain)}); TTRL ends {points(apart)} "
            f"above it{_of_seeds(main, apart)}."
        )
        found.append(Sentence(text=text, tone=tone_of(apart)))
    return found


def _of_seeds(main: Outcome, compared: Pooled) -> str:
    """Where an arm has fewer seeds than TTRL."""
    few = compared.seeds < len(main.seeds)
    return f" (over the {plural(compared.seeds, 'seed')} that both have)" if few else ""


def _voting(evidence: Evidence, main: Outcome) -> list[Sentence]:
    above = pooled_mean(main.after - main.vote_before)
    n = main.samples
    text = (
        f"Above its own teacher? A single answer of the trained model against the base's vote of {n} (maj@"
        f"{n}, {percent(main.vote_before.mean())}): {points(above)}."
    )
    found = [Sentence(text=text, tone=tone_of(above))]
    equal = evidence.equal_tokens
    if equal is None:
        return found
    if equal.votes is None:
        text = (
            f"At equal cost: the tokens that training sampled pay for {plural(equal.samples, 'completion')} "
            f"a question, no more than the base's vote of {n} above has."
        )
        return [*found, Sentence(text=text, tone="unclear")]
    places = [place for place, key in enumerate(main.questions) if key in equal.votes]
    if not places:
        return found
    base = np.array([float(equal.votes[main.questions[place]]) for place in places])
    for what, after in (
        ("a single answer", main.after[:, places]),
        (f"a vote of {n}", main.vote_after[:, places]),
    ):
        above = pooled_mean(after - base)
        text = (
            f"At equal cost: with the tokens that training sampled, the base could vote with {equal.samples} "
            f"completions a question (maj@{equal.samples}, {percent(base.mean())}, drawn once); {what} of "
            f"the trained model against that: {points(above)}."
        )
        found.append(Sentence(text=text, tone=tone_of(above)))
    return found


def _upper_bound(evidence: Evidence, main: Outcome) -> list[Sentence]:
    bound = evidence.outcomes.get(("leakage", TRAINED))
    pair = None if bound is None else common(main, bound)
    if pair is None:
        return []
    ours, theirs = pair
    behind = pooled_mean(ours.after - theirs.after)
    reached, whole = gain_of(ours), gain_of(theirs)
    share = ""
    if tone_of(whole) == "rose" and tone_of(reached) == "rose":
        share = f"; of its gain, {points(whole)}, that is {100 * reached.value / whole.value:.0f} %"
    text = (
        f"Trained on the true answers the model reaches {percent(theirs.after.mean())}; TTRL ends "
        f"{points(behind)} from there{_of_seeds(main, behind)}{share}."
    )
    return [Sentence(text=text, tone="unclear")]


def _memorised(evidence: Evidence, main: Outcome) -> list[Sentence]:
    found = []
    for name in evidence.others():
        other = evidence.outcomes["ttrl", name]
        told = Memorisation(
            trained=_as_gain(gain_of(main)),
            other=_as_gain(gain_of(other)),
            difference=_as_gain(pooled_difference(main.gain, other.gain)),
            metric=f"avg@{main.samples}",
            other_questions=set_title(name),
            over=gain_of(main).over,
        )
        few = min(main.after.shape[1], other.after.shape[1]) < FEWEST_QUESTIONS
        found.append(Sentence(text=told.sentence, tone="unclear" if few else TONES[told.kind]))
    return found


def _as_gain(pooled: Pooled) -> Gain:
    return Gain(value=pooled.value, low=pooled.low, high=pooled.high)


def _no_prior(evidence: Evidence) -> list[Sentence]:
    other = evidence.outcomes.get(("ttrl", NO_PRIOR))
    if other is None:
        return []
    gain = gain_of(other)
    text = (
        f"On {set_title(NO_PRIOR)}, of which the model knows nothing, {percent(other.before.mean())} became "
        f"{percent(other.after.mean())}: {points(gain)}."
    )
    return [Sentence(text=text, tone=tone_of(gain))]


def _fates(main: Outcome) -> Sentence:
    tables = [
        Contingency.of(list(before), list(after))
        for before, after in zip(main.vote_before, main.vote_after, strict=True)
    ]
    gained, kept, lost, never = (
        mean([float(getattr(table, name)) for table in tables])
        for name in ("gained", "kept", "lost", "never")
    )
    change = main.vote_after.astype(float) - main.vote_before.astype(float)
    changed = int((change.sum(axis=0) != 0).sum())
    p = 1.0
    if len(tables) == 1:
        p = mcnemar_p(tables[0].gained, tables[0].lost)
        test = f"exact McNemar test, {p_value(p)}"
    elif changed < ENOUGH_CHANGED:
        test = f"{plural(changed, 'question')} changed, too few for a test over seeds"
    else:
        p = clustered_mcnemar_p(change.tolist())
        test = f"McNemar's test, clustered by question, {p_value(p)}"
    whose, digits = ("Mean over seeds: of", 1) if len(tables) > 1 else ("Of", 0)
    text = (
        f"{whose} {plural(main.vote_after.shape[1], 'question')} the vote gained {gained:.{digits}f}, kept "
        f"{kept:.{digits}f}, lost {lost:.{digits}f} and never had {never:.{digits}f} ({test})."
    )
    return Sentence(text=text, tone="unclear" if p >= 0.05 else "rose" if gained > lost else "fell")


def _worse(evidence: Evidence) -> list[Sentence]:
    """pass@k falls where a model becomes surer of what is wrong, too."""
    clear, unclear = [], []
    for name in evidence.sets:
        outcome = evidence.outcomes.get(("ttrl", name))
        if outcome is None:
            continue
        k = min(LARGEST_K, outcome.samples)
        before, after = (
            pass_rates(shares, outcome.samples, k) for shares in (outcome.before, outcome.after)
        )
        change = pooled_mean(after - before)
        told = (
            f"pass@{k} on {set_title(name)} from {percent(before.mean())} to {percent(after.mean())}, "
            f"{points(change)}"
        )
        if tone_of(change) == "fell":
            clear.append(told)
        elif change.value < -NOTABLE:
            unclear.append(told)
    why = "the chance that one of several answers is right, for a surer model is also surer where it is wrong"
    found = []
    if clear:
        found.append(Sentence(text=f"What got worse: {why}: {'; '.join(clear)}.", tone="fell"))
    if unclear:
        text = f"What may have got worse, not clearly: {why}: {'; '.join(unclear)}."
        found.append(Sentence(text=text, tone="unclear"))
    return found


def _lucky_hits(evidence: Evidence) -> list[Sentence]:
    """Over the first and the last tenth of the steps of all seeds, at least one step each."""
    keys = ("labels/label_accuracy", "labels/reward_accuracy", "labels/lucky_rate")
    starts: list[Sequence[float]] = []
    ends: list[Sequence[float]] = []
    for run in evidence.arms["ttrl"].runs:
        rows = [[number(row, key) for key in keys] for row in run.records]
        whole = [[value for value in row if value is not None] for row in rows if None not in row]
        size = max(1, len(whole) // 10)
        starts += whole[:size]
        ends += whole[-size:]
    if not starts:
        return []
    parts = []
    for when, steps in (("at the start", starts), ("at the end", ends)):
        label, reward, lucky = (mean([row[at] for row in steps]) for at in range(3))
        parts.append(
            f"{when} {percent(label)} of the labels are right and {percent(reward)} of the rewards, "
            f"{100 * lucky:.1f} points of these under a wrong label"
        )
    return [Sentence(text=f"Lucky hits: {'; '.join(parts)}.", tone="unclear")]
