"""Chooses the sentences that open the page of a run, comparison, study or sweep, and those that follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ttrl.evaluation.report import groups as of_groups
from ttrl.evaluation.report import study as of_study
from ttrl.evaluation.report.arm_tables import questions_of
from ttrl.evaluation.report.arms import Arm, Measure, sets_of
from ttrl.evaluation.report.findings import (
    FEW,
    ONE_SEED,
    Sentence,
    against_votes,
    fates,
    losses,
    memorised,
    movement,
    number_of,
    one_sided,
    set_sentence,
)
from ttrl.evaluation.report.guarded import guard_sentences
from ttrl.evaluation.report.outcome import Outcome, paired_outcome, tone_of
from ttrl.evaluation.report.reading import Run
from ttrl.evaluation.report.study import Evidence, gain_of, without_marks
from ttrl.evaluation.report.text import (
    FRESH,
    HELD_OUT,
    LEVEL,
    TRAINED,
    capital,
    in_order,
    percent,
    plural,
    points,
    set_title,
    signed_span,
)
from ttrl.interval import FEWEST_QUESTIONS, Direction, Interval
from ttrl.recording.evaluations import WHENS, SetMetrics
from ttrl.recording.results import RunResult

QUOTED = 4
"""Groups that are in the paragraph."""
NO_RECORDS = "without the same single questions there is no paired interval"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The opening of a page."""

    quote: str
    """A paragraph that can stand alone."""
    findings: tuple[Sentence, ...]
    """The rest, the most important one first."""


def run_verdict(run: Run) -> Verdict:
    """Says how the trained and held-out questions fared, whether that is memorised, and what was lost."""
    paired = {n: each for n in in_order(run.sets) if (each := paired_outcome([run], n))}
    opening: list[Sentence] = []
    findings: list[Sentence] = []
    for name in in_order(run.result.metrics):
        base, final = (run.result.of(name, when) for when in WHENS)
        if base or final:
            sentence = set_sentence(name, base, final, paired.get(name))
            (opening if name in (TRAINED, HELD_OUT) else findings).append(sentence)
    if not opening and not findings:
        opening = [Sentence("The run has no evaluation, so there is no verdict.", "unknown")]
    else:
        base, final = (run.result.of(TRAINED, when) for when in WHENS)
        voting = against_votes(base, final, paired.get(TRAINED))
        remembered, lost = memorised_by(run, paired), losses(paired)
        opening += [*(each[0] for each in remembered[:1]), *lost[:1]]
        full = [*(each[1:] for each in remembered[:1]), *(each[-1:] for each in remembered[1:])]
        findings = [
            *([] if voting is None else [voting]),
            *(sentence for each in full for sentence in each),
            *lost[1:],
            *findings,
        ]
    quote = " ".join([_setup(run), *(sentence.text for sentence in opening), ONE_SEED])
    return Verdict(quote, (*guard_sentences(run), *findings))


def memorised_by(run: Run, paired: Mapping[str, Outcome]) -> list[tuple[Sentence, ...]]:
    """Returns a finding per set of the same kind of questions: the held-out ones and the fresh ones.

    Other sets, of other kinds of questions, may stay behind without anything being memorised.
    """
    names = in_order(name for name, _ in run.result.evaluations)
    others = [name for name in names if name == HELD_OUT or name.startswith(FRESH)]
    if not any(name in paired for name in (TRAINED, *others)):
        needs = "Whether a gain is memorised needs labels with exact answers."
        return [(Sentence(needs, "unknown"),)] if names else []
    if not others:
        text = (
            "Whether the gain is memorised cannot be told: no other questions of the same kind were "
            "evaluated (see the option --holdout)."
        )
        return [(Sentence(text, "unknown"),)]
    return [memorised(paired.get(TRAINED), paired.get(name), name) for name in others]


def _setup(run: Run) -> str:
    """'60 steps of grpo on ttrl-tiny with the reward majority, seed 0.'"""
    result = run.result
    text = "A run" if result.steps is None else plural(result.steps, "step")
    text += f" of {result.algorithm}" if result.algorithm else ""
    text += f" on {result.model}" if result.model else ""
    text += f" with the reward {result.reward}" if result.reward else ""
    text += ", which is true labels and not TTRL" if result.is_true_labels else ""
    text += f", seed {result.seed}." if result.seed is not None else "."
    return f"{text} {after}" if (after := _chosen(result)) else text


def _chosen(result: RunResult) -> str:
    """What the figures after training are of, where they are not of its last step."""
    if result.kept_step is None or result.kept_step == result.steps:
        return ""
    if not result.kept_step:
        return "The base itself was kept, chosen without labels: figures after training are the base's."
    return f"Figures after training are of step {result.kept_step:,}, chosen without labels."


def comparison_verdict(arms: Sequence[Arm], sets: Mapping[str, Sequence[Measure]]) -> Verdict:
    """Reports group by group on the first set, then pairs of groups, then the other sets."""
    if not sets:
        name = next(iter(sets_of(arms)), TRAINED)
        return Verdict(without_marks(arms[:QUOTED], name).text, ())
    sentences: list[Sentence] = []
    for index, groups in enumerate(sets.values()):
        if index == 0 or len(groups) == 1:
            sentences += [_group_sentence(group) for group in groups[: of_groups.SENTENCES]]
        else:
            sentences.append(_groups_sentence(groups))
        if index == 0:
            sentences += [
                *of_groups.pair_sentences(of_groups.differences(groups)),
                *of_groups.unpaired(groups),
            ]
    return Verdict(_compared(next(iter(sets.values()))), tuple(sentences))


def _group_sentence(each: Measure) -> Sentence:
    arm = each.arm
    runs = f" ({len(arm.runs)} runs)" if len(arm.runs) > 1 else ""
    where = f"{arm.name}{runs}: on {questions_of([each])}, {each.metric}"
    if each.before is None or each.after is None:
        found = Sentence(f"{where} was {one_sided(each.before, each.after)}.", "unclear")
    else:
        why = FEW if each.is_small else NO_RECORDS
        found = movement(where, each.before, each.after, each.change, why=why)
        if each.change is not None and each.changes:
            ends = signed_span((min(each.changes), max(each.changes)))
            found = _over(found, each.change, f"; single runs {ends}" * (len(each.changes) > 1))
    upper = " Rewarded by true labels: an upper bound, not TTRL." * (arm.role == "upper bound")
    return Sentence(f"{found.text}{upper}", found.tone)


def _over(found: Sentence, change: Interval, more: str = "") -> Sentence:
    """With what its interval is over, if it has one."""
    if change.supported.bounds is None:
        return found
    return Sentence(f"{found.text.removesuffix('.')}, over {change.over}{more}.", found.tone)


def _groups_sentence(groups: Sequence[Measure]) -> Sentence:
    """All groups on a further set."""
    parts, tones = [], set[Direction]()
    for each in groups:
        tones.add(tone_of(each.change))
        part = "not measured twice"
        if each.change is not None:
            part = f"{points(each.change)}{'' if each.change.bounds else ', no interval'}"
        parts.append(f"{each.arm.name} {part}")
    if len(groups) > of_groups.SENTENCES:
        parts[of_groups.SENTENCES :] = [f"{len(groups) - of_groups.SENTENCES} more in the table"]
    few = f"; {FEW}" if any(each.is_small for each in groups) else ""
    text = f"On {questions_of(groups)}: {'; '.join(parts)}{few}."
    return Sentence(text, tones.pop() if len(tones) == 1 else "unclear")


def _compared(groups: Sequence[Measure]) -> str:
    """The paragraph on the first set."""
    starts = {percent(each.before.value) for each in groups if each.before and each.after}
    start = starts.pop() if len(starts) == 1 else None
    reached = [_reached(each, start) for each in groups[:QUOTED]]
    if len(groups) > QUOTED:
        reached.append(f"{len(groups) - QUOTED} more below")
    metrics, first = {each.metric for each in groups}, groups[0].keys
    same = len(groups) > 1 and first and all(each.keys == first for each in groups)
    text = (
        f"On {'the same ' if same else ''}{questions_of(groups)}, "
        f"{metrics.pop() if len(metrics) == 1 else 'avg@k'} went{f' from {start}' if start else ''} "
        f"{'; '.join(reached)}."
    )
    overs = {each.change.over for each in groups if each.change and each.change.bounds}
    if overs:
        over = "questions, and over seeds where a group has several runs"
        over = overs.pop() if len(overs) == 1 else over
        text += f" Brackets are {LEVEL} intervals over {over}."
    if any(each.is_small for each in groups):
        text += f" {capital(FEW)}."
    return text + of_groups.how_many_are_clear(of_groups.differences(groups))


def _reached(each: Measure, start: str | None) -> str:
    """'to 72.8 % with grpo (3 runs; +25.6 points [+22.8, +28.2])', from `start` or its own base."""
    arm = each.arm
    if each.before is None or each.after is None or each.change is None:
        return f"{arm.name}: {one_sided(each.before, each.after)}"
    origin = "" if start else f"from {percent(each.before.value)} "
    runs = f"{len(arm.runs)} runs" if len(arm.runs) > 1 else ""
    about = "; ".join(part for part in (arm.shown_role, runs, points(each.change)) if part)
    return f"{origin}to {percent(each.after.value)} with {arm.name} ({about})"


def study_verdict(evidence: Evidence) -> Verdict:
    """Says whether the gain is real, and lists everything for and against it."""
    main, found = evidence.main, list[Sentence]()
    if main is None:
        found.append(without_marks([*evidence.arms.values()], TRAINED))
        quote = f"Whether the gain is real cannot be told. {found[0].text}"
    else:
        quote, gain = _study_quote(evidence, main), gain_of(main)
        where = f"On {number_of(TRAINED, len(main.keys))}, {main.metric}"
        why = f"{points(gain)}, but {FEW}"
        others = [memorised(main, evidence.outcomes["ttrl", n], n)[-1] for n in evidence.others()]
        found = [
            _over(movement(where, main.level("base"), main.level("final"), gain, why=why), gain),
            *of_study.control_sentences(evidence, main),
            *(each for each in (against_votes(SetMetrics(), SetMetrics(), main),) if each),
            *of_study.equal_cost(evidence, main),
            *of_study.upper_bound(evidence, main),
            *others,
            *of_study.no_prior(evidence),
            fates(main),
            *of_study.worse(evidence),
            *of_study.lucky_hits(evidence.ttrl),
        ]
    if len(evidence.ttrl.seeds) == 1:
        found.append(Sentence(ONE_SEED, "unknown"))
    if evidence.left_out:
        names = ", ".join(evidence.left_out)
        text = f"Runs that did not end, or cannot be read, and are left out: {names}."
        found.append(Sentence(text, "fell"))
    return Verdict(quote, tuple(found))


def _study_quote(evidence: Evidence, main: Outcome) -> str:
    """Claims a gain only if its interval leaves out 0, and names every doubt that the study found."""
    gain, (before, after) = gain_of(main), (percent(main.level(when).value) for when in WHENS)
    size = f"{plural(len(main.seeds), 'seed')}, {plural(len(main.keys), 'question')}"
    moved = (
        f"single answers to the questions it was trained on were right in {before} of all cases before "
        f"and {after} after: {points(gain)} ({size})"
    )
    if len(main.keys) < FEWEST_QUESTIONS:
        return f"Too few questions for a verdict: {moved}."
    if tone_of(gain) == "unclear":
        return f"No gain can be told from chance: {moved}."
    if tone_of(gain) == "fell":
        return f"The model got worse: {moved}."
    shown, explained, doubts = list[str](), list[str](), list[str]()
    for title, own, above in evidence.controls(main):
        if tone_of(own) == "rose":
            doubts.append(f"a {title} alone gives {points(own)}")
        elif tone_of(above) != "rose":
            doubts.append(f"a {title} is not clearly worse (TTRL {points(above)} above it)")
        else:
            explained.append(f"a {title} ({points(own)})")
    for name in evidence.others():
        other = gain_of(evidence.outcomes["ttrl", name])
        text = f"{set_title(name)} ({points(other)})"
        if tone_of(other) == "rose":
            shown.append(text)
        else:
            doubts.append(f"it does not clearly show on {text}")
    parts = [f"The model got better: {moved}."]
    if shown:
        parts.append(f"It shows on questions that were never trained on: {', '.join(shown)}.")
    if explained:
        parts.append(f"It does not come from {' or '.join(explained)}.")
    if doubts:
        parts.append(f"But {'; '.join(doubts)}.")
    return " ".join(parts)


def sweep_verdict(arms: Sequence[Arm]) -> Verdict:
    """Compares the best point with the worst, and says what fell."""
    found = {arm.name: each for arm in arms if (each := paired_outcome(arm.runs, TRAINED))}
    if not found:
        return Verdict(
            "Which point is best needs labels: agreement says nothing of being right.", ()
        )
    gains = {name: gain_of(each) for name, each in found.items()}
    sentences = of_study.best_and_worst(found)
    for name, gain in gains.items():
        if tone_of(gain) == "fell":
            sentences.append(Sentence(f"{name} ends below the base: {points(gain)}.", "fell"))
    rose = sum(tone_of(gain) == "rose" for gain in gains.values())
    text = f"{rose} of {len(found)} points rise clearly above the base."
    sentences.append(Sentence(text, "rose" if rose == len(found) else "unclear"))
    return Verdict(sentences[0].text, tuple(sentences[1:]))
