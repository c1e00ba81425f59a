"""Memory that a run cannot do without is asked for before it starts."""

import pytest
import torch

from ttrl.config import RunConfig
from ttrl.engine.models import adapt
from ttrl.errors import ConfigError
from ttrl.runs import plan as memory

WEIGHTS = 100 * 100 * 4


class Square(torch.nn.Module):
    """A model of 10,000 float32 weights."""

    device, dtype = torch.device("cpu"), torch.float32

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(100, 100))


@pytest.mark.parametrize(
    ("algorithm", "settings", "models", "trained"),
    [
        ("grpo", {}, 1, 1),
        ("grpo", {"kl_coefficient": 0.1}, 2, 1),
        ("grpo", {"kl_coefficient": 0.1, "kl_in": "reward", "kl_estimator": "k1"}, 2, 1),
        ("dpo", {}, 2, 1),
        ("ppo", {}, 2, 2),
        ("prime", {}, 3, 2),
    ],
)
def test_each_algorithm_holds_its_models_gradients_and_moments(
    algorithm, settings, models, trained
):
    held = memory.standing_memory(Square(), RunConfig(guard="off", algorithm=algorithm, **settings))
    # a gradient and two moments of 4 bytes for each trained weight
    assert held == {
        "weights": models * WEIGHTS,
        "gradients_and_optimizer": trained * 3 * WEIGHTS,
    }


def test_adapters_share_the_base(embedded):
    import copy

    adapted = adapt(copy.deepcopy(embedded.model), rank=2, seed=0)
    own = sum(p.numel() * 4 for p in adapted.parameters() if p.requires_grad)
    every = sum(p.numel() * 4 for p in adapted.parameters())
    held = memory.standing_memory(adapted, RunConfig(guard="off", algorithm="prime", lora=2))
    assert held == {"weights": every + own, "gradients_and_optimizer": 2 * 3 * own}


def test_no_room_for_a_critic_is_refused_with_what_helps(monkeypatch):
    # the critic's weights, and two gradients with moments: 7 times the weights beside the loaded model
    monkeypatch.setattr(memory, "free_bytes", lambda device: 7 * WEIGHTS - 1)
    memory.check_memory(Square(), RunConfig(guard="off", algorithm="grpo"))
    with pytest.raises(ConfigError) as refused:
        memory.check_memory(Square(), RunConfig(guard="off", algorithm="ppo"))
    told = str(refused.value)
    assert "algorithm=ppo" in told and "the critic (as large as the model)" in told
    assert "lora: 16" in told and "rloo" in told
    monkeypatch.setattr(memory, "free_bytes", lambda device: 7 * WEIGHTS)
    memory.check_memory(Square(), RunConfig(guard="off", algorithm="ppo"))


def refusal(monkeypatch, model, **settings):
    monkeypatch.setattr(memory, "free_bytes", lambda device: -1)
    with pytest.raises(ConfigError) as refused:
        memory.check_memory(model, RunConfig(guard="off", **settings))
    return str(refused.value)


def test_what_would_not_help_is_not_offered(monkeypatch, embedded):
    import copy

    assert "kl_coefficient: 0" in refusal(monkeypatch, Square(), kl_coefficient=0.1)
    assert "kl_coefficient" not in refusal(
        monkeypatch, Square(), algorithm="prime", kl_coefficient=0.1
    )
    assert "bfloat16" not in refusal(monkeypatch, Square(), algorithm="ppo")
    adapted = adapt(copy.deepcopy(embedded.model), rank=2, seed=0)
    told = refusal(monkeypatch, adapted, algorithm="ppo", lora=2)
    assert "as large as" not in told and "lora" not in told and "dtype: bfloat16" in told


def test_free_memory_is_the_smaller_of_machine_and_control_group(monkeypatch):
    files = {
        "/sys/fs/cgroup/memory.max": "6000\n",
        "/sys/fs/cgroup/memory.current": "4000\n",
        "/sys/fs/cgroup/memory.stat": "anon 1500\ninactive_file 2500\n",
    }
    monkeypatch.setattr(memory, "_read", lambda path: files.get(path, ""))
    assert memory.free_bytes(torch.device("cpu")) == 6000 - 4000 + 2500
    files["/sys/fs/cgroup/memory.max"] = "max\n"
    assert memory.free_bytes(torch.device("cpu")) > 2**20


@pytest.mark.parametrize(
    ("guard", "settings", "models"),
    [("stop", {}, 2), ("off", {}, 1), ("warn", {"kl_coefficient": 0.1}, 2)],
)
def test_the_guard_keeps_the_base_of_a_small_model_unless_there_is_a_reference(
    guard, settings, models
):
    held = memory.standing_memory(Square(), RunConfig(guard=guard, **settings))
    assert held["weights"] == models * WEIGHTS
