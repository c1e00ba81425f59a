"""When a recorded run counts as having lost accuracy, and which runs are made."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "recipes"))

from guard_cases import PLANTED, cases
from guard_table import wilson
from guard_truth import lost_after, peak


def looks(*values):
    return [(2 * i, value) for i, value in enumerate(values)]


def test_the_step_of_a_loss_is_interpolated():
    # the peak is 0.6, the limit 0.55: half of the way from 0.6 (step 4) to 0.5 (step 6)
    assert lost_after(looks(0.6, 0.6, 0.6, 0.5, 0.4, 0.3)) == pytest.approx(5.0)


def test_a_run_that_rises_or_only_wavers_loses_nothing():
    assert lost_after(looks(0.5, 0.6, 0.7, 0.8)) is None
    assert lost_after(looks(0.6, 0.6, 0.6, 0.5, 0.62, 0.6)) is None


def test_one_high_look_is_no_peak():
    assert peak([0.5, 0.5, 0.8, 0.5]) == pytest.approx(0.6)
    assert lost_after(looks(0.5, 0.5, 0.6, 0.5, 0.5, 0.5)) is None


def test_shares_have_their_interval():
    assert wilson(10, 10) == "10 of 10 (72–100 %)"
    assert wilson(0, 0) == "–"


def test_every_kind_and_base_comes_early():
    made = cases(range(10), healthy=range(60), bases=(0, 1, 2, 3))
    assert len(made) == 10 * len(PLANTED) + 60 and len({case.name for case in made}) == len(made)
    assert {case.kind for case in made[:20]} == {*PLANTED, "healthy"}
    assert {case.base for case in made[:20]} == {0, 1, 2, 3}
