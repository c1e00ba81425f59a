"""What the probe took and what the run will take, from the speeds that the probe measured."""

from __future__ import annotations

from dataclasses import dataclass

from ttrl.config import RunConfig
from ttrl.probe.signals import Signals
from ttrl.probe.trial import Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Without loading the model."""

    probe_seconds: float
    probe_completions: int
    """Sampled, and once more for each update that trained on it."""
    probe_tokens: int
    """Sampled."""
    training_completions: int
    """Votes that the run draws, as `training_tokens`."""
    training_tokens: int
    training_seconds: float
    """Votes and updates of the run."""
    evaluation_seconds: float
    """Of both evaluations of the run."""

    @property
    def share_of_run(self) -> float:
        """Of the run's seconds, evaluations included."""
        return self.probe_seconds / (self.training_seconds + self.evaluation_seconds)

    @property
    def share_of_training(self) -> float | None:
        """Of the seconds of training alone; None without a step."""
        return self.probe_seconds / self.training_seconds if self.training_seconds else None

    @property
    def share_of_tokens(self) -> float | None:
        """Sampled by the probe / sampled in training; None without a step."""
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
    """Time grows with the completions.

    An upper estimate where votes are adaptive, since all M are counted; refills are counted as if every
    round were full.

    Args:
        questions: to train on.
        evaluated: questions of all sets that the run evaluates on, twice.
        vote_seconds: that the probe's votes took.
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
