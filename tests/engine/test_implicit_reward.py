import copy
import math
from functools import partial

import pytest
import torch

from ttrl.engine.companions import ImplicitReward, twin
from ttrl.engine.models import adapt
from ttrl.engine.optimizer import MasterAdamW
from ttrl.engine.token_model import TokenModel
from ttrl.types import Completion, TrainingSample


def reward_model_of(model, *, beta=0.05, learning_rate=2e-4):
    base = copy.deepcopy(model).requires_grad_(False)
    adapted = hasattr(model, "peft_config")
    return ImplicitReward(
        TokenModel(twin(model), temperature=1.0, token_budget=10_000),
        TokenModel(
            model if adapted else base,
            temperature=1.0,
            token_budget=10_000,
            without_adapter=adapted,
        ),
        beta=beta,
        learning_rate=learning_rate,
        adamw=partial(MasterAdamW, beta2=0.99, weight_decay=0.0, clip_norm=1.0),
    )


def sample(tokens, reward, weight=1.0, prompt=(5, 6)):
    completion = Completion(
        question_id=str(prompt), prompt_ids=tuple(prompt), token_ids=tuple(tokens),
        logprobs=(-1.0,) * len(tokens), entropy=(0.0,) * len(tokens), finish_reason="stop",
        policy_version=0, text="",
    )  # fmt: skip
    return TrainingSample(completion=completion, reward=reward, weight=weight)


def rewards(model, samples):
    """As they are; an update at a rate of 0 changes no weight."""
    return model.learn(samples, rate_share=0.0)[0]


def update(model, *, rate_share=1.0, samples=None):
    return model.learn(samples or FOUR, rate_share=rate_share)[1]


FOUR = [
    sample((11, 12, 13), 1.0, weight=2.0),
    sample((11, 14), 0.0),
    sample((15, 12, 13, 16), 1.0, prompt=(8,)),
    sample((15, 14, 16), 0.0, prompt=(8,)),
]


def test_all_rewards_start_at_0_and_nothing_is_told_apart(random_model):
    model = reward_model_of(random_model)
    assert rewards(model, FOUR[:2]) == [(0.0,) * 3, (0.0,) * 2]
    metrics = update(model, rate_share=0.0)
    assert metrics["train/prime_loss"] == pytest.approx(math.log(2), abs=1e-6)
    assert metrics["train/prime_accuracy"] == pytest.approx(2 / 5)  # a logit of 0 is a no


def test_the_loss_by_hand_with_rewards_outside_of_0_and_1(random_model):
    model = reward_model_of(random_model, beta=0.5)
    with torch.no_grad():
        for p in model._tokens.model.parameters():
            p.add_(torch.sin(torch.arange(p.numel()).view(p.shape) * 0.7) * 0.02)
    told = [
        sample((11, 12, 13), 1.5, weight=2.0),
        sample((11, 14), -0.5),
        sample((15, 14, 16), 0.25, prompt=(8,)),
    ]
    logits = [math.fsum(row) for row in rewards(model, told)]
    assert all(abs(x) > 1e-2 for x in logits)
    yes = [math.log(1 + math.exp(-x)) for x in logits]
    no = [math.log(1 + math.exp(x)) for x in logits]
    expected = (2 * yes[0] + no[1] + 0.25 * yes[2] + 0.75 * no[2]) / 4
    metrics = update(model, rate_share=0.0, samples=told)
    assert metrics["train/prime_loss"] == pytest.approx(expected, abs=1e-5)
    right = 2 * (logits[0] > 0) + (logits[1] <= 0) + (logits[2] <= 0)
    assert metrics["train/prime_accuracy"] == pytest.approx(right / 4)


def test_rewards_are_beta_times_the_log_ratio_to_the_base(random_model):
    model = reward_model_of(random_model, beta=0.5)
    with torch.no_grad():
        for p in model._tokens.model.parameters():
            p.mul_(1.01)
    ids = torch.tensor([[5, 6, 11, 12, 13]])
    with torch.no_grad():
        own, base = (
            torch.log_softmax(m(ids).logits[0, 1:-1].float(), -1)[range(3), [11, 12, 13]]
            for m in (model._tokens.model, random_model)
        )
    (found,) = rewards(model, FOUR[:1])
    assert found == pytest.approx((0.5 * (own - base)).tolist(), abs=1e-4)


def test_rewards_are_those_after_the_update(embedded):
    model = reward_model_of(embedded.model)
    told, _ = model.learn(FOUR, rate_share=1.0)
    assert any(any(row) for row in told) and told == rewards(model, FOUR)


def test_it_learns_to_tell_agreement_from_disagreement(embedded):
    model = reward_model_of(embedded.model, learning_rate=1e-3)
    first = update(model)
    for _ in range(60):
        last = update(model)
    assert first["train/prime_accuracy"] == pytest.approx(2 / 5)
    assert last["train/prime_accuracy"] == pytest.approx(1)
    assert last["train/prime_loss"] < 0.9 * math.log(2)
    sums = [math.fsum(row) for row in rewards(model, FOUR)]
    assert min(sums[0], sums[2]) > 0 > max(sums[1], sums[3])


@pytest.mark.parametrize(
    "wrap", [lambda m: m, lambda m: adapt(m, rank=2, seed=0)], ids=["full", "lora"]
)
def test_saved_state_goes_on_to_the_same_bits(embedded, wrap):
    policy = wrap(copy.deepcopy(embedded.model))
    one, other = reward_model_of(policy), reward_model_of(policy)
    for _ in range(3):
        update(one)
    other.load_state(one.state())
    for _ in range(2):
        assert update(one) == update(other)
    expected, found = one.state(), other.state()
    assert expected.keys() == found.keys() == {"implicit-reward", "implicit-reward-optimizer"}
    for file, tensors in expected.items():
        assert tensors.keys() == found[file].keys()
        assert all(torch.equal(t, found[file][n]) for n, t in tensors.items())
    assert (
        rewards(one, FOUR)
        == rewards(other, FOUR)
        != [(0.0,) * 3, (0.0,) * 2, (0.0,) * 4, (0.0,) * 3]
    )


def test_the_policy_and_the_base_are_not_touched(embedded):
    policy = copy.deepcopy(embedded.model)
    model = reward_model_of(policy)
    update(model)
    expected = dict(embedded.model.named_parameters())
    for untouched in (policy, model._reference.model):
        assert all(torch.equal(p, expected[n]) for n, p in untouched.named_parameters())
