"""The result of a probe as a value, as JSON and as lines of text, with a forecast of what the run costs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ttrl.config import RunConfig
    from ttrl.probing.signals import Signals
    from ttrl.probing.trial import Trial
    from ttrl.probing.verdict import Advice, Name


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The cost of the probe and a forecast of the run's. Loading the model is in neither."""

    probe_seconds: float
    probe_completions: int
    """Completions sampled; each counts once more for each update that trained on it."""
    probe_tokens: int
    """Tokens sampled."""
    training_completions: int
    """Votes that the run draws; `training_tokens` are their tokens."""
    training_tokens: int
    training_seconds: float
    """Seconds of the run's votes and updates."""
    evaluation_seconds: float
    """Seconds of both evaluations of the run."""

    @property
    def share_of_run(self) -> float:
        """Returns the probe's seconds over the run's, evaluations included."""
        return self.probe_seconds / (self.training_seconds + self.evaluation_seconds)

    @property
    def share_of_training(self) -> float | None:
        """Returns the probe's seconds over those of training alone; None if the run has no steps."""
        return self.probe_seconds / self.training_seconds if self.training_seconds else None

    @property
    def share_of_tokens(self) -> float | None:
        """Returns the probe's sampled tokens over those of training; None if the run has no steps."""
        return self.probe_tokens / self.training_tokens if self.training_tokens else None


def forecast(
    signals: Signals,
    trial: Trial,
    config: RunConfig,
    *,
    questions: int,
    evaluated: int,
    vote_seconds: float,
    probe_seconds: float,
    probe_completions: int,
    probe_tokens: int,
) -> Cost:
    """Forecasts the run's cost, in proportion to its completions.


    With adaptive votes it is an upper estimate, since all M are counted; refills are counted as if every
    round were full.

    Args:
        questions: the number of questions to train on.
        evaluated: the number of questions in all sets that the run evaluates on, twice.
        vote_seconds: seconds that the probe's votes took.
    """
    rounds = 1 + (config.refill_rounds or 0)
    asked = config.steps * min(config.questions_per_step, questions)
    completions = asked * rounds * config.votes_per_question
    each = vote_seconds / (signals.questions * signals.votes_per_question)
    trained = asked * config.trained_per_question * config.passes_per_step
    per_trained = trial.update_seconds / trial.completions if trial.completions else 0.0
    return Cost(
        probe_seconds=probe_seconds,
        probe_completions=probe_completions,
        probe_tokens=probe_tokens,
        training_completions=completions,
        training_tokens=round(completions * signals.mean_tokens),
        training_seconds=completions * each + trained * per_trained,
        evaluation_seconds=2 * evaluated * config.samples * each,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """The verdict on whether a run is worth starting, with the numbers behind it."""

    verdict: Name
    """"go", "go with care" or "do not"."""
    reasons: tuple[str, ...]
    """Sentences, the most serious first."""
    advice: Advice
    signals: Signals
    trial: Trial
    cost: Cost
    memory: Mapping[str, int]
    """Upper estimates of the bytes that the run needs, by purpose; `total` is what it needs at once."""
    label_accuracy: float | None
    """Share of the probe's pseudo-labels that are right, or None; the verdict ignores it."""

    def to_json(self) -> dict[str, Any]:
        """Returns the object that `ttrl probe --json` prints."""
        trial, cost = asdict(self.trial), self.cost
        if self.trial.moved == math.inf:  # which JSON does not know
            trial["moved"] = None
        return {
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "advice": {
                "settings": dict(self.advice.settings),
                "lines": list(self.advice.lines),
            },
            "signals": asdict(self.signals) | {"kappa": self.signals.kappa},
            "trial": trial,
            "cost": asdict(cost)
            | {
                "share_of_run": cost.share_of_run,
                "share_of_training": cost.share_of_training,
                "share_of_tokens": cost.share_of_tokens,
            },
            "memory_bytes": dict(self.memory),
            "label_accuracy": self.label_accuracy,
        }


def probe_lines(found: ProbeResult) -> list[str]:
    """Describes a probe for people: its numbers, the verdict with its reasons, then the advice."""
    s = found.signals
    low, median, high = s.majority_ratio_quartiles
    beyond = "" if s.kappa is None else f", on different ones {s.across:.3f}: kappa {s.kappa:.3f};"
    lines = [
        f"votes       {s.questions} questions x {s.votes_per_question}: majority ratio "
        f"{s.majority_ratio:.2f} (quartiles {low:.2f}, {median:.2f}, {high:.2f}), margin {s.margin:.2f}, "
        f"unanimous {s.unanimous:.2f}",
        f"agreement   two votes on a question {s.within:.3f}{beyond} at a lower temperature "
        f"{s.sharp_within:.3f}"
        + ("" if s.halves is None else f"; halves elect the same {s.halves:.2f}"),
        *([] if s.unreliability is None else [_unreliability_line(s.unreliability)]),
        f"answers     {s.distinct_answers:.1f} a question, distinct labels {s.distinct_labels:.2f}, without "
        f"an answer {s.no_answer:.2f}, cut {s.truncated:.2f}",
        f"tokens      {s.mean_tokens:.0f} a completion, entropy {s.entropy:.3f} nats each",
        "changes     "
        + (
            f"{s.ignored_numbers:.2f} of the answers stay as they were after one of {s.changes} changes of "
            "a number"
            if s.ignored_numbers is not None
            else "too few confident answers to questions with numbers"
        ),
        f"trial       {_trial_line(found.trial)}",
        f"memory      at most about {found.memory['total'] / 2**30:.2f} GiB for the run, besides Python "
        "and torch",
        f"cost        {_cost_line(found.cost)}",
    ]
    if found.label_accuracy is not None:
        lines.append(
            f"labels      {found.label_accuracy:.2f} of the pseudo-labels are right. This is read from the "
            "true answers, and the verdict does not know it."
        )
    lines += ["", f"verdict     {found.verdict.upper()}"]
    lines += [f"            {reason}" for reason in found.reasons]
    return lines + [f"try         {line}" for line in found.advice.lines]


def _unreliability_line(value: float) -> str:
    return f"redrawn     unreliability {value:.2f} of votes drawn again from these (1: nothing to learn)"


def _trial_line(trial: Trial) -> str:
    if trial.moved is None:
        return f"none: {trial.skipped}"
    assert trial.agreement is not None
    kept = (
        "no labels to keep" if trial.labels_kept is None else f"labels kept {trial.labels_kept:.2f}"
    )
    return (
        f"two updates at learning rate {trial.learning_rate:g}: {trial.moved:.4f} nats per token, agreement "
        f"{trial.agreement[0]:.3f} -> {trial.agreement[1]:.3f}, {kept}, "
        f"without an answer {trial.no_answer_after:.2f}"
    )


def _cost_line(cost: Cost) -> str:
    line = (
        f"this probe took {cost.probe_seconds:.1f} s and {cost.probe_tokens:,} tokens; the run it is about "
        f"takes about {cost.training_seconds:.0f} s of training, {cost.evaluation_seconds:.0f} s of "
        f"evaluation and {cost.training_tokens:,} tokens of training: {cost.share_of_run:.1%} of its time"
    )
    if cost.share_of_training is None or cost.share_of_tokens is None:
        return line
    return (
        f"{line}, {cost.share_of_training:.1%} of that of training, {cost.share_of_tokens:.1%} of the "
        "tokens"
    )
