import copy

import pytest
import torch

from ttrl.engine.optimizer import MasterAdamW, learning_rate


def rate(step, **options):
    return learning_rate(
        step, **{"peak": 1.0, "schedule": "constant", "warmup_steps": 4, "steps": 14} | options
    )


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
    optimizer = MasterAdamW(model.named_parameters(), beta2=0.99, weight_decay=0.01)
    train(model, optimizer, 3)
    other = copy.deepcopy(model)
    again = MasterAdamW(other.named_parameters(), beta2=0.99, weight_decay=0.01)
    again.load_state(optimizer.state())
    train(model, optimizer, 3, start=3)
    train(other, again, 3, start=3)
    assert all(
        torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True)
    )


def test_small_updates_of_short_weights_add_up_in_the_master():
    weight = torch.nn.Parameter(torch.ones(1, dtype=torch.bfloat16))
    optimizer = MasterAdamW([("w", weight)], beta2=0.99, weight_decay=0.0)
    seen = []
    for _ in range(60):
        weight.grad = torch.ones(1, dtype=torch.bfloat16)
        optimizer.step(1e-4)  # a bfloat16 weight of 1 cannot move by 1e-4
        seen.append(weight.item())
    assert seen[0] == 1.0 and seen[-1] < 1.0
    assert optimizer.state()["master:w"].item() == pytest.approx(1 - 60e-4, abs=1e-5)


def test_state_of_another_model_is_a_key_error():
    optimizer = MasterAdamW([("w", torch.nn.Parameter(torch.ones(1)))], beta2=0.9, weight_decay=0)
    with pytest.raises(KeyError):
        optimizer.load_state({"exp_avg:other": torch.ones(1)})
