import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttrl.rl.advantages import (
    generalized_advantages,
    group_advantages,
    leave_one_out,
    rewards_to_go,
    whitened,
)


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
    assert leave_one_out([1]) == (0,) and leave_one_out([0.1] * 7) == (0,) * 7


@given(st.lists(st.floats(0, 1), min_size=2, max_size=64), st.booleans())
def test_advantages_sum_to_zero(rewards, divide):
    advantages = group_advantages(rewards, divide_by_std=divide)
    assert math.fsum(advantages) == pytest.approx(0, abs=1e-6)


weighted = st.lists(st.tuples(st.floats(0, 1), st.integers(1, 9)), min_size=1, max_size=20)
RULES = {
    "grpo": lambda r, w: group_advantages(r, divide_by_std=True, weights=w),
    "dr-grpo": lambda r, w: group_advantages(r, divide_by_std=False, weights=w),
    "rloo": leave_one_out,
}


@pytest.mark.parametrize("rule", RULES)
@given(pairs=weighted)
def test_a_weight_is_as_many_equal_rewards(rule, pairs):
    rewards, weights = zip(*pairs, strict=True)
    folded = RULES[rule](rewards, [float(w) for w in weights])
    spread = [r for r, w in pairs for _ in range(w)]
    unfolded = RULES[rule](spread, [1.0] * len(spread))
    assert [a for a, w in zip(folded, weights, strict=True) for _ in range(w)] == pytest.approx(
        unfolded, abs=1e-9
    )
    total = math.fsum(a * w for a, w in zip(folded, weights, strict=True))
    assert total == pytest.approx(0, abs=1e-6)


def test_leave_one_out_by_hand_and_as_it_says():
    # 1 against the mean of 0, 0, 1/2; and so on
    assert leave_one_out([1, 0, 0, 0.5]) == pytest.approx((5 / 6, -0.5, -0.5, 1 / 6))
    assert leave_one_out([1, 0], [1, 3]) == pytest.approx((1, -1 / 3))


@given(st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_leave_one_out_is_the_difference_to_the_mean_of_the_others(rewards):
    others = [
        math.fsum(rewards[:i] + rewards[i + 1 :]) / (len(rewards) - 1) for i in range(len(rewards))
    ]
    expected = [r - o for r, o in zip(rewards, others, strict=True)]
    assert leave_one_out(rewards) == pytest.approx(expected, abs=1e-9)


def test_rewards_to_go_by_hand():
    assert rewards_to_go([1, 2, 4]) == (7, 6, 4)
    assert rewards_to_go([]) == ()


tokens = st.lists(st.tuples(st.floats(-2, 2), st.floats(-2, 2)), min_size=1, max_size=12)


def test_generalized_advantages_by_hand():
    # deltas from the end: 1 - 1/2, 1/4 halves further on ... V = 1/2, 1/4, 1/2 and reward 1 at the end
    assert generalized_advantages([0, 0, 1], [0.5, 0.25, 0.5], gae_lambda=0.5) == (0.0, 0.5, 0.5)
    assert generalized_advantages([0, 0, 1], [0.5, 0.25, 0.5], gae_lambda=1) == (0.5, 0.75, 0.5)
    assert generalized_advantages([0, 0, 1], [0.5, 0.25, 0.5], gae_lambda=0) == (-0.25, 0.25, 0.5)


@given(tokens, st.floats(0, 1))
def test_generalized_advantages_are_the_double_sum(pairs, gae_lambda):
    rewards, values = zip(*pairs, strict=True)
    padded = (*values, 0.0)
    expected = []
    for t in range(len(rewards)):
        total = 0.0
        for later in range(t, len(rewards)):
            delta = rewards[later] + padded[later + 1] - padded[later]
            total += gae_lambda ** (later - t) * delta
        expected.append(total)
    found = generalized_advantages(rewards, values, gae_lambda=gae_lambda)
    assert found == pytest.approx(expected, abs=1e-9)


@given(tokens)
def test_with_lambda_1_they_are_rewards_to_go_less_values(pairs):
    rewards, values = zip(*pairs, strict=True)
    expected = [g - v for g, v in zip(rewards_to_go(rewards), values, strict=True)]
    found = generalized_advantages(rewards, values, gae_lambda=1.0)
    assert found == pytest.approx(expected, abs=1e-9)


def test_whitening_by_hand():
    # mean 0.1, squares .01 + .16 + .16 + .01 + .36 = 0.7, variance 0.7 / 4
    found = whitened([(0.0, 0.5, 0.5), (0.0, -0.5)], [1.0, 1.0])
    scale = 0.175**0.5
    assert found[0] == pytest.approx([-0.1 / scale, 0.4 / scale, 0.4 / scale])
    assert found[1] == pytest.approx([-0.1 / scale, -0.6 / scale])


rows = st.lists(
    st.tuples(st.lists(st.floats(-2, 2), min_size=1, max_size=6), st.integers(1, 5)),
    min_size=1,
    max_size=8,
)


@given(rows)
def test_whitened_tokens_have_mean_0_and_variance_1_with_their_weights(pairs):
    advantages, weights = zip(*pairs, strict=True)
    found = whitened(advantages, [float(w) for w in weights])
    every = [x for row, w in zip(found, weights, strict=True) for x in row for _ in range(w)]
    before = [x for row, w in pairs for x in row for _ in range(w)]
    assert math.fsum(every) / len(every) == pytest.approx(0, abs=1e-6)
    if max(before) - min(before) > 1e-3:
        variance = math.fsum(x * x for x in every) / (len(every) - 1)
        assert variance == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, -0.3])
def test_equal_or_single_tokens_whiten_to_exactly_0(value):
    assert whitened([(value,) * 3, (value,) * 4], [1.0, 3.0]) == [(0.0,) * 3, (0.0,) * 4]
    assert whitened([(value,)], [1.0]) == [(0.0,)]


def test_nothing_whitens_to_nothing():
    assert whitened([], []) == []
