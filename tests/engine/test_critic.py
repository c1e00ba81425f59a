import copy
from dataclasses import replace
from functools import partial

import pytest
import torch

from ttrl.engine.companions import Critic, twin
from ttrl.engine.models import adapt
from ttrl.engine.optimizer import MasterAdamW
from ttrl.engine.token_model import TokenModel
from ttrl.types import Completion, TrainingSample


def critic_of(model, *, value_clip=0.0, learning_rate=1e-3, budget=10_000):
    tokens = TokenModel(twin(model), temperature=1.0, token_budget=budget)
    return Critic(
        tokens,
        learning_rate=learning_rate,
        value_clip=value_clip,
        adamw=partial(MasterAdamW, beta2=0.99, weight_decay=0.0, clip_norm=1.0),
    )


def sample(prompt, tokens, result, weight=1.0):
    completion = Completion(
        question_id=str(prompt), prompt_ids=tuple(prompt), token_ids=tuple(tokens),
        logprobs=(-1.0,) * len(tokens), entropy=(0.0,) * len(tokens), finish_reason="stop",
        policy_version=0, text="",
    )  # fmt: skip
    given = (result,) * len(tokens)
    return TrainingSample(
        completion=completion, reward=result, weight=weight, values=given, returns=given
    )


def values(critic, samples):
    return critic.values([s.completion for s in samples])


def learn(critic, samples, updates):
    for _ in range(updates):
        told = values(critic, samples)
        now = [replace(s, values=v) for s, v in zip(samples, told, strict=True)]
        metrics = critic.update(now, rate_share=1.0)
    return metrics


def test_all_values_start_at_0(random_model):
    critic = critic_of(random_model)
    assert values(critic, [sample((5, 6), (7, 8, 9), 1.0)]) == [(0.0,) * 3]


def test_every_family_of_models_can_have_a_critic(tree_model):
    critic = critic_of(tree_model)
    pair = [sample((5, 6), (7, 8), 1.0), sample((9,), (4,), 0.0)]
    with torch.no_grad():
        critic._head.weight.copy_(torch.linspace(-0.1, 0.1, 48)[None])
        # the tokens that stand before 7 and 8: 6 and 7
        states = tree_model.base_model(torch.tensor([[5, 6, 7]])).last_hidden_state[0, 1:]
        expected = (states @ torch.linspace(-0.1, 0.1, 48)).tolist()
    assert values(critic, pair)[0] == pytest.approx(expected, abs=1e-4)
    torch.nn.init.zeros_(critic._head.weight)
    metrics = learn(critic, pair, 3)
    assert metrics["train/critic_loss"] < 1 / 2 * 2 / 3  # that of all values 0


def test_the_loss_by_hand(random_model):
    critic = critic_of(random_model)
    with torch.no_grad():
        critic._head.bias.fill_(0.25)
    # two tokens towards 1, once; one token towards 0, three times; values 1/4 everywhere
    pair = [sample((5, 6), (7, 8), 1.0), sample((9,), (4,), 0.0, weight=3.0)]
    metrics = critic.update(pair, rate_share=0.0)
    assert metrics["train/critic_loss"] == pytest.approx((2 * 0.75**2 + 3 * 0.25**2) / 2 / 5)
    # values told: the returns themselves, so everything is explained
    assert metrics["train/critic_explained"] == pytest.approx(1)
    blind = [replace(s, values=(0.4,) * len(s.values)) for s in pair]
    # the mean return, 2/5, explains nothing
    assert critic.update(blind, rate_share=0.0)["train/critic_explained"] == pytest.approx(
        0, abs=1e-6
    )


def test_values_further_than_the_clip_have_no_gradient(random_model):
    critic = critic_of(random_model, value_clip=0.5)
    with torch.no_grad():
        critic._head.bias.fill_(0.75)
    told = replace(sample((5, 6), (7, 8), 1.0), values=(0.0, 0.0))
    metrics = critic.update([told], rate_share=0.0)
    assert metrics["train/critic_loss"] == pytest.approx(0.5**2 / 2)
    assert metrics["train/critic_grad_norm"] == 0


@pytest.mark.parametrize("value_clip", [0.0, 0.5])
def test_it_learns_what_is_to_be_expected_of_each_question(embedded, value_clip):
    """One question always earns 1, one never, and one in 3 of 4 cases; only its first token tells."""
    critic = critic_of(embedded.model, value_clip=value_clip)
    samples = [
        sample((5, 6, 7), (11, 12), 1.0),
        sample((8, 9), (11, 13, 12), 0.0),
        sample((10, 6, 9), (14, 12), 1.0, weight=3.0),
        sample((10, 6, 9), (15, 12), 0.0),
    ]
    first = learn(critic, samples, 1)
    last = learn(critic, samples, 80)
    always, never, good, bad = values(critic, samples)
    assert always == pytest.approx((1.0,) * 2, abs=0.05)
    assert never == pytest.approx((0.0,) * 3, abs=0.05)
    assert good[0] == pytest.approx(bad[0], abs=1e-5) and good[0] == pytest.approx(0.75, abs=0.05)
    # after the first token it is known
    assert good[1] == pytest.approx(1, abs=0.05) and bad[1] == pytest.approx(0, abs=0.05)
    assert last["train/critic_loss"] < first["train/critic_loss"] / 4
    assert first["train/critic_explained"] < 0 and last["train/critic_explained"] > 0.7


@pytest.mark.parametrize(
    "wrap", [lambda m: m, lambda m: adapt(m, rank=2, seed=0)], ids=["full", "lora"]
)
def test_saved_state_goes_on_to_the_same_bits(embedded, wrap):
    model = wrap(copy.deepcopy(embedded.model))
    samples = [sample((5, 6, 7), (11, 12), 1.0), sample((8, 9), (11, 13, 12), 0.0)]
    one, other = critic_of(model), critic_of(model)
    learn(one, samples, 3)
    other.load_state(one.state())
    assert values(one, samples) == values(other, samples)
    assert learn(one, samples, 2) == learn(other, samples, 2)
    expected, found = one.state(), other.state()
    assert expected.keys() == found.keys() == {"critic", "critic-optimizer"}
    for file, tensors in expected.items():
        assert tensors.keys() == found[file].keys()
        assert all(torch.equal(t, found[file][n]) for n, t in tensors.items())
    assert values(one, samples) == values(other, samples) != [(0.0,) * 2, (0.0,) * 3]


def test_the_policy_is_not_touched(embedded):
    model = copy.deepcopy(embedded.model)
    learn(critic_of(model), [sample((5, 6, 7), (11, 12), 1.0)], 2)
    expected = dict(embedded.model.named_parameters())
    assert all(torch.equal(p, expected[n]) for n, p in model.named_parameters())
    assert all(p.grad is None for p in model.parameters())
