import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ttrl.rl.batch import micro_batches
from ttrl.rl.losses import clipped_surrogate, kl, log_ratios, token_shares, value_loss
from ttrl.types import TrainingSample

LOG = torch.tensor([[1.0, 1.5, 0.5], [1.0, 1.5, 0.5]]).log()
ADVANTAGES = torch.tensor([[2.0] * 3, [-1.0] * 3])


def test_clipping_by_hand_on_two_completions_of_three_tokens():
    loss, clipped = clipped_surrogate(LOG, ADVANTAGES, low=0.2, high=0.2)
    # A = 2: ratios count up to 1.2; A = -1: ratios count down to 0.8
    torch.testing.assert_close(loss, torch.tensor([[-2.0, -2.4, -1.0], [1.0, 1.5, 0.8]]))
    assert clipped.tolist() == [[False, True, False], [False, False, True]]


def test_each_side_has_its_own_clip():
    loss, clipped = clipped_surrogate(LOG, ADVANTAGES, low=0.6, high=0.28)
    torch.testing.assert_close(loss, torch.tensor([[-2.0, -2.56, -1.0], [1.0, 1.5, 0.5]]))
    assert clipped.tolist() == [[False, True, False], [False, False, False]]


def test_a_clipped_token_has_no_gradient():
    new = torch.log(torch.tensor([[1.5, 1.0]])).requires_grad_()
    loss, _ = clipped_surrogate(new, torch.tensor([[1.0, 1.0]]), low=0.2, high=0.2)
    loss.sum().backward()
    assert new.grad.tolist() == [[0.0, -1.0]]


def test_dual_clip_bounds_the_loss_where_the_advantage_is_negative_and_only_there():
    log_ratio = torch.tensor([[0.5, 2.0, 7.0], [0.5, 2.0, 7.0]]).log().requires_grad_()
    advantages = torch.tensor([[-2.0] * 3, [2.0] * 3])
    loss, clipped = clipped_surrogate(log_ratio, advantages, low=0.2, high=0.2, dual=3.0)
    # A = -2: 0.8, 2 and 3 (of 7) times 2; A = 2: 0.5, 1.2 and 1.2 times -2
    torch.testing.assert_close(loss, torch.tensor([[1.6, 4.0, 6.0], [-1.0, -2.4, -2.4]]))
    assert clipped.tolist() == [[True, False, True], [False, True, True]]
    loss.sum().backward()
    torch.testing.assert_close(log_ratio.grad, torch.tensor([[0.0, 4.0, 0.0], [-1.0, 0.0, 0.0]]))


def test_ratios_of_tokens_and_of_whole_completions_by_hand():
    mask = torch.tensor([[1.0, 1.0, 1.0], [1.0, 1.0, 0.0]])
    new = torch.log(torch.tensor([[0.2, 0.9, 0.6], [0.5, 0.8, 0.9]]))
    old = torch.log(torch.tensor([[0.1, 0.9, 0.6], [0.1, 0.4, 0.1]]))
    token = log_ratios(new, old, mask, "token").exp()
    torch.testing.assert_close(token, torch.tensor([[2.0, 1.0, 1.0], [5.0, 2.0, 1.0]]))
    total = log_ratios(new, old, mask, "sequence-sum").exp()
    torch.testing.assert_close(total, torch.tensor([[2.0] * 3, [10.0] * 3]))
    mean = log_ratios(new, old, mask, "sequence-mean").exp()
    torch.testing.assert_close(mean, torch.tensor([[2 ** (1 / 3)] * 3, [10**0.5] * 3]))


def test_the_value_loss_by_hand():
    old, returns = torch.tensor([0.0, 0.0, 0.0]), torch.tensor([1.0, 1.0, 1.0])
    values = torch.tensor([0.25, 0.75, -0.75], requires_grad=True)
    free = value_loss(values, old, returns, clip=0.0)
    assert free.tolist() == [0.5625 / 2, 0.0625 / 2, 3.0625 / 2]
    clipped = value_loss(values, old, returns, clip=0.5)
    # 0.75 counts as 0.5 only, with an error of 0.5; -0.75 is worse than -0.5, so it counts itself
    assert clipped.tolist() == [0.5625 / 2, 0.25 / 2, 3.0625 / 2]
    clipped.sum().backward()
    assert values.grad.tolist() == [-0.75, 0.0, -1.75]


@pytest.mark.parametrize(("advantage", "dual", "expected"), [(1.0, 0.0, -1.2), (-1.0, 3.0, 3.0)])
def test_a_ratio_that_overflows_is_clipped_with_a_gradient_of_0(advantage, dual, expected):
    """Of a whole completion, say: exp(89) is infinite in float32, and 0 times infinity is not 0."""
    huge = torch.tensor([[200.0]], requires_grad=True)
    loss, _ = clipped_surrogate(huge, torch.tensor([[advantage]]), low=0.2, high=0.2, dual=dual)
    loss.sum().backward()
    assert loss.item() == pytest.approx(expected) and huge.grad.item() == 0


def test_an_unbounded_loss_stays_finite():
    huge = torch.tensor([[200.0]], requires_grad=True)
    loss, _ = clipped_surrogate(huge, torch.tensor([[-1.0]]), low=0.2, high=0.2)
    loss.sum().backward()
    assert math.isfinite(loss.item()) and math.isfinite(huge.grad.item())


OWN = torch.log(torch.tensor([[0.5, 0.25, 0.2]]))
BASE = torch.log(torch.tensor([[0.25, 0.25, 0.8]]))
TWO = math.log(2)


def test_the_three_estimators_by_hand():
    # log pi_ref - log pi: -log 2, 0, log 4
    assert kl(OWN, BASE, "k1").tolist()[0] == pytest.approx([TWO, 0, -2 * TWO], abs=1e-6)
    assert kl(OWN, BASE, "k2").tolist()[0] == pytest.approx([TWO**2 / 2, 0, 2 * TWO**2], abs=1e-6)
    k3 = [0.5 + TWO - 1, 0, 4 - 2 * TWO - 1]
    assert kl(OWN, BASE, "k3").tolist()[0] == pytest.approx(k3, abs=1e-6)


def test_k3_is_never_negative_and_always_finite():
    torch.manual_seed(0)
    noise = kl(torch.randn(50, 50) * 30, torch.randn(50, 50) * 30, "k3")
    assert noise.min() >= -1e-6 and torch.isfinite(noise).all()


DISTRIBUTION = torch.tensor([0.1, 0.2, 0.7], dtype=torch.float64)
OTHER = torch.tensor([0.3, 0.3, 0.4], dtype=torch.float64)


@pytest.mark.parametrize("estimator", ["k1", "k3"])
def test_k1_and_k3_are_unbiased(estimator):
    """Expectation over the policy's own tokens, exactly."""
    exact = (DISTRIBUTION * (DISTRIBUTION / OTHER).log()).sum()
    mean = (DISTRIBUTION * kl(DISTRIBUTION.log(), OTHER.log(), estimator)).sum()
    assert mean.item() == pytest.approx(exact.item(), abs=1e-12)


def _mean_gradient(estimator):
    """By the logits, of an expectation whose weights are not differentiated: what a loss would step along."""
    logits = DISTRIBUTION.log().clone().requires_grad_()
    logprobs = torch.log_softmax(logits, -1)
    (DISTRIBUTION * kl(logprobs, OTHER.log(), estimator)).sum().backward()
    return logits.grad


def _exact_gradient(of):
    logits = DISTRIBUTION.log().clone().requires_grad_()
    of(torch.log_softmax(logits, -1)).backward()
    return logits.grad


def test_as_losses_k1_teaches_nothing_k2_the_divergence_and_k3_its_reverse():
    own_to_base = _exact_gradient(lambda own: (own.exp() * (own - OTHER.log())).sum())
    base_to_own = _exact_gradient(lambda own: (OTHER * (OTHER.log() - own)).sum())
    torch.testing.assert_close(_mean_gradient("k1"), torch.zeros(3, dtype=torch.float64))
    torch.testing.assert_close(_mean_gradient("k2"), own_to_base)
    torch.testing.assert_close(_mean_gradient("k3"), base_to_own)


@pytest.fixture
def samples(completion):
    """Three tokens once, two tokens twice."""
    return [
        TrainingSample(completion=completion([5, 6, 7]), reward=1.0, weight=1.0),
        TrainingSample(completion=completion([8, 9]), reward=0.0, weight=2.0),
    ]


@pytest.mark.parametrize(
    ("aggregation", "expected"),
    [
        ("token-mean", [1 / 7, 2 / 7]),  # 3 + 2 x 2 tokens
        ("sequence-mean", [1 / 9, 2 / 6]),  # 3 completions, of 3 and 2 tokens
        ("constant", [1 / 30, 2 / 30]),  # 3 completions of 10 tokens at most
        ("sum", [1.0, 2.0]),
    ],
)
def test_shares_of_a_token_by_hand(samples, aggregation, expected):
    assert token_shares(samples, aggregation, longest=10) == pytest.approx(expected)


weights_and_lengths = st.lists(
    st.tuples(st.integers(1, 5), st.integers(1, 9)), min_size=1, max_size=20
)


@given(weights_and_lengths, st.sampled_from(["token-mean", "sequence-mean"]))
def test_the_shares_of_a_mean_sum_to_one(pairs, aggregation):
    class Sized:
        def __init__(self, weight, length):
            self.weight, self.completion = weight, self
            self.token_ids = (0,) * length

    made = [Sized(float(w), n) for w, n in pairs]
    shares = token_shares(made, aggregation, longest=1)
    assert sum(s * n for s, (_, n) in zip(shares, pairs, strict=True)) == pytest.approx(1)


@given(weights_and_lengths)
def test_completions_weigh_the_same_whatever_their_length_where_that_is_claimed(pairs):
    class Sized:
        def __init__(self, length):
            self.weight, self.completion, self.token_ids = 1.0, self, (0,) * length

    made = [Sized(n) for _, n in pairs]
    whole = [
        s * n
        for s, (_, n) in zip(token_shares(made, "sequence-mean", longest=9), pairs, strict=True)
    ]
    assert whole == pytest.approx([1 / len(pairs)] * len(pairs))
    assert len(set(token_shares(made, "constant", longest=9))) == 1
    assert len(set(token_shares(made, "token-mean", longest=9))) == 1


def test_shares_reach_the_tokens_of_every_micro_batch(samples):
    shares = token_shares(samples, "sequence-mean", longest=10)
    for budget in (1, 1000):
        found = {}
        for batch in micro_batches(
            samples, shares, token_budget=budget, layout="trees", device=torch.device("cpu")
        ):
            for place, row in zip(batch.order, batch.token_shares, strict=True):
                found[place] = row[row > 0].tolist()
        assert found[0] == pytest.approx([1 / 9] * 3) and found[1] == pytest.approx([1 / 3] * 2)
