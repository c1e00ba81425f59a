import math

import pytest
import torch

from ttrl.rl.losses import clipped_surrogate, log_ratios, value_loss

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
