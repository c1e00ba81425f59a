import math

import pytest
import torch

from ttrl.rl import logprobs as module
from ttrl.rl.logprobs import token_logprobs


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
