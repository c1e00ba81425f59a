import pytest

from ttrl.rl.algorithms.prime import process_advantages

RATIOS = [[1.5, 1.0, 0.5], [0.5, 4.0]]
# means per token 0.2 and -0.2
IMPLICIT = {(5, 6, 7): [0.3, 0.1, 0.2], (8, 9): [-0.1, -0.3]}
# less the other's mean: .5 .3 .4 and -.3 -.5; to go 1.2 .7 .4 and -.8 -.5; and outcomes of 1 and -1
ADVANTAGES = [[2.2, 1.7, 1.4], [-1.8, -1.5]]


@pytest.fixture
def algorithm(make):
    return make("prime")


@pytest.fixture
def models(fake_models):
    return fake_models(implicit=IMPLICIT)


def test_advantages_by_hand(algorithm, models, two):
    samples, metrics = algorithm.training_samples([two()], models)
    assert samples[0].advantages == pytest.approx(ADVANTAGES[0])
    assert samples[1].advantages == pytest.approx(ADVANTAGES[1])
    assert metrics == {"train/prime_loss": 0.5}


def test_the_implicit_reward_model_learns_once_from_all_samples(algorithm, models, two):
    algorithm.training_samples([two()], models)
    assert [(s.completion.token_ids, s.reward) for s in models.learned] == [
        ((5, 6, 7), 1.0),
        ((8, 9), 0.0),
    ]


def test_the_loss_and_its_gradient_by_hand(algorithm, models, two, evaluate):
    samples, _ = algorithm.training_samples([two()], models)
    found = evaluate(algorithm, samples, RATIOS)
    # 1.2, 1 and .5 times 2.2, 1.7 and 1.4; .8 and 4 times -1.8 and -1.5
    assert found.loss == pytest.approx(-(2.64 + 1.7 + 0.7 - 1.44 - 6.0) / 5, abs=1e-5)
    assert found.gradient[0] == pytest.approx([0, -1.7 / 5, -0.7 / 5], abs=1e-5)
    assert found.gradient[1] == pytest.approx([0, 6.0 / 5], abs=1e-5)


def test_equal_completions_are_each_others_others():
    folded = process_advantages([(0.3, 0.1), (0.0, -0.4)], [3.0, 1.0])
    whole = process_advantages([(0.3, 0.1)] * 3 + [(0.0, -0.4)], [1.0] * 4)
    assert folded[0] == pytest.approx(whole[0]) and folded[1] == pytest.approx(whole[3])
    # means .2 .2 .2 -.2: the first's others have (.2 + .2 - .2) / 3, the last's .2
    assert folded[0] == pytest.approx((0.4 - 2 * 0.2 / 3, 0.1 - 0.2 / 3))
    assert folded[1] == pytest.approx((-0.8, -0.6))


def test_a_completion_alone_has_nothing_to_be_compared_with():
    assert process_advantages([(0.3, 0.1)], [1.0]) == [(0.0, 0.0)]


def test_a_kl_penalty_counts_in_the_outcome(make, fake_models, two):
    algorithm = make("prime", kl_coefficient=0.5, kl_in="reward", kl_estimator="k1")
    models = fake_models(
        implicit=IMPLICIT, reference={(5, 6, 7): [-1.4, -1.0, -0.8], (8, 9): [-1.0, -1.6]}
    )
    samples, _ = algorithm.training_samples([two()], models)
    # outcomes 1 - .1 and 0 - .3: 1.2 apart
    assert samples[0].advantages == pytest.approx((2.4, 1.9, 1.6), abs=1e-6)
    assert samples[1].advantages == pytest.approx((-2.0, -1.7), abs=1e-6)
