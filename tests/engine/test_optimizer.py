import copy
import math

import pytest
import torch

from ttrl.engine.optimizer import MasterAdamW, rate_share
from ttrl.errors import NumericsError


def rate(step, **options):
    return rate_share(step, **{"schedule": "constant", "warmup_steps": 4, "steps": 14} | options)


def optimizer_of(named, **options):
    return MasterAdamW(named, **{"beta2": 0.99, "weight_decay": 0.0, "clip_norm": 1.0} | options)


def test_warm_up_is_linear_and_starts_above_zero():
    assert [rate(s) for s in range(6)] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]


def test_cosine_is_half_way_down_in_the_middle():
    assert rate(4, schedule="cosine") == 1.0
    assert rate(9, schedule="cosine") == pytest.approx(0.5)
    assert rate(14, schedule="cosine") == pytest.approx(0.0)


def train(model, optimizer, steps, start=0):
    for step in range(start, start + steps):
        x = torch.full((4, 8), 0.1 * (step + 1), dtype=next(model.parameters()).dtype)
        model(x).square().mean().backward()
        optimizer.step(1e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_saved_state_goes_on_to_the_same_bits(dtype):
    torch.manual_seed(0)
    model = torch.nn.Linear(8, 8).to(dtype)
    optimizer = optimizer_of(model.named_parameters(), weight_decay=0.01)
    train(model, optimizer, 3)
    other = copy.deepcopy(model)
    again = optimizer_of(other.named_parameters(), weight_decay=0.01)
    again.load_state(optimizer.state())
    train(model, optimizer, 3, start=3)
    train(other, again, 3, start=3)
    assert all(
        torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True)
    )


def test_small_updates_of_short_weights_add_up_in_the_master():
    weight = torch.nn.Parameter(torch.ones(1, dtype=torch.bfloat16))
    optimizer = optimizer_of([("w", weight)])
    seen = []
    for _ in range(60):
        weight.grad = torch.ones(1, dtype=torch.bfloat16)
        optimizer.step(1e-4)  # a bfloat16 weight of 1 cannot move by 1e-4
        seen.append(weight.item())
    assert seen[0] == 1.0 and seen[-1] < 1.0
    assert optimizer.state()["master:w"].item() == pytest.approx(1 - 60e-4, abs=1e-5)


def test_state_of_another_model_is_a_key_error():
    optimizer = optimizer_of([("w", torch.nn.Parameter(torch.ones(1)))])
    with pytest.raises(KeyError):
        optimizer.load_state({"exp_avg:other": torch.ones(1)})


def test_gradients_are_clipped_to_a_norm_and_the_norm_before_is_told():
    weight = torch.nn.Parameter(torch.zeros(2))
    optimizer, seen = optimizer_of([("w", weight)], clip_norm=1.0), []
    optimizer.step = lambda rate: seen.append(weight.grad.clone())
    weight.grad = torch.tensor([3.0, 4.0])
    assert optimizer.update(0.0, 1e-3) == pytest.approx(5)
    torch.testing.assert_close(seen[0], torch.tensor([0.6, 0.8]), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("loss", "slope"), [(math.nan, 1.0), (0.0, math.inf), (0.0, math.nan)])
def test_what_is_not_finite_changes_nothing(loss, slope):
    weight = torch.nn.Parameter(torch.ones(1))
    optimizer = optimizer_of([("w", weight)])
    weight.grad = torch.tensor([slope])
    with pytest.raises(NumericsError, match="no update was made"):
        optimizer.update(loss, 1.0)
    assert weight.item() == 1 and weight.grad is None and optimizer.state() == {}


def test_frozen_weights_are_left_alone():
    frozen = torch.nn.Parameter(torch.ones(1), requires_grad=False)
    weight = torch.nn.Parameter(torch.ones(1))
    optimizer = optimizer_of([("f", frozen), ("w", weight)], weight_decay=0.5)
    weight.grad = torch.ones(1)
    optimizer.update(0.0, 0.1)
    # decay 0.5 x 0.1, then a first step of the rate
    assert frozen.item() == 1 and weight.item() == pytest.approx(0.95 - 0.1, abs=1e-5)
    assert {name.partition(":")[2] for name in optimizer.state()} == {"w"}
