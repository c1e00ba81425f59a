"""Turns the probe's numbers into go, go with care, or do not, and recommends settings.

The thresholds were set on runs of the embedded model and two siblings of it (docs/probe.md); a text
generator of another size may want others. Every reason names its number, so a reader can disagree.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

from ttrl.config import RunConfig
from ttrl.consensus.summary import mean
from ttrl.probing.draw import Voted, sharp_temperature
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


ROOM = 1.25
"""Smallest ratio of max_tokens to the longest completion seen."""
STABLE = 0.8
"""Smallest share of questions whose votes should elect the same answer if they were drawn again."""
VOTES = (8, 16, 32, 64, 128, 256)


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """Settings that the probe would change, and why."""

    settings: Mapping[str, float]
    """Recommended values by config key, only of keys that should change."""
    lines: tuple[str, ...]
    """One sentence per setting, then one per problem that no setting solves."""


def advise(signals: Signals, trial: Trial, votes: Sequence[Voted], config: RunConfig) -> Advice:
    """Recommends settings from the probe's numbers alone; no label is used."""
    found: dict[str, tuple[float, str]] = {}
    lines: list[str] = []
    _temperature(found, signals, config)
    _tokens(found, signals, config)
    _advise_votes(found, votes, config)
    if trial.broke or (trial.moved is not None and trial.moved >= MOVED[0]):
        share = 0.1 if trial.moved is None else MOVED[0] / 4 / trial.moved
        rate = float(f"{config.learning_rate * min(0.5, max(0.01, share)):.1g}")
        found["learning_rate"] = (rate, "the trial moved the policy too far")
    if signals.ignored_numbers is not None and signals.ignored_numbers >= IGNORED[0]:
        lines.append(
            "Questions of a kind that the model can read, or a stronger model: no setting mends answers that "
            "leave parts of the question out."
        )
    if signals.unanimous >= DECIDED:
        lines.append("Harder questions, or none of this: the model already agrees with itself.")
    lines = [f"{key}: {value:g} instead of {getattr(config, key):g}, since {why}."
             for key, (value, why) in found.items()] + lines  # fmt: skip
    return Advice(settings={k: v for k, (v, _) in found.items()}, lines=tuple(lines))


def _temperature(found: dict[str, tuple[float, str]], s: Signals, config: RunConfig) -> None:
    scattered = s.kappa is not None and s.kappa < KAPPA[0]
    if (scattered or s.no_answer >= NO_ANSWER[0]) and s.sharp_within > 2 * s.within:
        lower = sharp_temperature(config.temperature) if config.temperature <= 1 else 1.0
        why = (
            f"two votes agree {s.within:.0%} of the time, and {s.sharp_within:.0%} at temperature "
            f"{sharp_temperature(config.temperature):g}"
        )
        found["temperature"] = (round(lower, 2), why)
    elif s.unanimous >= DECIDED and config.temperature < 1:
        found["temperature"] = (1.0, "nearly all votes are the same")


def _tokens(found: dict[str, tuple[float, str]], s: Signals, config: RunConfig) -> None:
    if s.truncated > 0.05:
        found["max_tokens"] = (2 * config.max_tokens, f"{s.truncated:.0%} of the votes are cut")
    elif s.longest_tokens and ROOM * s.longest_tokens < config.max_tokens / 2:
        enough = 8 * math.ceil(ROOM * s.longest_tokens / 8)
        found["max_tokens"] = (
            enough,
            f"99 % of the votes end within {s.longest_tokens:.0f} tokens",
        )


def _advise_votes(
    found: dict[str, tuple[float, str]], votes: Sequence[Voted], config: RunConfig
) -> None:
    """Fewer where fewer are as stable, more where the leads are too small for so many.

    Never fewer than are trained on, or than adaptive votes draw first: the config refuses those.
    """
    leads = [(v.consensus.counts, len(v.consensus.class_of)) for v in votes if v.consensus.counts]
    if not leads or any(v.consensus.centrality is not None for v in votes):
        return
    fewest = max(
        config.trained_per_question, config.adaptive_first if config.votes == "adaptive" else 0
    )
    enough = next((m for m in VOTES if m >= fewest and _stability(leads, m) >= STABLE), None)
    if enough is None:  # leads that so few votes cannot tell from ties
        return
    if enough < config.votes_per_question:
        why = f"so many already elect the same answer on {STABLE:.0%} of the questions when drawn again"
    elif enough > 2 * config.votes_per_question:
        why = (
            f"with so few, {_stability(leads, config.votes_per_question):.0%} of the questions would "
            "elect the same answer when drawn again"
        )
    else:
        return
    found["votes_per_question"] = (enough, why)


def _stability(leads: Sequence[tuple[Sequence[int], int]], count: int) -> float:
    """Chance that the leader of the probe also leads `count` new votes, mean over questions.

    By the normal approximation of its lead over the second; a lead is counted with half a vote less, for
    it was the largest of many.
    """
    chances = []
    for counts, size in leads:
        first, second = (counts[0] - 0.5) / size, (counts[1] if len(counts) > 1 else 0) / size
        lead = first - second
        spread = math.sqrt(max(1e-9, first + second - lead * lead) / count)
        chances.append(NormalDist().cdf(lead / spread))
    return mean(chances)
