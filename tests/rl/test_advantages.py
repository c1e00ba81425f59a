import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttrl.rl.advantages import group_advantages


def test_by_hand_with_the_unbiased_deviation():
    # mean 1/4, deviations 3/4 and -1/4, variance (9 + 3) / 16 / 3 = 1/4
    advantages = group_advantages([1, 0, 0, 0], divide_by_std=True, eps=0)
    assert advantages == pytest.approx((1.5, -0.5, -0.5, -0.5))


def test_dr_grpo_only_centres():
    assert group_advantages([1, 0, 0, 0], divide_by_std=False) == (0.75, -0.25, -0.25, -0.25)


def test_equal_rewards_and_single_completions_give_exactly_nothing():
    assert group_advantages([1, 1, 1], divide_by_std=True) == (0, 0, 0)
    assert group_advantages([0.1] * 7, divide_by_std=False) == (0,) * 7
    assert group_advantages([1], divide_by_std=True) == (0,)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=64), st.booleans())
def test_advantages_sum_to_zero(rewards, divide):
    advantages = group_advantages(rewards, divide_by_std=divide)
    assert math.fsum(advantages) == pytest.approx(0, abs=1e-6)
