"""Native training kernels have the values and gradients of the Hugging Face model."""

import math

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM

from ttrl.config import RunConfig
from ttrl.engine.fast import kernel
from ttrl.engine.fast.training import can_train, hidden_states
from ttrl.engine.learner import make_learner
from ttrl.errors import NumericsError
from ttrl.rl.algorithms.registry import make_algorithm
from ttrl.rl.batch import micro_batches
from ttrl.rl.losses import token_shares
from ttrl.types import Completion, TrainingSample

SIZES = {
    "vocab_size": 96, "hidden_size": 48, "intermediate_size": 80, "num_hidden_layers": 2,
    "num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 512,
}  # fmt: skip
GRPO = make_algorithm(RunConfig(algorithm="grpo"))


@pytest.fixture(autouse=True)
def compiler():
    if kernel.compiled() is None:
        pytest.skip("no C compiler here, so there are no native kernels")


def make(kind, dtype=torch.float32, **changes):
    torch.manual_seed(0)
    config = AutoConfig.for_model(kind, **(SIZES | changes))
    model = AutoModelForCausalLM.from_config(config).to(dtype).eval()
    for (
        name,
        parameter,
    ) in model.named_parameters():  # far from their start, so that all of them matter
        if "norm" in name or "bias" in name:
            torch.nn.init.normal_(parameter, 1.0 if "norm" in name else 0.0, 0.3)
        elif parameter.ndim == 2:
            torch.nn.init.normal_(parameter, 0.0, 0.2)
    return model


def adapted(model):
    torch.manual_seed(1)
    model = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules="all-linear"))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, 0.0, 0.1)
    return model.eval()


def samples():
    """Three questions; beginnings shared to several depths; prompts and completions of 1 to 130 tokens."""
    generator = torch.Generator().manual_seed(0)

    def some(count):
        return torch.randint(2, 96, (count,), generator=generator).tolist()

    found = []
    for prompt in (some(1), some(60), some(7)):
        stem, branch = some(20), some(30)
        tails = [
            stem + some(3),
            stem + branch + some(2),
            stem + branch + some(130),
            some(4),
            some(1),
        ]
        for i, tokens in enumerate([*tails, stem[:9] + some(60)]):
            completion = Completion(
                question_id=str(prompt), prompt_ids=tuple(prompt), token_ids=tuple(tokens),
                logprobs=(-4.5,) * len(tokens), entropy=(0.0,) * len(tokens), finish_reason="length",
                policy_version=0, text="",
            )  # fmt: skip
            found.append(
                TrainingSample(
                    completion=completion,
                    reward=0.0,
                    weight=1.0 + i % 2,
                    advantages=(math.sin(i + 1),) * len(tokens),
                )
            )
    return found


def gradient(model, layout, *, budget=10_000):
    config = RunConfig(temperature=0.8, micro_batch_tokens=budget, clip_norm=1e9)
    policy = make_learner(model, GRPO, config).policy
    policy._tokens._layout = layout
    found = {}
    policy.optimizer.step = lambda rate: found.update(
        {n: p.grad.float().clone() for n, p in model.named_parameters() if p.grad is not None}
    )
    metrics = policy.update(samples(), GRPO, learning_rate=0.0)
    policy.optimizer.zero_grad()
    return found, metrics["train/loss"]


def gap(found, expected):
    """Relative error of the whole gradient."""
    assert found.keys() == expected.keys()
    off = sum(((found[n] - expected[n]) ** 2).sum() for n in found)
    return float((off / sum((g**2).sum() for g in expected.values())) ** 0.5)


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("llama", {}),
        ("llama", {"num_key_value_heads": 6, "head_dim": 32}),
        ("llama", {"num_key_value_heads": 1, "head_dim": 10, "intermediate_size": 83}),
        ("llama", {"attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True}),
        ("qwen2", {}),
        ("qwen3", {}),
    ],
    ids=str,
)
def test_gradients_are_those_of_the_model(kind, changes):
    model = make(kind, **changes)
    assert can_train(model)
    expected, loss = gradient(model, "rows")
    for budget in (10_000, 200):
        found, own = gradient(model, "packed", budget=budget)
        assert own == pytest.approx(loss, rel=1e-5, abs=1e-6)
        assert gap(found, expected) < 2e-5
        for name in expected:
            error = (found[name] - expected[name]).abs().max() / expected[name].abs().max()
            assert error < 1e-4, name


def test_gradients_of_adapters_are_those_of_the_model():
    model = adapted(make("qwen2"))
    expected, loss = gradient(model, "rows")
    found, own = gradient(model, "packed")
    assert own == pytest.approx(loss, rel=1e-5) and gap(found, expected) < 2e-5
    assert expected and all("lora_" in name for name in expected)


def test_disabled_adapters_do_not_count():
    made = samples()
    (batch,) = micro_batches(
        made,
        token_shares(made, "token-mean", longest=0),
        token_budget=10_000,
        layout="packed",
        device=torch.device("cpu"),
    )
    base, model = make("qwen2"), adapted(make("qwen2"))
    with torch.no_grad():
        with_adapters, expected = hidden_states(model, batch), hidden_states(base, batch)
        with model.disable_adapter():
            found = hidden_states(model, batch)
    assert torch.equal(found, expected) and not torch.allclose(with_adapters, expected, atol=1e-2)


@pytest.mark.parametrize("wrap", [lambda model: model, adapted], ids=["full", "LoRA"])
def test_in_bfloat16_gradients_are_as_near_to_float32_as_the_models(wrap):
    exact, _ = gradient(wrap(make("llama")), "rows")
    own, _ = gradient(wrap(make("llama", torch.bfloat16)), "packed")
    theirs, _ = gradient(wrap(make("llama", torch.bfloat16)), "rows")
    assert gap(own, exact) < 1.5 * gap(theirs, exact) < 0.3


def test_threads_change_only_the_order_of_sums():
    model, before = make("llama"), torch.get_num_threads()
    try:
        found = []
        for threads in (1, 3):
            torch.set_num_threads(threads)
            found.append(gradient(model, "packed")[0])
    finally:
        torch.set_num_threads(before)
    assert gap(*found) < 1e-5


def test_the_same_update_gives_the_same_bits():
    model = make("llama")
    first, second = gradient(model, "packed")[0], gradient(model, "packed")[0]
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_weights_that_are_not_finite_give_a_loss_that_says_so():
    model = make("llama")
    with torch.no_grad():
        model.model.layers[1].mlp.down_proj.weight[0, 0] = math.nan
    with pytest.raises(NumericsError, match="not finite"):
        gradient(model, "packed")
