"""What a study found, in sentences computed from its numbers. None is a bare number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ttrl.evaluate.contingency import Contingency, clustered_mcnemar_p
from ttrl.evaluate.memorisation import Gain, Memorisation
from ttrl.evaluate.pooling import Pooled, pooled_difference, pooled_mean
from ttrl.evaluate.report.estimates import Sentence, set_title
from ttrl.evaluate.report.memorised import TONES
from ttrl.evaluate.report.quantities import number, percent, signed
from ttrl.evaluate.statistics import mean
from ttrl.evaluate.study.arms import Arm, Outcome, outcome
from ttrl.evaluate.study.layout import TITLES, ArmName

TRAINED = "unlabeled"
NO_PRIOR = "out_of_prior"
FLAT_POINTS = 0.03
"""A control is called flat if the whole interval of its gain lies within so much of 0."""

Tone = Literal["rose", "fell", "unclear", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The arms of a study on its sets, and what they are compared with."""

    arms: dict[ArmName, Arm]
    outcomes: dict[tuple[ArmName, str], Outcome]
    """By arm and set; only where answers can be marked right or wrong."""
    sets: tuple[str, ...]
    equal_tokens: tuple[dict[str, bool], int] | None
    """Whether the base's vote is right, by question, and of how many completions."""
    failed: tuple[str, ...] = ()
    """Runs that did not end."""

    def others(self) -> list[str]:
        """Sets that TTRL was not trained on and that it could help on."""
        return [
            name
            for name in self.sets
            if name not in {TRAINED, NO_PRIOR} and ("ttrl", name) in self.outcomes
        ]


def gather(
    arms: dict[ArmName, Arm],
    sets: Sequence[str],
    *,
    equal_tokens: tuple[dict[str, bool], int] | None,
    failed: Sequence[str] = (),
) -> Evidence:
    """Reads the outcomes of all arms on all sets."""
    found = {(name, each): outcome(arm, each) for name, arm in arms.items() for each in sets}
    return Evidence(
        arms=arms,
        outcomes={key: value for key, value in found.items() if value is not None},
        sets=tuple(sets),
        equal_tokens=equal_tokens,
        failed=tuple(failed),
    )


def findings(evidence: Evidence) -> list[Sentence]:
    """The most important one first."""
    main = evidence.outcomes.get(("ttrl", TRAINED))
    found: list[Sentence] = []
    if main is None:
        found.append(_without_labels(evidence))
    else:
        found += [
            _gain(evidence, main),
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
        text = "One seed: the intervals speak of other questions, not of other seeds, which differ by more."
        found.append(Sentence(text=text, tone="unknown"))
    if evidence.failed:
        text = f"Runs that did not end and are left out: {', '.join(evidence.failed)}."
        found.append(Sentence(text=text, tone="fell"))
    return found


def quote(evidence: Evidence) -> str:
    """The verdict in a few sentences that can be quoted."""
    main = evidence.outcomes.get(("ttrl", TRAINED))
    if main is None:
        return "Whether the gain is real needs labels: nothing here says which answers are right."
    gain = pooled_mean(main.gain)
    over = _over(main)
    if gain.low <= 0:
        return (
            f"No gain can be told from chance: single answers were right in "
            f"{percent(main.before.mean())} of all cases before and {percent(main.after.mean())} after, "
            f"{points(gain)} ({over})."
        )
    doubts = [*_doubts_of_controls(evidence, main), *_doubts_of_others(evidence)]
    claim = (
        f"On the questions it was trained on without labels, single answers were right in "
        f"{percent(main.before.mean())} of all cases before and {percent(main.after.mean())} after: "
        f"{points(gain)} ({over})."
    )
    if doubts:
        return f"{claim} But {'; '.join(doubts)}."
    shown = [
        f"{signed(100 * pooled_mean(evidence.outcomes['ttrl', name].gain).value)} on {set_title(name)}"
        for name in evidence.others()
    ]
    holds = (
        f" It shows on questions that were never trained on ({', '.join(shown)})" if shown else ""
    )
    flat = [TITLES[name] for name in ("random", "format") if (name, TRAINED) in evidence.outcomes]
    if flat:
        holds += f"{',' if holds else ' It'} {'and ' if holds else ''}does not come from {' or '.join(flat)}"
    return f"{claim}{holds}{'.' if holds else ''}"


def points(pooled: Pooled) -> str:
    """'+12.3 points [+10.1, +14.5]'."""
    return f"{signed(100 * pooled.value)} points [{signed(100 * pooled.low)}, {signed(100 * pooled.high)}]"


def _over(main: Outcome) -> str:
    seeds, questions = main.after.shape
    over = f"{seeds} seeds, " if seeds > 1 else "one seed, "
    return f"{over}{questions:,} questions"


def tone_of(pooled: Pooled) -> Tone:
    """By the interval: clearly above 0, clearly below, or neither."""
    if pooled.low > 0:
        return "rose"
    return "fell" if pooled.high < 0 else "unclear"


def _gain(evidence: Evidence, main: Outcome) -> Sentence:
    gain = pooled_mean(main.gain)
    text = (
        f"On {main.after.shape[1]:,} {set_title(TRAINED)}, avg@{main.samples} went from "
        f"{percent(main.before.mean())} to {percent(main.after.mean())}: {points(gain)}, over "
        f"{'questions and seeds' if main.after.shape[0] > 1 else 'questions'}."
    )
    return Sentence(text=text, tone=tone_of(gain))


def _controls(evidence: Evidence, main: Outcome) -> list[Sentence]:
    found = []
    for name in ("random", "format"):
        control = evidence.outcomes.get((name, TRAINED))
        if control is None:
            continue
        gain, ahead = pooled_mean(control.gain), _ahead(main, control)
        if gain.low > -FLAT_POINTS and gain.high < FLAT_POINTS:
            moved = f"stays flat ({points(gain)})"
        elif gain.low > 0:
            moved = f"rises too ({points(gain)})"
        elif gain.high < 0:
            moved = f"falls ({points(gain)})"
        else:
            moved = f"shows no clear change ({points(gain)})"
        text = (
            f"With a {TITLES[name]} the same training {moved}; TTRL ends {points(ahead)} above it."
        )
        found.append(Sentence(text=text, tone=tone_of(ahead)))
    return found


def _ahead(first: Outcome, second: Outcome) -> Pooled:
    """Mean of first minus second after training, paired by question, and by seed where both have it."""
    seeds = min(len(first.after), len(second.after))
    return pooled_mean(first.after[:seeds] - second.after[:seeds])


def _voting(evidence: Evidence, main: Outcome) -> list[Sentence]:
    over = pooled_mean(main.after - main.vote_before)
    text = (
        f"Above its own teacher? A single answer of the trained model against the base's vote of "
        f"{main.samples} (maj@{main.samples}, {percent(main.vote_before.mean())}): {points(over)}."
    )
    found = [Sentence(text=text, tone=tone_of(over))]
    if evidence.equal_tokens is None:
        return found
    votes, samples = evidence.equal_tokens
    base = np.array([float(votes.get(id, False)) for id in main.ids])
    for what, after in (
        ("a single answer", main.after),
        (f"a vote of {main.samples}", main.vote_after),
    ):
        over = pooled_mean(after - base)
        text = (
            f"At equal cost: with the tokens that training sampled, the base could vote with {samples} "
            f"completions a question (maj@{samples}, {percent(base.mean())}); {what} of the trained model "
            f"against that: {points(over)}."
        )
        found.append(Sentence(text=text, tone=tone_of(over)))
    return found


def _upper_bound(evidence: Evidence, main: Outcome) -> list[Sentence]:
    bound = evidence.outcomes.get(("leakage", TRAINED))
    if bound is None:
        text = (
            "How near it comes to training on the right answers (leakage) needs labels of all arms."
        )
        return [] if "leakage" in evidence.arms else [Sentence(text=text, tone="unknown")]
    behind = _ahead(main, bound)
    reached, whole = main.gain.mean(), bound.gain.mean()
    share = f" ({100 * reached / whole:.0f} % of its gain)" if whole > 0 else ""
    text = (
        f"Trained on the true answers the model reaches {percent(bound.after.mean())}; TTRL ends "
        f"{points(behind)} from there{share}."
    )
    return [Sentence(text=text, tone="unclear")]


def _memorised(evidence: Evidence, main: Outcome) -> list[Sentence]:
    found = []
    for name in evidence.others():
        other = evidence.outcomes["ttrl", name]
        told = Memorisation(
            trained=_as_gain(pooled_mean(main.gain)),
            other=_as_gain(pooled_mean(other.gain)),
            difference=_as_gain(pooled_difference(main.gain, other.gain)),
            metric=f"avg@{main.samples}",
            other_questions=set_title(name),
            over="questions and seeds" if len(main.gain) > 1 else "questions",
        )
        found.append(Sentence(text=told.sentence, tone=TONES[told.kind]))
    return found


def _as_gain(pooled: Pooled) -> Gain:
    return Gain(value=pooled.value, low=pooled.low, high=pooled.high)


def _no_prior(evidence: Evidence) -> list[Sentence]:
    other = evidence.outcomes.get(("ttrl", NO_PRIOR))
    if other is None:
        return []
    gain = pooled_mean(other.gain)
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
    p = clustered_mcnemar_p(main.vote_after.astype(float) - main.vote_before.astype(float))
    mean_of = "Mean over seeds: of" if len(tables) > 1 else "Of"
    text = (
        f"{mean_of} {main.vote_after.shape[1]:,} questions the vote gained {gained:.0f}, kept {kept:.0f}, "
        f"lost {lost:.0f} and never had {never:.0f} (McNemar's test, "
        f"{'clustered by question, ' if len(tables) > 1 else ''}p = {p:.2g})."
    )
    tone: Tone = "unclear" if p >= 0.05 else ("rose" if gained > lost else "fell")
    return Sentence(text=text, tone=tone)


def _worse(evidence: Evidence) -> list[Sentence]:
    """pass@k falls where a model becomes surer of what is wrong, too."""
    runs = evidence.arms["ttrl"].runs
    found = []
    for name in evidence.sets:
        pairs = [run.result["sets"][name] for run in runs]
        keys = [key for key in pairs[0]["base"] if key.startswith("pass@")]
        if not keys or name == NO_PRIOR:
            continue
        before = [number(pair["base"], keys[-1]) or 0.0 for pair in pairs]
        after = [number(pair["final"], keys[-1]) or 0.0 for pair in pairs]
        if mean(after) < mean(before) - 0.005:
            found.append(f"{percent(mean(before))} to {percent(mean(after))} on {set_title(name)}")
    if not found:
        return []
    return [
        Sentence(
            text=f"What got worse: {keys[-1] if keys else 'pass@k'}, the chance that one of several "
            f"answers is right, fell from {'; '.join(found)} (means over seeds).",
            tone="fell",
        )
    ]


def _lucky_hits(evidence: Evidence) -> list[Sentence]:
    """The first and the last tenth of the steps, at least one."""
    sentences = []
    starts, ends = [], []
    for run in evidence.arms["ttrl"].runs:
        rows = [row for row in run.records if "labels/reward_accuracy" in row]
        if rows:
            size = max(1, len(rows) // 10)
            starts += rows[:size]
            ends += rows[-size:]
    if starts:
        parts = []
        for when, rows in (("at the start", starts), ("at the end", ends)):
            label, reward, lucky = (
                mean([number(row, key) or 0.0 for row in rows])
                for key in ("labels/label_accuracy", "labels/reward_accuracy", "labels/lucky_rate")
            )
            parts.append(
                f"{when} {percent(label)} of the labels are right and {percent(reward)} of the rewards "
                f"({percent(lucky)} of them although the label is wrong)"
            )
        sentences.append(Sentence(text=f"Lucky hits: {'; '.join(parts)}.", tone="unclear"))
    return sentences


def _doubts_of_controls(evidence: Evidence, main: Outcome) -> list[str]:
    found = []
    for name in ("random", "format"):
        control = evidence.outcomes.get((name, TRAINED))
        if control is not None and _ahead(main, control).low <= 0:
            found.append(f"a {TITLES[name]} does as well")
    return found


def _doubts_of_others(evidence: Evidence) -> list[str]:
    return [
        f"the gain does not show on {set_title(name)} ({points(gain)})"
        for name in evidence.others()
        if (gain := pooled_mean(evidence.outcomes["ttrl", name].gain)).low <= 0
    ]


def _without_labels(evidence: Evidence) -> Sentence:
    parts = []
    for name, arm in evidence.arms.items():
        rows = [run.result["sets"][TRAINED] for run in arm.runs]
        before = mean([number(row["base"], "majority_ratio") or 0.0 for row in rows])
        after = mean([number(row["final"], "majority_ratio") or 0.0 for row in rows])
        parts.append(f"{TITLES[name]} {percent(before)} to {percent(after)}")
    text = (
        "Accuracy, memorisation and the comparison with voting need labels. The majority ratio went from "
        f"{', '.join(parts)}: agreement, not correctness."
    )
    return Sentence(text=text, tone="unknown")
