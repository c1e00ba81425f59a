"""Compares the cost of the probe with a forecast of the run's, from the speeds that the probe measured."""

from __future__ import annotations

from dataclasses import dataclass

from ttrl.config import RunConfig
from ttrl.probing.signals import Signals
from ttrl.probing.trial import Trial


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
