import pytest

A = 0.5**0.5  # GRPO's, of rewards 1 and 0
# products 3/4 of three tokens and 2 of two: geometric means (3/4)^(1/3) and sqrt(2)
RATIOS = [[1.5, 1.0, 0.5], [0.5, 4.0]]
LOW, HIGH = 0.75 ** (1 / 3), 2**0.5


@pytest.fixture
def algorithm(make):
    return make("gspo")


def test_the_loss_by_hand(algorithm, fake_models, two, evaluate):
    samples, _ = algorithm.training_samples([two()], fake_models())
    found = evaluate(algorithm, samples, RATIOS)
    # neither is clipped: 0.909 may count down where A > 0, and 1.414 up where A < 0
    assert found.loss == pytest.approx(-(LOW - HIGH) * A / 2, abs=1e-5)
    # every token has its share of its completion's slope
    assert found.gradient[0] == pytest.approx([-LOW * A / 6] * 3, abs=1e-5)
    assert found.gradient[1] == pytest.approx([HIGH * A / 4] * 2, abs=1e-5)
    assert found.sums["train/clip_fraction"] == 0


def test_a_whole_completion_is_clipped_at_once(algorithm, fake_models, two, evaluate):
    samples, _ = algorithm.training_samples([two((0.0, 1.0))], fake_models())
    found = evaluate(algorithm, samples, RATIOS)
    # A < 0 with 0.909 counts 1 - 3e-4, A > 0 with 1.414 counts 1 + 4e-4
    assert found.loss == pytest.approx((0.9997 - 1.0004) * A / 2, abs=1e-5)
    assert found.gradient == [[0.0] * 3, [0.0] * 2]
    assert found.sums["train/clip_fraction"] == 5


def test_a_completion_within_the_range_counts_its_ratio(make, fake_models, two, evaluate):
    algorithm = make("gspo", clip_low=0.2, clip_high=0.5)
    samples, _ = algorithm.training_samples([two((0.0, 1.0))], fake_models())
    found = evaluate(algorithm, samples, RATIOS)
    assert found.loss == pytest.approx(-(HIGH - LOW) * A / 2, abs=1e-5)


def test_token_mean_weighs_completions_by_their_length(make, fake_models, two, evaluate):
    algorithm = make("gspo", loss_aggregation="token-mean")
    samples, _ = algorithm.training_samples([two()], fake_models())
    found = evaluate(algorithm, samples, RATIOS)
    assert found.loss == pytest.approx(-(3 * LOW - 2 * HIGH) * A / 5, abs=1e-5)
