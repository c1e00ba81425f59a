import pytest

# products: 3/4 and 2
RATIOS = [[1.5, 1.0, 0.5], [0.5, 4.0]]


@pytest.fixture
def algorithm(make):
    return make("rloo")


def test_advantages_are_the_difference_to_the_others(
    algorithm, fake_models, two, completion, group
):
    samples, _ = algorithm.training_samples([two()], fake_models())
    assert [s.advantages for s in samples] == [(1.0,) * 3, (-1.0,) * 2]
    drawn = [completion([t]) for t in (5, 6, 5, 7)]
    samples, _ = algorithm.training_samples([group(drawn, [1, 0, 1, 1])], fake_models())
    found = [s.advantages[0] for s in samples]
    assert found == pytest.approx([1 / 3, -1, 1 / 3])  # 1 - 2/3, 0 - 1, 1 - 2/3


def test_the_loss_by_hand(algorithm, fake_models, two, evaluate):
    samples, _ = algorithm.training_samples([two()], fake_models())
    found = evaluate(algorithm, samples, RATIOS)
    # A = 1: 0.75 counts; A = -1: 2 counts; the mean of two completions
    assert found.loss == pytest.approx(-(0.75 - 2) / 2)
    # each token moves its completion's whole ratio
    assert found.gradient[0] == pytest.approx([-0.75 / 2] * 3)
    assert found.gradient[1] == pytest.approx([2 / 2] * 2)


def test_a_whole_completion_is_clipped_at_once(algorithm, fake_models, two, evaluate):
    samples, _ = algorithm.training_samples([two((0.0, 1.0))], fake_models())
    found = evaluate(algorithm, samples, RATIOS)
    # A = -1: 0.75 counts 0.8; A = 1: 2 counts 1.2
    assert found.loss == pytest.approx(-(1.2 - 0.8) / 2)
    assert found.gradient == [[0.0] * 3, [0.0] * 2]


def test_on_policy_the_gradient_is_that_of_reinforce(algorithm, fake_models, two, evaluate):
    samples, _ = algorithm.training_samples([two()], fake_models())
    found = evaluate(algorithm, samples, [[1.0] * 3, [1.0] * 2])
    # minus the advantage for every token, over the number of completions, whatever their lengths
    assert found.gradient == [[-0.5] * 3, [0.5] * 2]
