"""The verdict of a study in a paragraph that can be quoted."""

from __future__ import annotations

from ttrl.evaluate.report.estimates import set_title
from ttrl.evaluate.report.paired import FEWEST_QUESTIONS
from ttrl.evaluate.report.quantities import percent
from ttrl.evaluate.study.arms import Outcome, ahead
from ttrl.evaluate.study.evidence import TRAINED, Evidence, gain_of, over, points, tone_of
from ttrl.evaluate.study.findings import without_marks
from ttrl.evaluate.study.layout import TITLES


def quote(evidence: Evidence) -> str:
    """Claims a gain only if its interval leaves out 0, and names every doubt that the study found."""
    main = evidence.main
    if main is None:
        return f"Whether the gain is real cannot be told. {without_marks(evidence).text}"
    gain = gain_of(main)
    moved = (
        f"single answers to the questions it was trained on were right in {percent(main.before.mean())} of "
        f"all cases before and {percent(main.after.mean())} after: {points(gain)} ({over(main)})"
    )
    if gain.questions < FEWEST_QUESTIONS:
        return f"Too few questions for a verdict: {moved}."
    if tone_of(gain) == "unclear":
        return f"No gain can be told from chance: {moved}."
    if tone_of(gain) == "fell":
        return f"The model got worse: {moved}."
    parts = [f"The model got better: {moved}."]
    controls, doubts = _controls(evidence, main)
    shown = []
    for name in evidence.others():
        other = gain_of(evidence.outcomes["ttrl", name])
        if tone_of(other) == "rose":
            shown.append(f"{set_title(name)} ({points(other)})")
        else:
            doubts.append(f"it does not clearly show on {set_title(name)} ({points(other)})")
    if shown:
        parts.append(f"It shows on questions that were never trained on: {', '.join(shown)}.")
    if controls:
        parts.append(f"It does not come from {' or '.join(controls)}.")
    if doubts:
        parts.append(f"But {'; '.join(doubts)}.")
    return " ".join(parts)


def _controls(evidence: Evidence, main: Outcome) -> tuple[list[str], list[str]]:
    """Controls that explain nothing, since they gain nothing and end clearly below; and doubts."""
    clear, doubts = [], []
    for name in ("random", "format"):
        control = evidence.outcomes.get((name, TRAINED))
        apart = None if control is None else ahead(main, control)
        if control is None or apart is None:
            continue
        gain = gain_of(control)
        if tone_of(gain) == "rose":
            doubts.append(f"a {TITLES[name]} alone gives {points(gain)}")
        elif tone_of(apart) != "rose":
            doubts.append(f"a {TITLES[name]} is not clearly worse (TTRL {points(apart)} above it)")
        else:
            clear.append(f"a {TITLES[name]} ({points(gain)})")
    return clear, doubts
