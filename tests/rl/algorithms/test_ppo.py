import pytest

RATIOS = [[1.5, 1.0, 0.5], [0.5, 4.0]]
VALUES = {(5, 6, 7): [0.5, 0.25, 0.5], (8, 9): [0.25, 0.5]}
# lambda 1/2, backwards: 1 - .5 = .5; .5 - .25 + .25 = .5; .25 - .5 + .25 = 0; and -.5; .5 - .25 - .25 = 0
# all tokens: mean .1, squares .7, variance .7 / 4
S = 0.175**0.5
WHITE = [[-0.1 / S, 0.4 / S, 0.4 / S], [-0.1 / S, -0.6 / S]]


@pytest.fixture
def algorithm(make):
    return make("ppo", gae_lambda=0.5)


@pytest.fixture
def samples(algorithm, fake_models, two):
    return algorithm.training_samples([two()], fake_models(critic=VALUES))[0]


def test_advantages_are_gae_whitened(samples):
    assert samples[0].advantages == pytest.approx(WHITE[0], abs=1e-6)
    assert samples[1].advantages == pytest.approx(WHITE[1], abs=1e-6)


def test_the_critic_learns_advantages_plus_values_before_whitening(samples):
    assert [s.values for s in samples] == [tuple(v) for v in VALUES.values()]
    assert [s.returns for s in samples] == [(0.5, 0.75, 1.0), (0.25, 0.0)]


def test_with_lambda_1_returns_are_the_reward(make, fake_models, two):
    samples, _ = make("ppo").training_samples([two()], fake_models(critic=VALUES))
    assert [s.returns for s in samples] == [(1.0,) * 3, (0.0,) * 2]


def test_the_loss_and_its_gradient_by_hand(algorithm, samples, evaluate):
    found = evaluate(algorithm, samples, RATIOS)
    # ratio times advantage: -.15 (A < 0: unclipped), .4, .2 and -.08 (0.5 counts 0.8), -2.4, over S
    assert found.loss == pytest.approx((0.15 - 0.4 - 0.2 + 0.08 + 2.4) / S / 5, abs=1e-5)
    expected = [0.15 / S / 5, -0.4 / S / 5, -0.2 / S / 5]
    assert found.gradient[0] == pytest.approx(expected, abs=1e-5)
    assert found.gradient[1] == pytest.approx([0, 2.4 / S / 5], abs=1e-5)


def test_a_kl_penalty_in_the_reward_reaches_returns_token_by_token(make, fake_models, two):
    algorithm = make("ppo", kl_coefficient=0.5, kl_in="reward", kl_estimator="k1")
    models = fake_models(
        critic=VALUES, reference={(5, 6, 7): [-1.4, -1.0, -0.8], (8, 9): [-1.0, -1.6]}
    )
    samples, _ = algorithm.training_samples([two()], models)
    # as in REINFORCE++: rewards -.2, 0, 1.1 and 0, -.3
    assert samples[0].returns == pytest.approx((0.9, 1.1, 1.1))
    assert samples[1].returns == pytest.approx((-0.3, -0.3))


def test_one_completion_of_a_question_is_enough(make, fake_models, completion, group):
    alone = [
        group([completion([5], id="a")], [1.0]),
        group([completion([6], id="b")], [0.0]),
    ]
    values = {(5,): [0.5], (6,): [0.5]}
    samples, _ = make("ppo").training_samples(alone, fake_models(critic=values))
    assert [s.advantages[0] for s in samples] == pytest.approx([0.5**0.5, -(0.5**0.5)])
