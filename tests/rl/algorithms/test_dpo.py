import math
from dataclasses import replace

import pytest
import torch

# three tokens and two; log(pi / pi_ref) of the whole: 0.6 and -0.4
OWN = {(5, 6, 7): [-1.0, -0.5, -0.4], (8, 9): [-1.5, -1.0]}
BASE = {(5, 6, 7): [-1.0, -1.0, -0.5], (8, 9): [-1.0, -1.1]}


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


@pytest.fixture
def models(fake_models):
    return fake_models(own=OWN, reference=BASE)


def prepared(algorithm, groups, models):
    samples, _ = algorithm.training_samples(groups, models)
    return algorithm.prepare(samples, models)


# margins: .5 (0.6 + 0.4) = .5; .5 (0.2 + 0.2) = .2; and 0.2 + 0.2 - 1 / (2 x .5) = -.6
@pytest.mark.parametrize(
    ("kind", "loss", "advantages"),
    [
        ("sigmoid", math.log(1 + math.exp(-0.5)), [0.5 * sigmoid(-0.5)] * 2),
        (
            "sigmoid-norm",
            math.log(1 + math.exp(-0.2)),
            [0.5 * sigmoid(-0.2) / 3, 0.5 * sigmoid(-0.2) / 2],
        ),
        ("ipo", 0.36, [2 * 0.6 / 3, 2 * 0.6 / 2]),
    ],
)
def test_one_pair_by_hand(make, models, two, kind, loss, advantages):
    samples, metrics = prepared(make("dpo", dpo_beta=0.5, dpo_loss=kind), [two()], models)
    assert metrics == {"train/dpo_loss": pytest.approx(loss), "train/dpo_accuracy": 1.0}
    up, down = advantages
    assert samples[0].advantages == pytest.approx((up,) * 3)
    assert samples[1].advantages == pytest.approx((-down,) * 2)


def test_label_smoothing_by_hand(make, models, two):
    algorithm = make("dpo", dpo_beta=0.5, dpo_label_smoothing=0.1)
    samples, metrics = prepared(algorithm, [two()], models)
    loss = 0.9 * math.log(1 + math.exp(-0.5)) + 0.1 * math.log(1 + math.exp(0.5))
    assert metrics["train/dpo_loss"] == pytest.approx(loss)
    slope = 0.5 * (0.9 * sigmoid(-0.5) - 0.1 * sigmoid(0.5))
    assert samples[0].advantages == pytest.approx((slope,) * 3)


def test_the_preferred_one_is_the_one_with_the_larger_reward(make, models, two):
    samples, metrics = prepared(make("dpo", dpo_beta=0.5), [two((0.25, 0.5))], models)
    assert metrics["train/dpo_loss"] == pytest.approx(math.log(1 + math.exp(0.5)))
    assert metrics["train/dpo_accuracy"] == 0.0
    assert samples[0].advantages == pytest.approx((-0.5 * sigmoid(0.5),) * 3)


def test_the_loss_over_tokens_is_linear_with_the_slopes_of_the_pairs(make, models, two, evaluate):
    algorithm = make("dpo", dpo_beta=0.5)
    samples, _ = prepared(algorithm, [two()], models)
    found = evaluate(algorithm, samples, logprobs=list(OWN.values()))
    slope = 0.5 * sigmoid(-0.5)
    assert found.gradient[0] == pytest.approx([-slope] * 3)
    assert found.gradient[1] == pytest.approx([slope] * 2)
    assert found.loss == pytest.approx(-slope * (-1.9 + 2.5))


def test_pairs_are_averaged_in_a_question_and_then_over_questions(
    make, fake_models, completion, group, evaluate
):
    """Two pairs of weights 2 and 1 in one question, one pair in the other."""
    a, b, c = completion([5]), completion([6]), completion([7])
    first = group([a, a, b, c], [1.0, 1.0, 1.0, 0.0])
    second = group([completion([8], id="r"), completion([9], id="r")], [1.0, 0.0])
    scores = {(5,): 0.5, (6,): -0.25, (7,): 0.25, (8,): 0.0, (9,): 0.0}
    models = fake_models(
        own={k: [v - 1] for k, v in scores.items()}, reference={k: [-1.0] for k in scores}
    )
    algorithm = make("dpo", dpo_beta=1.0)
    samples, metrics = prepared(algorithm, [first, second], models)
    l1, l2 = math.log(1 + math.exp(-0.25)), math.log(1 + math.exp(0.5))
    assert metrics["train/dpo_loss"] == pytest.approx(((2 * l1 + l2) / 3 + math.log(2)) / 2)
    assert metrics["train/dpo_accuracy"] == pytest.approx((2 / 3 + 1 / 2) / 2)  # a tie
    found = evaluate(algorithm, samples, logprobs=[[v - 1] for v in scores.values()])
    s1, s2 = sigmoid(-0.25), sigmoid(0.5)
    expected = [-s1 / 3, -s2 / 6, s1 / 3 + s2 / 6, -0.25, 0.25]
    assert [g for (g,) in found.gradient] == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["sigmoid", "sigmoid-norm", "ipo"])
def test_the_gradient_is_that_of_the_loss_over_unfolded_pairs(
    make, fake_models, completion, group, evaluate, kind
):
    torch.manual_seed(0)
    tokens = [(5, 6), (7,), (8, 8, 8), (9, 5, 9)]
    drawn = [completion(tokens[i]) for i in (0, 0, 1, 2, 2, 2, 3)]
    rewards = [1, 1, 0.5, 0, 0, 0, 0.5]
    own = {t: torch.randn(len(t)).tolist() for t in tokens}
    models = fake_models(own=own, reference={t: torch.randn(len(t)).tolist() for t in tokens})
    algorithm = make("dpo", dpo_beta=0.7, dpo_loss=kind)
    samples, metrics = prepared(algorithm, [group(drawn, rewards)], models)
    leaves = {t: torch.tensor(own[t], dtype=torch.float64, requires_grad=True) for t in tokens}
    losses = []
    for won, better in zip(drawn, rewards, strict=True):
        for lost, worse in zip(drawn, rewards, strict=True):
            if better > worse:
                margin = 0.0
                for c, sign in ((won, 1), (lost, -1)):
                    score = (
                        leaves[c.token_ids] - torch.tensor(models.reference[c.token_ids])
                    ).sum()
                    margin = margin + sign * score / (1 if kind == "sigmoid" else len(c.token_ids))
                squared = (margin - 1 / 1.4) ** 2
                losses.append(squared if kind == "ipo" else torch.log1p(torch.exp(-0.7 * margin)))
    expected = torch.stack(losses).mean()
    expected.backward()
    assert metrics["train/dpo_loss"] == pytest.approx(expected.item(), abs=1e-6)
    found = evaluate(algorithm, samples, logprobs=[own[s.completion.token_ids] for s in samples])
    for sample, gradient in zip(samples, found.gradient, strict=True):
        assert gradient == pytest.approx(
            leaves[sample.completion.token_ids].grad.tolist(), abs=1e-6
        )


def test_slopes_sum_to_zero_in_a_question(make, fake_models, completion, group):
    drawn = [completion([t]) for t in (5, 6, 5, 7)]
    models = fake_models(
        own={(t,): [-0.3 * t] for t in (5, 6, 7)}, reference={(t,): [-1.0] for t in (5, 6, 7)}
    )
    samples, _ = prepared(make("dpo"), [group(drawn, [1, 0, 1, 0.5])], models)
    assert math.fsum(s.weight * s.advantages[0] for s in samples) == pytest.approx(0, abs=1e-12)


def test_questions_without_pairs_give_nothing(make, models, two, completion, group):
    algorithm = make("dpo")
    skipped = replace(two(), skipped="even")
    assert algorithm.training_samples([two((1.0, 1.0)), skipped], models) == ([], {})
    # what was worse may have been left out since
    samples, _ = algorithm.training_samples([two()], models)
    assert algorithm.prepare(samples[:1], models) == ([], {})
