"""Forecasts from speeds, worked out by hand."""

import pytest

from ttrl.config import resolve
from ttrl.probing.result import forecast
from ttrl.probing.signals import Signals
from ttrl.probing.trial import Trial

SIGNALS = Signals(
    questions=10,
    votes_per_question=8,
    majority_ratio=0.5,
    majority_ratio_quartiles=(0.5, 0.5, 0.5),
    margin=0.3,
    unanimous=0.1,
    within=0.4,
    across=0.02,
    halves=0.7,
    unreliability=0.5,
    distinct_answers=5.0,
    distinct_labels=0.8,
    no_answer=0.0,
    truncated=0.0,
    entropy=0.1,
    mean_tokens=40.0,
    longest_tokens=50.0,
    distinct_completions=0.9,
    sharp_within=0.6,
    changes=40,
    ignored_numbers=0.0,
)
TRIAL = Trial(learning_rate=2e-4, moved=0.0, completions=40, update_seconds=2.0)


def cost(**given):
    settings = {"steps": "5", "questions_per_step": "4", "votes_per_question": "16",
                "trained_per_question": "8", "samples": "10", **given}  # fmt: skip
    return forecast(
        SIGNALS,
        TRIAL,
        resolve(settings, environment={}).values,
        questions=100,
        evaluated=30,
        vote_seconds=4.0,
        probe_seconds=3.0,
        probe_completions=200,
        probe_tokens=4000,
    )


def test_the_forecast_scales_what_was_measured() -> None:
    # 80 votes took 4 s: 0.05 s each. 5 x 4 x 16 = 320 votes; 160 trained at 2 s / 40; 2 x 30 x 10 evaluated
    found = cost()
    assert found.training_completions == 320 and found.training_tokens == 12_800
    assert found.training_seconds == pytest.approx(16 + 8)
    assert found.evaluation_seconds == pytest.approx(30)
    assert found.share_of_training == pytest.approx(3 / 24)
    assert found.share_of_run == pytest.approx(3 / 54)
    assert found.share_of_tokens == pytest.approx(4000 / 12_800)


def test_passes_and_refills_cost_what_they_repeat() -> None:
    assert cost(passes_per_step="3").training_seconds == pytest.approx(16 + 24)
    refilled = cost(algorithm="dapo", refill_rounds="1")
    assert refilled.training_completions == 640


def test_a_run_without_steps_has_no_shares() -> None:
    found = cost(steps="0")
    assert found.share_of_training is None and found.share_of_tokens is None
    assert found.share_of_run == pytest.approx(3 / 30)
