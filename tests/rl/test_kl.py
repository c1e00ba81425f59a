import math

import pytest
import torch

from ttrl.rl.kl import kl

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
