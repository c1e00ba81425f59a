"""The guard: says when a run without labels shows signs of collapse, from what its steps record.

It looks at nothing but metrics, so `replay` gives for a recorded run the decisions that the run itself made.
How often it is right was measured on planted collapses and healthy runs: docs/guard.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ttrl.training.guard_rules import RULES, Finding, History

Action = Literal["warn", "slow", "stop"]

MOST_HALVINGS = 3
"""How often `guard: slow` halves the learning rate before it stops the run."""
PATIENCE = 8
"""Steps after a halving in which the guard waits for its effect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the guard decided after a step, and why."""

    step: int
    """The number of the step, from 1."""
    action: Action
    findings: tuple[Finding, ...]
    rate_share: float
    """The learning rate's share from now on, beside that of its schedule."""

    @property
    def reason(self) -> str:
        """Returns the signals with their numbers, in one line."""
        return "; ".join(each.text for each in self.findings)

    @property
    def line(self) -> str:
        """Returns what the console shows."""
        what = {
            "warn": "signs of collapse",
            "slow": f"the learning rate is now {self.rate_share:g} of its schedule",
            "stop": "the run ends here",
        }[self.action]
        return f"guard       step {self.step}: {what}: {self.reason}"

    def to_json(self) -> dict[str, Any]:
        """Returns a line of guard.jsonl."""
        return {
            "step": self.step,
            "action": self.action,
            "rate_share": self.rate_share,
            "signals": [
                {"signal": f.signal, "value": f.value, "limit": f.limit, "text": f.text}
                for f in self.findings
            ],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardState:
    """All that the guard remembers between two steps, of a size that does not grow with them."""

    history: History = field(default_factory=History)
    halvings: int = 0
    waits_until: int = 0
    """Last step in which a halving's effect is waited for."""
    named: tuple[str, ...] = ()
    """Signals that were warned of."""
    stopped: str | None = None
    """Why the guard ended the run."""

    @property
    def rate_share(self) -> float:
        """Returns the learning rate's share: 1, or a half for each halving."""
        return float(0.5**self.halvings)

    def to_json(self) -> dict[str, Any]:
        """Returns plain values, for a checkpoint."""
        return {
            "history": self.history.to_json(),
            "halvings": self.halvings,
            "waits_until": self.waits_until,
            "named": list(self.named),
            "stopped": self.stopped,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> GuardState:
        """Puts back what `to_json` gave; an empty object is the state before the first step."""
        if not value:
            return cls()
        return cls(
            history=History.from_json(value["history"]),
            halvings=value["halvings"],
            waits_until=value["waits_until"],
            named=tuple(value["named"]),
            stopped=value["stopped"],
        )


def decide(
    state: GuardState, metrics: Mapping[str, float], *, step: int, mode: Action
) -> tuple[GuardState, Decision | None]:
    """Takes the metrics of a step in, and decides where a signal fires.

    `warn` names each signal once. `slow` halves the learning rate, then waits some steps for the effect, and
    stops the run once it has halved it three times. `stop` stops it.

    Args:
        step: the number of the step, from 1.
        mode: the setting `guard`.
    """
    history = state.history.with_step(metrics, step=step)
    state = replace(state, history=history)
    findings = tuple(found for rule in RULES if (found := rule.look(history)) is not None)
    if mode == "warn":
        findings = tuple(f for f in findings if f.signal not in state.named)
        state = replace(state, named=(*state.named, *(f.signal for f in findings)))
    if not findings or step <= state.waits_until:
        return state, None
    action = mode
    if mode == "slow" and state.halvings < MOST_HALVINGS:
        state = replace(state, halvings=state.halvings + 1, waits_until=step + PATIENCE)
    elif mode == "slow":
        action = "stop"
    decision = Decision(step=step, action=action, findings=findings, rate_share=state.rate_share)
    if action == "stop":
        state = replace(state, stopped=decision.reason)
    return state, decision


def replay(rows: Iterable[Mapping[str, Any]], *, mode: Action = "stop") -> list[Decision]:
    """Returns the decisions on a recorded run, in order, up to the one that stops it.

    Args:
        rows: of metrics.jsonl.
    """
    state, found = GuardState(), []
    for row in rows:
        state, decision = decide(state, row, step=int(row["step"]), mode=mode)
        if decision is not None:
            found.append(decision)
        if state.stopped is not None:
            break
    return found


def state_after(rows: Sequence[Mapping[str, Any]], *, mode: Action) -> GuardState:
    """Returns the state of the guard after the steps of a recorded run."""
    state = GuardState()
    for row in rows:
        state, _ = decide(state, row, step=int(row["step"]), mode=mode)
    return state
