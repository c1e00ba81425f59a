"""A teacher follows the policy by a moving average, and its votes are its own."""

import copy

import pytest
import torch

from ttrl.engine.models import adapt
from ttrl.engine.teacher import Teacher, decay_of


def test_the_decay_rises_by_a_cosine_as_published():
    found = [decay_of(step, first=0.99, steps=100) for step in (0, 25, 50, 100)]
    assert found == pytest.approx([0.99, 0.99145, 0.99495, 0.9999], abs=5e-6)
    assert decay_of(5, first=0.99999, steps=10) == 0.99999


def moved(model):
    with torch.no_grad():
        for p in model.parameters():
            if p.requires_grad:
                p.add_(1.0)


@pytest.mark.parametrize("lora", [0, 4])
def test_it_starts_as_the_policy_and_follows_at_the_share_that_goes(embedded, lora):
    policy = copy.deepcopy(embedded.model)
    policy = adapt(policy, rank=lora, seed=0) if lora else policy
    teacher = Teacher(policy, decay=0.75, steps=10)
    before = {n: p.detach().clone() for n, p in policy.named_parameters()}
    moved(policy)
    own = dict(teacher.model.named_parameters())
    assert all(torch.equal(own[n], p) for n, p in before.items())
    teacher.follow(step=0)
    frozen = 0
    for name, p in policy.named_parameters():
        if p.requires_grad:
            assert torch.allclose(own[name], before[name] + 0.25, atol=1e-5)
        else:
            frozen += 1
            assert own[name] is p  # an adapter on the shared base
    assert bool(frozen) == bool(lora)


def test_it_goes_on_from_its_state_to_the_same_bits(embedded):
    policy = copy.deepcopy(embedded.model).to(torch.bfloat16)
    teacher = Teacher(policy, decay=0.99, steps=10)
    for step in range(2):
        moved(policy)
        teacher.follow(step=step)
    state = {name: dict(tensors) for name, tensors in teacher.state().items()}
    again = Teacher(policy, decay=0.99, steps=10)
    again.load_state(state)
    for each in (teacher, again):
        each.follow(step=2)
    expected = dict(teacher.model.named_parameters())
    assert all(torch.equal(p, expected[n]) for n, p in again.model.named_parameters())
    assert next(iter(state["teacher"].values())).dtype == torch.float32
    with pytest.raises(KeyError):
        again.load_state({"optimizer": {}})
