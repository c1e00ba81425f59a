"""Gathers the evidence of a study and says what its arms, or the points of a sweep, show in comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from ttrl.errors import CheckpointError
from ttrl.evaluation.pooling import pooled_mean
from ttrl.evaluation.report.arms import Arm, missing, read_arm
from ttrl.evaluation.report.findings import Sentence, agreement, reach
from ttrl.evaluation.report.outcome import Outcome, difference, paired_outcome, tone_of, vote_value
from ttrl.evaluation.report.plan import ROLES, TITLES, ArmName, Plan, equal_tokens_path
from ttrl.evaluation.report.text import NO_PRIOR, TRAINED, percent, plural, points, set_title
from ttrl.evaluation.statistics import mean
from ttrl.interval import Direction, Interval
from ttrl.recording.evaluations import WHENS
from ttrl.recording.forgiving import number
from ttrl.recording.question_record import QuestionKey
from ttrl.recording.results import read_result

FLAT_POINTS = 0.03
"""A control is called flat if the whole interval of its gain lies within so much of 0."""
NOTABLE = 0.01
"""A fall of pass@k that is named although its interval does not leave out 0."""

EqualTokens = tuple[int, Mapping[QuestionKey, bool] | None]
"""Completions a question that the tokens of training pay for, and whether the base's vote of so many is
right; None if that was not taken, since the base has had as many votes anyway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything the sentences of a study are computed from."""

    arms: dict[ArmName, Arm]
    outcomes: dict[tuple[ArmName, str], Outcome]
    """By arm and set; only where answers can be marked right or wrong before and after, under every seed."""
    equal_tokens: EqualTokens | None
    left_out: tuple[str, ...]
    """Runs that did not end, or cannot be read."""

    @property
    def ttrl(self) -> Arm:
        """Returns the arm under study."""
        return self.arms["ttrl"]

    @property
    def main(self) -> Outcome | None:
        """Returns the outcome of TTRL on the questions it was trained on."""
        return self.outcomes.get(("ttrl", TRAINED))

    def others(self) -> list[str]:
        """Returns the sets that TTRL was not trained on and that it could help on."""
        known = [name for name in self.ttrl.sets if ("ttrl", name) in self.outcomes]
        return [name for name in known if name not in {TRAINED, NO_PRIOR}]

    def controls(self, main: Outcome) -> list[tuple[str, Interval, Interval]]:
        """Returns (title, own gain, how far TTRL ends above it) of each control that can be compared."""
        found = []
        for name, role in ROLES.items():
            control = self.outcomes.get((name, TRAINED)) if role == "control" else None
            above = None if control is None else main.apart(control)
            if control is not None and above is not None:
                found.append((TITLES[name], gain_of(control), above))
        return found


def gather(plan: Plan, *, failed: Sequence[str] = ()) -> Evidence:
    """Reads the runs of a study that have ended, and their outcomes on the sets of TTRL.

    Args:
        failed: names of runs that are known to have failed.

    Raises:
        CheckpointError: no run of TTRL has ended.
    """
    names = [cast(ArmName, name) for name in plan.names]
    read = {name: read_arm(plan, name, title=TITLES[name], role=ROLES[name]) for name in names}
    arms = {name: arm for name, arm in read.items() if arm is not None}
    if "ttrl" not in arms:
        raise CheckpointError(
            f"{plan.path}: no TTRL run has ended, so there is nothing to report. Go on with: "
            f"ttrl study --resume {plan.path}"
        )
    planned = plan.run_names()
    return Evidence(
        arms=arms,
        outcomes={
            (name, each): found
            for name, arm in arms.items()
            for each in arms["ttrl"].sets
            if each in arm.sets and (found := paired_outcome(arm.runs, each)) is not None
        },
        equal_tokens=equal_tokens(plan, arms["ttrl"]),
        left_out=(*missing(plan, [*arms.values()]), *(n for n in failed if n not in planned)),
    )


def samples_at_equal_tokens(arm: Arm, *, questions: int) -> int | None:
    """Returns training tokens / (questions x the base's mean completion tokens), rounded up; first seed.

    Only sampled tokens count: the tokens of prompts and the work of updates come on top of what training
    costs. None if nothing can be marked right or wrong.

    Args:
        questions: that training asked, whether they are evaluated or not.
    """
    base = arm.metrics(TRAINED, "base")[0]
    sampled = sum(number(row, "sample/tokens") or 0.0 for row in arm.runs[0].records)
    if not base.mean_tokens or not questions or not base.maj:
        return None
    return max(1, -int(-sampled // (questions * base.mean_tokens)))


def equal_tokens(plan: Plan, arm: Arm) -> EqualTokens | None:
    """Returns the vote that was taken for one of the seeds, or that none was needed; None if neither."""
    for seed in plan.seeds:
        try:
            result = read_result(equal_tokens_path(plan.path, seed))
        except CheckpointError:
            continue
        taken = result.evaluations.get((TRAINED, "base"))
        if taken is None or not taken.samples:
            continue
        votes = {k: r.vote_right is True for k, r in taken.by_key.items() if r.correct is not None}
        if votes:
            return taken.samples, votes
    paid = samples_at_equal_tokens(arm, questions=plan.questions)
    own = arm.runs[0].evaluation(TRAINED, "base")
    # Where they pay for more, the evaluation is missing.
    return None if paid is None or own is None or paid > own.samples else (paid, None)


def gain_of(found: Outcome) -> Interval:
    """Returns the gain of a paired outcome."""
    gain = found.change()
    assert gain is not None
    return gain


def without_marks(arms: Sequence[Arm], name: str) -> Sentence:
    """Says what agreement shows without labels; texts and programs are similar to an answer, not right."""
    finals = [metrics for arm in arms for metrics in arm.metrics(name, "final")]
    text = (
        "There are no labels, so these runs cannot be compared by accuracy; memorisation and the "
        "comparison with voting need labels too."
    )
    about: tuple[str, ...] = ("majority ratio",)
    key = "majority_ratio"
    if finals and all(metrics.similarity is not None for metrics in finals):
        text = (
            "Answers of this task are more or less similar to the true one, not right or wrong: there is no "
            "accuracy to compare."
        )
        key, about = "similarity", ("similarity to the true answer", "without intervals")
    moved = [(arm.name, *pair) for arm in arms if (pair := arm.from_to(key, name)) is not None]
    return Sentence(f"{text} {agreement(moved, *about)}" if moved else text, "unknown")


def control_sentences(evidence: Evidence, main: Outcome) -> list[Sentence]:
    """Says what the same training does with a meaningless reward."""
    moves = {"rose": "rises too", "fell": "falls", "unclear": "shows no clear change"}
    found = []
    for title, gain, above in evidence.controls(main):
        low, high = gain.bounds or (-1.0, 1.0)
        flat = low > -FLAT_POINTS and high < FLAT_POINTS
        text = (
            f"With a {title} the same training {'stays flat' if flat else moves[tone_of(gain)]} "
            f"({points(gain)}); TTRL ends {points(above)} above it{_of_seeds(main, above)}."
        )
        found.append(Sentence(text, tone_of(above)))
    return found


def _of_seeds(main: Outcome, compared: Interval) -> str:
    """Where an arm has fewer seeds than TTRL."""
    few = compared.seeds < len(main.seeds)
    return f" (over the {plural(compared.seeds, 'seed')} that both have)" if few else ""


def equal_cost(evidence: Evidence, main: Outcome) -> list[Sentence]:
    """Compares the trained model with the vote that the tokens of its training would pay for."""
    if evidence.equal_tokens is None:
        return []
    (samples, votes), n = evidence.equal_tokens, main.samples
    if votes is None:
        text = (
            f"At equal cost: the tokens that training sampled pay for {plural(samples, 'completion')} "
            f"a question, no more than the base's vote of {n} above has."
        )
        return [Sentence(text, "unclear")]
    asked = main.cut(range(len(main.seeds)), [key for key in main.keys if key in votes])
    if not asked.keys:
        return []
    base, found = np.array([float(votes[key]) for key in asked.keys]), []
    for what, after in (
        ("a single answer", asked.table("final")),
        (f"a vote of {n}", asked.table("final", vote_value)),
    ):
        above = pooled_mean(after - base)
        text = (
            f"At equal cost: with the tokens that training sampled, the base could vote with {samples} "
            f"completions a question (maj@{samples}, {percent(base.mean())}, drawn once); {what} of the "
            f"trained model against that: {points(above)}."
        )
        found.append(Sentence(text, tone_of(above)))
    return found


def upper_bound(evidence: Evidence, main: Outcome) -> list[Sentence]:
    """Compares TTRL with training on the true answers."""
    bound = evidence.outcomes.get(("leakage", TRAINED))
    ours, theirs = (main, main) if bound is None else main.shared_with(bound)
    behind = None if bound is None else difference(ours, theirs)
    if behind is None:
        return []
    reached, whole, share = gain_of(ours), gain_of(theirs), ""
    if tone_of(whole) == tone_of(reached) == "rose":
        share = f"; of its gain, {points(whole)}, that is {100 * reached.value / whole.value:.0f} %"
    text = (
        f"Trained on the true answers the model reaches {percent(theirs.level('final').value)}; TTRL ends "
        f"{points(behind)} from there{_of_seeds(main, behind)}{share}."
    )
    return [Sentence(text, "unclear")]


def no_prior(evidence: Evidence) -> list[Sentence]:
    """Says how questions fared that the model knows nothing about; nothing should move."""
    other = evidence.outcomes.get(("ttrl", NO_PRIOR))
    if other is None:
        return []
    before, after = (percent(other.level(when).value) for when in WHENS)
    text = (
        f"On {set_title(NO_PRIOR)}, of which the model knows nothing, {before} became {after}: "
        f"{points(gain_of(other))}."
    )
    return [Sentence(text, tone_of(gain_of(other)))]


def worse(evidence: Evidence) -> list[Sentence]:
    """Says where pass@k falls, as it does when a model also becomes surer of wrong answers."""
    fallen: dict[Direction, list[str]] = {"fell": [], "unclear": []}
    for name in evidence.ttrl.sets:
        found = evidence.outcomes.get(("ttrl", name))
        if found is None or (reached := reach(found)) is None:
            continue
        tone = reached.change.direction
        if tone == "fell" or (tone == "unclear" and reached.change.value < -NOTABLE):
            fallen[tone].append(reached.fell(f" on {set_title(name)}"))
    what = {"fell": "What got worse", "unclear": "What may have got worse, not clearly"}
    why = "the chance that one of several answers is right, for a surer model is also surer where it is wrong"
    return [
        Sentence(f"{what[tone]}: {why}: {'; '.join(parts)}.", tone)
        for tone, parts in fallen.items()
        if parts
    ]


def lucky_hits(arm: Arm) -> list[Sentence]:
    """Counts lucky hits over the first and last tenth of the steps of all seeds, at least one step each."""
    keys = ("labels/label_accuracy", "labels/reward_accuracy", "labels/lucky_rate")
    starts: list[Sequence[float]] = []
    ends: list[Sequence[float]] = []
    for run in arm.runs:
        rows = [[number(row, key) for key in keys] for row in run.records]
        whole = [[value for value in row if value is not None] for row in rows if None not in row]
        size = max(1, len(whole) // 10)
        starts += whole[:size]
        ends += whole[-size:]
    parts = []
    for when, steps in (("at the start", starts), ("at the end", ends)):
        if steps:
            label, reward, lucky = (mean(column) for column in zip(*steps, strict=True))
            parts.append(
                f"{when} {percent(label)} of the labels are right and {percent(reward)} of the rewards, "
                f"{100 * lucky:.1f} points of these under a wrong label"
            )
    return [Sentence(f"Lucky hits: {'; '.join(parts)}.", "unclear")] if parts else []


def best_and_worst(outcomes: Mapping[str, Outcome]) -> list[Sentence]:
    """Returns the highest and the lowest point of a sweep after training; none if they are one."""
    ends = {name: found.level("final").value for name, found in outcomes.items()}
    best, worst = max(ends, key=lambda name: ends[name]), min(ends, key=lambda name: ends[name])
    if best == worst:
        return []
    text = f"{best} ends highest ({percent(ends[best])}), {worst} lowest ({percent(ends[worst])})"
    ours, theirs = outcomes[best].shared_with(outcomes[worst])
    between = difference(ours, theirs)
    if between is not None and ours.keys == outcomes[best].keys:
        text += f": {points(between)}. Chosen after the fact, so the first looks better than it is."
    else:
        text += "; their questions differ, so they cannot be compared."
    return [Sentence(text, "unclear")]
