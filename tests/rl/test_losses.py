import math

import pytest
import torch

from ttrl.rl.losses import clipped_surrogate, kl_k3


def test_clipping_by_hand_on_two_completions_of_three_tokens():
    old = torch.zeros(2, 3)
    new = torch.log(torch.tensor([[1.0, 1.5, 0.5], [1.0, 1.5, 0.5]]))
    loss, clipped = clipped_surrogate(new, old, torch.tensor([2.0, -1.0]), clip_ratio=0.2)
    # A = 2: ratios count up to 1.2; A = -1: ratios count down to 0.8
    expected = torch.tensor([[-2.0, -2.4, -1.0], [1.0, 1.5, 0.8]])
    torch.testing.assert_close(loss, expected)
    assert clipped.tolist() == [[False, True, False], [False, False, True]]


def test_a_clipped_token_has_no_gradient():
    new = torch.log(torch.tensor([[1.5, 1.0]])).requires_grad_()
    loss, _ = clipped_surrogate(new, torch.zeros(1, 2), torch.tensor([1.0]), clip_ratio=0.2)
    loss.sum().backward()
    assert new.grad.tolist() == [[0.0, -1.0]]


def test_k3_by_hand_and_never_negative():
    kl = kl_k3(torch.log(torch.tensor([[0.5, 0.25]])), torch.log(torch.tensor([[0.25, 0.25]])))
    assert kl.tolist()[0] == pytest.approx([0.5 + math.log(2) - 1, 0.0], abs=1e-7)
    noise = kl_k3(torch.randn(50, 50) * 30, torch.randn(50, 50) * 30)
    assert noise.min() >= -1e-6 and torch.isfinite(noise).all()
