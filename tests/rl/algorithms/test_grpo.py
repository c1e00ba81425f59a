import pytest

# rewards 1 and 0: mean 1/2, unbiased variance 1/2, so advantages of 1/sqrt(2) and minus that
A = 0.5**0.5
RATIOS = [[1.5, 1.0, 0.5], [0.5, 4.0]]


def advantages(samples):
    return [s.advantages for s in samples]


def test_advantages_by_hand(make, fake_models, two):
    samples, metrics = make("grpo").training_samples([two()], fake_models())
    assert advantages(samples) == [
        pytest.approx([A] * 3, abs=1e-5),
        pytest.approx([-A] * 2, abs=1e-5),
    ]
    assert metrics == {}


def test_weights_count_in_mean_and_deviation(make, fake_models, completion, group):
    # rewards 1 0 1 1: mean 3/4, std 1/2
    drawn = [completion([t]) for t in (5, 6, 5, 7)]
    samples, _ = make("grpo").training_samples([group(drawn, [1, 0, 1, 1])], fake_models())
    assert [(s.weight, *s.advantages) for s in samples] == [
        (2, pytest.approx(0.5, abs=1e-5)),
        (1, pytest.approx(-1.5, abs=1e-5)),
        (1, pytest.approx(0.5, abs=1e-5)),
    ]


# agreeing completion: 1.2 + 1 + 0.5 times A; the other: -0.8 - 4 times A
@pytest.mark.parametrize(
    ("aggregation", "expected"),
    [
        ("token-mean", -(2.7 - 4.8) * A / 5),
        ("sequence-mean", -(2.7 / 3 - 4.8 / 2) * A / 2),
        ("constant", -(2.7 - 4.8) * A / (2 * 10)),
    ],
)
def test_the_loss_by_hand_in_each_aggregation(
    make, fake_models, two, evaluate, aggregation, expected
):
    algorithm = make("grpo", loss_aggregation=aggregation)
    samples, _ = algorithm.training_samples([two()], fake_models())
    found = evaluate(algorithm, samples, RATIOS)
    assert found.loss == pytest.approx(expected, abs=1e-5)
    assert found.sums == {"train/clip_fraction": 2}  # 1.5 where A > 0 and 0.5 where A < 0


def test_the_gradient_by_hand(make, fake_models, two, evaluate):
    algorithm = make("grpo")
    samples, _ = algorithm.training_samples([two()], fake_models())
    found = evaluate(algorithm, samples, RATIOS)
    # minus ratio times advantage over 5 tokens; 0 where it is clipped
    assert found.gradient[0] == pytest.approx([0, -A / 5, -0.5 * A / 5], abs=1e-5)
    assert found.gradient[1] == pytest.approx([0, 4 * A / 5], abs=1e-5)


def test_on_policy_the_loss_is_minus_the_mean_advantage_per_token(
    make, fake_models, completion, group, evaluate
):
    algorithm = make("grpo")
    drawn = [completion([*range(9), t]) for t in (7, 8)] + [completion(range(11))]
    samples, _ = algorithm.training_samples([group(drawn, [1, 1, 0])], fake_models())
    found = evaluate(algorithm, samples, [[1.0] * 10, [1.0] * 10, [1.0] * 11])
    # advantages 1/sqrt(3), twice, and -2/sqrt(3), for 10, 10 and 11 tokens
    a = 1 / 3**0.5
    assert found.loss == pytest.approx(-(20 * a - 11 * 2 * a) / 31, abs=1e-5)
    assert found.sums["train/clip_fraction"] == 0


def test_groups_without_variance_have_no_advantage_and_count_in_the_mean(
    make, fake_models, completion, group, two, evaluate
):
    algorithm = make("grpo")
    silent = group([completion([3] * 5, id="r")], [1.0])
    samples, _ = algorithm.training_samples([two(), silent], fake_models())
    assert advantages(samples)[2] == (0.0,) * 5
    found = evaluate(algorithm, samples, [*RATIOS, [1.3] * 5])
    assert found.loss == pytest.approx(-(2.7 - 4.8) * A / 10, abs=1e-5)
    assert found.gradient[2] == [0.0] * 5


def test_groups_that_the_rule_left_out_are_left_out(make, fake_models, completion, group, two):
    dropped = group(
        [completion([3], id="r"), completion([4], id="r")], [1.0, 0.0], skipped="too even"
    )
    samples, _ = make("grpo").training_samples([dropped, two()], fake_models())
    assert [s.completion.question_id for s in samples] == ["q", "q"]
    assert make("grpo").training_samples([dropped], fake_models()) == ([], {})
