"""Turns the probe's numbers into go, go with care, or do not, and says where each threshold comes from.

The thresholds were set on runs of the embedded model and two siblings of it (docs/probe.md); a text
generator of another size may want others. Every reason names its number, so a reader can disagree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ttrl.probing.signals import Signals
from ttrl.probing.trial import Trial

Name = Literal["go", "go with care", "do not"]

NO_ANSWER = (0.2, 0.5)
"""Share of completions without an answer: care at the first value and above, do not at the second and above.
With half of the votes missing, the majority is one of a minority; this is a definition, not a measurement."""
KAPPA = (0.1, 0.03)
"""Agreement of votes beyond chance: care at the first value and below, do not at the second and below."""
IGNORED = (0.05, 0.1)
"""Share of votes that keep the confident answer when a number of the question changes."""
MOVED = (0.015, 0.03)
"""KL(before || after) of two updates, in nats per token."""
STILL = 1e-6
"""Nats per token up to which the policy counts as unmoved; no measured run moved as little."""
FEW = 12
"""Fewest questions for a verdict based on shares: at 12, one question is still 8 %."""
DECIDED = 0.9
"""Share of unanimous questions at which little is left to learn; this is a definition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The verdict of a probe: the worst of its reasons."""

    name: Name
    reasons: tuple[str, ...]
    """Sentences, the most serious first; a single reassuring one if there is no problem."""


def judge(signals: Signals, trial: Trial) -> Verdict:
    """Judges each number by itself and returns the worst verdict; no label is among the numbers."""
    against: list[str] = []
    care: list[str] = []
    for level, reason in (*_votes(signals), *_answers(signals), *_movement(trial)):
        (against if level == "do not" else care).append(reason)
    if against:
        return Verdict(name="do not", reasons=(*against, *care))
    if care:
        return Verdict(name="go with care", reasons=tuple(care))
    return Verdict(name="go", reasons=(_fine(signals, trial),))


Found = list[tuple[Name, str]]


def _level(value: float, limits: tuple[float, float]) -> Name | None:
    """Limits ascend where large is bad, and descend where small is."""
    first, second = limits
    sign = 1 if first < second else -1
    if sign * value >= sign * second:
        return "do not"
    return "go with care" if sign * value >= sign * first else None


def _votes(signals: Signals) -> Found:
    found: Found = []
    if level := _level(signals.no_answer, NO_ANSWER):
        cut = f", {signals.truncated:.0%} cut at max_tokens" if signals.truncated > 0.05 else ""
        found.append((level, f"{signals.no_answer:.0%} of the votes have no answer{cut}."))
    if signals.kappa is not None and (level := _level(signals.kappa, KAPPA)):
        found.append((level, (
            f"Two votes on a question agree {signals.within:.1%} of the time and votes on different "
            f"questions {signals.across:.1%} (kappa {signals.kappa:.3f}): there is hardly a consensus to "
            "learn from."
        )))  # fmt: skip
    if signals.kappa is None:
        found.append(("go with care", (
            "The agreement of votes cannot be held against chance: that takes two questions or more, and "
            "answers that are equal and not only similar."
        )))  # fmt: skip
    if signals.questions < FEW:
        asked = "1 question is" if signals.questions == 1 else f"{signals.questions} questions are"
        found.append(("go with care", f"{asked} too few to tell."))
    return found


def _answers(signals: Signals) -> Found:
    found: Found = []
    ignored = signals.ignored_numbers
    if ignored is not None and (level := _level(ignored, IGNORED)):
        found.append((level, (
            f"After one of {signals.changes} changes of a number {ignored:.0%} of the answers stay as they "
            "were: the model leaves parts of these questions out, and agreement would reinforce that."
        )))  # fmt: skip
    if signals.unanimous >= DECIDED:
        found.append(("go with care", (
            f"{signals.unanimous:.0%} of the questions are answered unanimously: little is left to learn."
        )))  # fmt: skip
    return found


def _movement(trial: Trial) -> Found:
    if trial.broke:
        return [("do not", f"A trial update at the peak learning rate failed: {trial.skipped}")]
    if trial.moved is None:
        return [("go with care", f"No trial update could be made: {trial.skipped}.")]
    if trial.moved <= STILL:
        return [("go with care", (
            f"Two updates at learning rate {trial.learning_rate:g} move the policy by {trial.moved:.1g} "
            "nats per token: these settings hardly move the policy."
        ))]  # fmt: skip
    if level := _level(trial.moved, MOVED):
        return [(level, (
            f"Two updates at learning rate {trial.learning_rate:g} move the policy by {trial.moved:.3f} "
            f"nats per token; runs that go well stay below {MOVED[0]:g}."
        ))]  # fmt: skip
    return []


def _fine(signals: Signals, trial: Trial) -> str:
    told: Sequence[str] = [
        f"votes agree beyond chance (kappa {signals.kappa:.2f})",
        f"{signals.ignored_numbers:.0%} of the changed numbers go unnoticed"
        if signals.ignored_numbers is not None
        else "",
        f"two updates move the policy by {trial.moved:.4f} nats per token",
    ]
    text = ", ".join(t for t in told if t)
    return f"{text[0].upper()}{text[1:]}: nothing speaks against it."
