"""The rules of the guard: which signals it reads from the metrics of a step, and where their limits are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

FIRST, RECENT = 8, 12
"""Values of a signal that are remembered: those of its first steps, and the last ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A signal that fires."""

    signal: str
    value: float
    limit: float
    text: str
    """Both, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The values of the signals: the first ones and the last ones. A step that lacks a signal adds none."""

    step: int = 0
    first: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    recent: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def with_step(self, metrics: Mapping[str, float], *, step: int) -> History:
        """Returns the history with another step."""
        first, recent = dict(self.first), dict(self.recent)
        for key in KEYS:
            if key in metrics:
                value = float(metrics[key])
                if len(first.get(key, ())) < FIRST:
                    first[key] = (*first.get(key, ()), value)
                recent[key] = (*recent.get(key, ()), value)[-RECENT:]
        return History(step=step, first=first, recent=recent)

    def last(self, key: str, count: int) -> float | None:
        """Returns the mean of the last `count` values; None where there are fewer."""
        values = self.recent.get(key, ())
        return _mean(values[-count:]) if len(values) >= count else None

    def least(self, key: str, count: int) -> float | None:
        """Returns the smallest of the last `count` values; None where there are fewer."""
        values = self.recent.get(key, ())
        return min(values[-count:]) if len(values) >= count else None

    def start(self, key: str, count: int) -> float | None:
        """Returns the mean of the first `count` values; None where there are fewer."""
        values = self.first.get(key, ())
        return _mean(values[:count]) if len(values) >= count else None

    def to_json(self) -> dict[str, Any]:
        """Returns plain values."""
        return {
            "step": self.step,
            "first": {key: list(values) for key, values in self.first.items()},
            "recent": {key: list(values) for key, values in self.recent.items()},
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> History:
        """Puts back what `to_json` gave."""
        return cls(
            step=value["step"],
            first={key: tuple(values) for key, values in value["first"].items()},
            recent={key: tuple(values) for key, values in value["recent"].items()},
        )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Above:
    """Fires where the mean of the last values is above a limit, which may rise with the steps squared."""

    signal: str
    key: str
    what: str
    window: int
    limit: float
    rise: float | None = None
    """If given, the limit is this times the steps squared, as far as that is from `lowest` to `limit`."""
    lowest: float = 0.0
    each: bool = False
    """Whether each of the last values has to be above: one completion can make a single one large."""

    def look(self, history: History) -> Finding | None:
        """Returns what it found after a step."""
        limit = self.limit
        if self.rise is not None:
            limit = min(limit, max(self.lowest, self.rise * history.step**2))
        read = history.least if self.each else history.last
        value = read(self.key, self.window)
        if value is None or value <= limit:
            return None
        return _finding(self.signal, self.what, value, f"limit {limit:.3g}", limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Below:
    """Fires where the mean of the last values is below a limit."""

    signal: str
    key: str
    what: str
    window: int
    limit: float

    def look(self, history: History) -> Finding | None:
        """Returns what it found after a step."""
        value = history.last(self.key, self.window)
        if value is None or value >= self.limit:
            return None
        return _finding(self.signal, self.what, value, f"at least {self.limit:g}", self.limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Risen:
    """Fires where the mean of the last values has left that of the first, by a difference or a factor."""

    signal: str
    key: str
    what: str
    window: int
    by: float
    """Added to the first mean, or its factor; negative, or below 1, where it is a fall that fires."""
    factor: bool = False

    def look(self, history: History) -> Finding | None:
        """Returns what it found after a step."""
        start, value = (read(self.key, self.window) for read in (history.start, history.last))
        if start is None or value is None or history.step <= self.window:
            return None
        limit = start * self.by if self.factor else start + self.by
        falls = self.by < (1 if self.factor else 0)
        if (value >= limit) if falls else (value <= limit):
            return None
        return _finding(
            self.signal, self.what, value, f"first {start:.3g}, limit {limit:.3g}", limit
        )


Rule = Above | Below | Risen


def _finding(signal: str, what: str, value: float, against: str, limit: float) -> Finding:
    return Finding(signal=signal, value=value, limit=limit, text=f"{what} {value:.3g} ({against})")


RULES: tuple[Rule, ...] = (
    Above(
        signal="kl", key="guard/kl", what="KL to the base, nats per token,",
        window=2, each=True, limit=0.1, rise=0.00016, lowest=0.0025,
    ),
    Below(
        signal="pay", key="guard/pay_for_label", what="what the elected answer is paid more",
        window=3, limit=0.25,
    ),
    Above(
        signal="ignored", key="guard/ignored_numbers", what="answers that ignore a changed number",
        window=2, limit=0.2,
    ),
    Risen(
        signal="across", key="guard/across", what="agreement across questions",
        window=6, by=0.1,
    ),
    Risen(
        signal="agreement", key="consensus/majority_ratio", what="majority ratio",
        window=6, by=-0.15,
    ),
    Above(
        signal="no-answer", key="consensus/no_answer_rate", what="completions without an answer",
        window=4, limit=0.5,
    ),
    Risen(
        signal="no-answer-rise", key="consensus/no_answer_rate", what="completions without an answer",
        window=4, by=0.15,
    ),
    Risen(
        signal="truncated", key="sample/truncated_rate", what="completions cut off",
        window=4, by=0.2,
    ),
    Risen(
        signal="long", key="sample/mean_tokens", what="mean length", window=4, by=1.5, factor=True,
    ),
    Risen(
        signal="short", key="sample/mean_tokens", what="mean length", window=4, by=0.6, factor=True,
    ),
    Risen(
        signal="repetition", key="guard/repetition", what="repeated 4-grams", window=4, by=0.1,
    ),
    Risen(
        signal="entropy", key="sample/entropy", what="entropy", window=4, by=1.6, factor=True,
    ),
)  # fmt: skip
"""In the order in which findings are named."""
KEYS = tuple(dict.fromkeys(rule.key for rule in RULES))
"""What the guard reads of a step."""
