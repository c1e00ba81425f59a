import math

import pytest

RATIOS = [[1.5, 1.0, 0.5], [0.5, 4.0]]
# tokens' returns 1 1 1 and 0 0: mean 3/5, squares 3 x .16 + 2 x .36 = 1.2, variance 1.2 / 4
S = 0.3**0.5
UP, DOWN = 0.4 / S, -0.6 / S


@pytest.fixture
def algorithm(make):
    return make("reinforce++")


def test_advantages_by_hand(algorithm, fake_models, two):
    samples, _ = algorithm.training_samples([two()], fake_models())
    assert samples[0].advantages == pytest.approx((UP,) * 3, abs=1e-6)
    assert samples[1].advantages == pytest.approx((DOWN,) * 2, abs=1e-6)


def test_the_loss_and_its_gradient_by_hand(algorithm, fake_models, two, evaluate):
    samples, _ = algorithm.training_samples([two()], fake_models())
    found = evaluate(algorithm, samples, RATIOS)
    assert found.loss == pytest.approx(-(2.7 * UP + 4.8 * DOWN) / 5, abs=1e-6)
    assert found.gradient[0] == pytest.approx([0, -UP / 5, -0.5 * UP / 5], abs=1e-6)
    assert found.gradient[1] == pytest.approx([0, -4 * DOWN / 5], abs=1e-6)


def test_the_kl_penalty_stands_on_its_own_token_and_counts_before_it(make, fake_models, two):
    algorithm = make("reinforce++", kl_coefficient=0.5, kl_in="reward", kl_estimator="k1")
    # the sampler's log-probabilities are -1: k1 = 0.4, 0, -0.2 and 0, 0.6
    base = {(5, 6, 7): [-1.4, -1.0, -0.8], (8, 9): [-1.0, -1.6]}
    samples, _ = algorithm.training_samples([two()], fake_models(reference=base))
    # rewards -.2, 0, .1 + 1 and 0, -.3; to go .9, 1.1, 1.1 and -.3, -.3: mean .5, squares 2.16
    s = (2.16 / 4) ** 0.5
    assert samples[0].advantages == pytest.approx((0.4 / s, 0.6 / s, 0.6 / s), abs=1e-5)
    assert samples[1].advantages == pytest.approx((-0.8 / s,) * 2, abs=1e-5)


def test_whole_questions_are_pushed_where_all_agree(algorithm, fake_models, completion, group):
    agreed = group([completion([5], id="a"), completion([6], id="a")], [1.0, 1.0])
    split = group([completion([7], id="b"), completion([8], id="b")], [0.0, 0.0])
    samples, _ = algorithm.training_samples([agreed, split], fake_models())
    # 1 1 0 0: mean 1/2, variance 1/3
    assert [s.advantages[0] for s in samples] == pytest.approx([0.75**0.5] * 2 + [-(0.75**0.5)] * 2)


def test_advantages_sum_to_zero_over_the_tokens(algorithm, fake_models, completion, group):
    drawn = [completion([t] * n) for t, n in ((5, 3), (6, 1), (5, 3), (7, 6))]
    samples, _ = algorithm.training_samples([group(drawn, [1, 0.25, 1, 0])], fake_models())
    assert [s.weight for s in samples] == [2, 1, 1]
    assert math.fsum(s.weight * a for s in samples for a in s.advantages) == pytest.approx(
        0, abs=1e-9
    )


def test_with_no_group_left_there_are_no_samples(algorithm, fake_models, two):
    from dataclasses import replace

    assert algorithm.training_samples([replace(two(), skipped="even")], fake_models()) == ([], {})
