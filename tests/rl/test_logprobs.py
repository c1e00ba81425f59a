import math

import pytest
import torch

from ttrl.rl import logprobs as module
from ttrl.rl.logprobs import token_logprobs, token_logprobs_and_entropy


def test_two_tokens_by_hand():
    hidden = torch.tensor([[1.0, 0.0]])
    head = torch.tensor([[0.0, 5.0], [math.log(3.0), 7.0]])
    row, token = torch.tensor([0, 0]), torch.tensor([0, 1])
    found = token_logprobs(hidden, head, None, row, token, scale=1.0)
    assert found.exp().tolist() == pytest.approx([0.25, 0.75])
    half = token_logprobs(hidden, head, torch.tensor([math.log(9.0), 0.0]), row, token, scale=0.5)
    # logits log 9 and log 3, halved: weights 3 and sqrt 3
    assert half.exp().tolist() == pytest.approx([3 / (3 + 3**0.5), 3**0.5 / (3 + 3**0.5)])


@pytest.mark.parametrize("elements", [1, 60, 1 << 20])
@pytest.mark.parametrize("with_bias", [False, True])
def test_values_and_gradients_are_those_of_all_logits_at_once(elements, with_bias, monkeypatch):
    monkeypatch.setattr(module, "CHUNK_ELEMENTS", elements)
    generator = torch.Generator().manual_seed(0)
    made = [torch.randn(*shape, generator=generator) for shape in ((9, 4), (20, 4), (20,), (13,))]
    row = torch.randint(0, 9, (13,), generator=generator).sort().values
    token = torch.randint(0, 20, (13,), generator=generator)
    results = []
    for mine in (True, False):
        hidden, head, bias = (m.clone().requires_grad_() for m in made[:3])
        if mine:
            found = token_logprobs(hidden, head, bias if with_bias else None, row, token, scale=0.7)
        else:
            logits = (hidden @ head.T + (bias if with_bias else 0)) * 0.7
            found = torch.log_softmax(logits, -1)[row, token]
        (found * made[3]).sum().backward()
        grads = [hidden.grad, head.grad, *([bias.grad] if with_bias else [])]
        results.append([found.detach(), *grads])
    for own, expected in zip(*results, strict=True):
        torch.testing.assert_close(own, expected, atol=1e-5, rtol=1e-5)


def test_a_frozen_head_gets_no_gradient():
    hidden = torch.randn(3, 4, requires_grad=True)
    head = torch.randn(7, 4)
    row = torch.arange(3)
    token_logprobs(hidden, head, None, row, row, scale=1.0).sum().backward()
    assert hidden.grad is not None and head.grad is None


def test_entropy_by_hand():
    hidden = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    head = torch.tensor([[math.log(9.0), 2.0], [0.0, 2.0]])
    row, token = torch.tensor([0, 1, 1]), torch.tensor([1, 0, 1])
    logprobs, entropy = token_logprobs_and_entropy(hidden, head, None, row, token, scale=1.0)
    assert logprobs.exp().tolist() == pytest.approx([0.5, 0.9, 0.1])
    assert entropy.tolist() == pytest.approx([math.log(2)] + 2 * [0.3250829733914482])
    # twice the logits and half the scale; the bias moves 0.9 of row 1 to the other token of row 0
    bias = torch.tensor([-2 * math.log(9.0), 0.0])
    _, entropy = token_logprobs_and_entropy(2 * hidden, head, bias, row, token, scale=0.5)
    assert entropy.tolist() == pytest.approx([0.3250829733914482] + 2 * [math.log(2)])


def test_entropy_of_a_uniform_distribution_is_log_of_the_vocabulary_and_flat():
    hidden = torch.randn(3, 4, requires_grad=True)
    head = torch.ones(1000, 4, requires_grad=True)
    row = torch.arange(3)
    _, entropy = token_logprobs_and_entropy(hidden, head, None, row, row, scale=1.3)
    entropy.sum().backward()
    assert entropy.tolist() == pytest.approx(3 * [math.log(1000)], abs=1e-5)
    assert hidden.grad is not None and hidden.grad.abs().max() < 1e-5
    assert head.grad is not None and head.grad.abs().max() < 1e-5


def _gradients_of_both(
    own: bool, made: list[torch.Tensor], row: torch.Tensor, token: torch.Tensor, with_bias: bool
) -> list[torch.Tensor]:
    """Log-probs, entropies and the gradients of a weighted sum of both."""
    hidden, head, bias = (m.clone().requires_grad_() for m in made[:3])
    given = bias if with_bias else None
    if own:
        found, entropy = token_logprobs_and_entropy(hidden, head, given, row, token, scale=0.7)
    else:
        logits = torch.nn.functional.linear(hidden, head, given) * 0.7
        logprobs = torch.log_softmax(logits, -1)
        found, entropy = logprobs[row, token], -(logprobs.exp() * logprobs).sum(-1)[row]
    ((found * made[3]).sum() + (entropy * made[4]).sum()).backward()
    grads = [hidden.grad, head.grad, *([bias.grad] if with_bias else [])]
    return [found.detach(), entropy.detach(), *(g for g in grads if g is not None)]


@pytest.mark.parametrize("elements", [1, 60, 1 << 20])
@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_of_logprobs_and_entropy_are_those_of_all_logits_at_once(
    elements, with_bias, dtype, monkeypatch
):
    monkeypatch.setattr(module, "CHUNK_ELEMENTS", elements)
    generator = torch.Generator().manual_seed(0)
    shapes = ((9, 4), (20, 4), (20,), (13,), (13,))
    made = [torch.randn(*shape, generator=generator, dtype=dtype) for shape in shapes]
    row = torch.tensor([0, 0, 0, 1, 2, 2, 4, 5, 5, 5, 5, 7, 8])  # some often, some never
    token = torch.randint(0, 20, (13,), generator=generator)
    result = _gradients_of_both(True, made, row, token, with_bias)
    expected = _gradients_of_both(False, made, row, token, with_bias)
    assert len(result) == 4 + with_bias
    assert [r.dtype for r in result] == [torch.float32] * 2 + [dtype] * (2 + with_bias)
    for own, plain in zip(result, expected, strict=True):
        torch.testing.assert_close(own, plain, atol=1e-6, rtol=1e-6, check_dtype=False)


@pytest.mark.parametrize("used", [0, 1])
def test_either_output_alone_has_its_gradient(used):
    generator = torch.Generator().manual_seed(0)
    shapes = ((9, 4), (20, 4), (20,), (13,), (13,))
    made = [torch.randn(*shape, generator=generator) for shape in shapes]
    made[4 - used].zero_()
    row = torch.randint(0, 9, (13,), generator=generator).sort().values
    token = torch.randint(0, 20, (13,), generator=generator)
    hidden = made[0].clone().requires_grad_()
    outputs = token_logprobs_and_entropy(hidden, made[1], None, row, token, scale=0.7)
    (outputs[used] * made[3 + used]).sum().backward()
    expected = _gradients_of_both(False, made, row, token, with_bias=False)[2]
    torch.testing.assert_close(hidden.grad, expected, atol=1e-6, rtol=1e-6)


def test_logprobs_are_the_same_with_and_without_entropy():
    hidden, head, row = torch.randn(5, 4), torch.randn(30, 4), torch.arange(5)
    alone = token_logprobs(hidden, head, None, row, row, scale=0.9)
    beside, _ = token_logprobs_and_entropy(hidden, head, None, row, row, scale=0.9)
    assert torch.equal(alone, beside)


# at scale 2 the least float overflows
@pytest.mark.parametrize("low", [-150.0, -1e4, -1e30, torch.finfo(torch.float32).min])
def test_entropy_of_a_peaked_distribution_is_0_without_nan(low):
    hidden = torch.ones(2, 1, requires_grad=True)
    head = torch.zeros(4, 1, requires_grad=True)
    bias = torch.tensor([0.0, low, low, low], requires_grad=True)
    row, token = torch.tensor([0, 1]), torch.tensor([0, 0])
    logprobs, entropy = token_logprobs_and_entropy(hidden, head, bias, row, token, scale=2.0)
    (logprobs.sum() + 1000 * entropy.sum()).backward()
    assert logprobs.tolist() == [0, 0] and entropy.tolist() == [0, 0]
    for leaf in (hidden, head, bias):
        assert leaf.grad is not None and leaf.grad.abs().max() == 0


def test_nothing_of_the_size_of_all_logits_is_saved():
    hidden = torch.randn(50, 2, requires_grad=True)
    head = torch.randn(60, 2)
    row, sizes = torch.arange(50), []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda t: sizes.append(t.numel()) or t, lambda t: t
    ):
        token_logprobs_and_entropy(hidden, head, None, row, row, scale=1.0)
    assert sizes and max(sizes) == head.numel()


def test_a_frozen_head_gets_no_gradient_from_entropy():
    hidden = torch.randn(3, 4, requires_grad=True)
    head, bias = torch.randn(7, 4), torch.randn(7)
    row = torch.arange(3)
    logprobs, entropy = token_logprobs_and_entropy(hidden, head, bias, row, row, scale=1.0)
    (logprobs + entropy).sum().backward()
    assert hidden.grad is not None and head.grad is None and bias.grad is None
