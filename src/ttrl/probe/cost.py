"""What the probe took and what the run will take, from the speeds that the probe measured."""

from __future__ import annotations

from dataclasses import dataclass

from ttrl.config import RunConfig
from ttrl.probe.signals import Signals
from ttrl.probe.trial import Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Without loading the model. The run is its training: its two evaluations are told apart."""

    probe_seconds: float
    probe_completions: int
    """Sampled, and once more for each update that trained on it."""
    probe_tokens: int
    """Sampled."""
    run_completions: int
    run_tokens: int
    sampling_seconds: float
    """Of the run, as `updating_seconds`."""
    updating_seconds: float
    evaluation_seconds: float

    @property
    def share_of_seconds(self) -> float | None:
        """Of the training alone."""
        whole = self.sampling_seconds + self.updating_seconds
        return self.probe_seconds / whole if whole else None

    @property
    def share_of_tokens(self) -> float | None:
        """Sampled by the probe / sampled in training."""
        return self.probe_tokens / self.run_tokens if self.run_tokens else None


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
        run_completions=completions,
        run_tokens=round(completions * signals.mean_tokens),
        sampling_seconds=completions * each,
        updating_seconds=trained * per_trained,
        evaluation_seconds=2 * evaluated * config.samples * each,
    )
