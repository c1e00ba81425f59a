import pytest

A = 0.5**0.5  # GRPO's, of rewards 1 and 0
RATIOS = [[1.5, 1.0, 0.5], [0.5, 4.0]]


@pytest.mark.parametrize(
    ("aggregation", "expected"),
    [
        ("token-mean", -(2.78 - 4.8) * A / 5),
        ("sequence-mean", -(2.78 / 3 - 4.8 / 2) * A / 2),
        ("constant", -(2.78 - 4.8) * A / 20),
    ],
)
def test_the_upper_clip_is_higher_than_the_lower(
    make, fake_models, two, evaluate, aggregation, expected
):
    algorithm = make("dapo", loss_aggregation=aggregation)
    samples, _ = algorithm.training_samples([two()], fake_models())
    # 1.28 + 1 + 0.5 and -0.8 - 4
    assert evaluate(algorithm, samples, RATIOS).loss == pytest.approx(expected, abs=1e-5)
    assert make("dapo").loss_aggregation == "token-mean"


def test_the_gradient_by_hand(make, fake_models, two, evaluate):
    algorithm = make("dapo")
    samples, _ = algorithm.training_samples([two()], fake_models())
    found = evaluate(algorithm, samples, [[1.25, 1.3, 0.5], [0.5, 4.0]])
    assert found.gradient[0] == pytest.approx([-1.25 * A / 5, 0, -0.5 * A / 5], abs=1e-5)
    assert found.gradient[1] == pytest.approx([0, 4 * A / 5], abs=1e-5)


def test_questions_that_teach_nothing_leave_the_denominator_too(
    make, fake_models, completion, group, two, evaluate
):
    algorithm = make("dapo")
    agreed = group([completion([3, t], id="r") for t in (1, 2, 1)], [1.0] * 3)
    samples, _ = algorithm.training_samples([agreed, two(), agreed], fake_models())
    assert [s.completion.question_id for s in samples] == ["q", "q"]
    found = evaluate(algorithm, samples, RATIOS)
    assert found.loss == pytest.approx(-(2.78 - 4.8) * A / 5, abs=1e-5)
    assert algorithm.training_samples([agreed], fake_models()) == ([], {})
