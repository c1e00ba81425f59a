"""Recommends settings for the run, from what the probe found."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from ttrl.config import RunConfig
from ttrl.consensus.summary import mean
from ttrl.probing.draw import Voted, sharp_temperature
from ttrl.probing.signals import Signals
from ttrl.probing.trial import Trial
from ttrl.probing.verdict import DECIDED, IGNORED, KAPPA, MOVED, NO_ANSWER

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
    _votes(found, votes, config)
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


def _votes(found: dict[str, tuple[float, str]], votes: Sequence[Voted], config: RunConfig) -> None:
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
