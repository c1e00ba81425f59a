import pytest

RATIOS = [[1.5, 1.0, 0.5], [0.5, 4.0]]


@pytest.fixture
def algorithm(make):
    return make("dr-grpo")


@pytest.fixture
def samples(algorithm, fake_models, two):
    return algorithm.training_samples([two()], fake_models())[0]


def test_advantages_are_centred_and_nothing_else(samples):
    assert [s.advantages for s in samples] == [(0.5,) * 3, (-0.5,) * 2]


def test_the_loss_is_divided_by_a_constant(algorithm, samples, evaluate):
    # 1.2 + 1 + 0.5 and -0.8 - 4, times 1/2, over 2 completions of 10 tokens at most
    expected = -(2.7 - 4.8) * 0.5 / (2 * 10)
    assert evaluate(algorithm, samples, RATIOS, longest=10).loss == pytest.approx(expected)
    assert evaluate(algorithm, samples, RATIOS, longest=40).loss == pytest.approx(expected / 4)


def test_the_gradient_by_hand(algorithm, samples, evaluate):
    found = evaluate(algorithm, samples, RATIOS)
    assert found.gradient[0] == pytest.approx([0, -0.5 / 20, -0.25 / 20])
    assert found.gradient[1] == pytest.approx([0, 2 / 20])


def test_a_length_does_not_change_the_weight_of_a_token(
    algorithm, fake_models, completion, group, evaluate
):
    def first_slope(length):
        drawn = group([completion([5, 6, 7]), completion([8] * length)], [1.0, 0.0])
        made, _ = algorithm.training_samples([drawn], fake_models())
        return evaluate(algorithm, made, [[1.0] * 3, [1.0] * length]).gradient[1][0]

    assert first_slope(1) == pytest.approx(first_slope(7)) == pytest.approx(0.5 / 20)
