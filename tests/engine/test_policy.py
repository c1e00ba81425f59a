import copy
import math
from dataclasses import replace

import pytest
import torch

from ttrl.answers.tasks import get_task
from ttrl.config import RunConfig
from ttrl.data.prompts import Prompter
from ttrl.engine.fast import kernel
from ttrl.engine.learner import make_learner
from ttrl.engine.models import adapt
from ttrl.engine.sampler import NativeSampler
from ttrl.engine.token_model import layout_for
from ttrl.errors import NumericsError
from ttrl.rl.algorithms.registry import make_algorithm
from ttrl.types import Question, SamplingParams, TrainingSample

GRPO = make_algorithm(RunConfig(algorithm="grpo"))
QUESTIONS = [Question(id=str(i), prompt="?" * (3 + i)) for i in range(3)]


def learner_of(model, algorithm=GRPO, **settings):
    settings = {"micro_batch_tokens": 10_000, "temperature": 0.9, **settings}
    return make_learner(model, algorithm, RunConfig(clip_norm=1e9, weight_decay=0.0, **settings))


def policy_of(model, **settings):
    return learner_of(model, **settings).policy


def with_advantage(sample, advantage, weight=1.0):
    n = len(sample.completion.token_ids)
    return replace(sample, advantages=(advantage,) * n, weight=weight)


def samples_of(model, tokenizer, n=8):
    """Sampled completions, some equal, with made-up advantages that sum to nothing special."""
    prompter = Prompter(tokenizer, template="{question}", task=get_task("math"))
    sampler = NativeSampler(model, tokenizer, prompter, max_rows=64)
    groups = sampler.sample(
        QUESTIONS, n=n, params=SamplingParams(temperature=0.9, max_tokens=7), seed=0
    )
    return [
        TrainingSample(
            completion=c,
            reward=0.0,
            weight=1.0 + i % 2,
            advantages=(math.sin(3.0 * i + len(c.token_ids)),) * len(c.token_ids),
        )
        for group in groups
        for i, c in enumerate(group.completions)
    ]


def gradient(policy, samples, algorithm=GRPO):
    """The gradient that `update` would step along, and its metrics."""
    found = {}
    policy.optimizer.step = lambda rate: found.update(
        {n: p.grad.clone() for n, p in policy.model.named_parameters() if p.grad is not None}
    )
    metrics = policy.update(samples, algorithm, learning_rate=0.0)
    policy.optimizer.zero_grad()
    return found, metrics


def naive_gradient(model, samples, temperature=0.9):
    """Straight from the formula, one completion at a time, by an ordinary forward pass."""
    tokens = sum(s.weight * len(s.completion.token_ids) for s in samples)
    loss = 0.0
    for s in samples:
        c = s.completion
        logits = model(torch.tensor([c.prompt_ids + c.token_ids])).logits[
            0, len(c.prompt_ids) - 1 : -1
        ]
        logp = torch.log_softmax(logits / temperature, -1).gather(
            1, torch.tensor(c.token_ids)[:, None]
        )[:, 0]
        ratio = torch.exp(logp - torch.tensor(c.logprobs))
        advantages = torch.tensor(s.advantages)
        surrogate = torch.minimum(ratio * advantages, ratio.clamp(0.8, 1.2) * advantages)
        loss = loss - s.weight * surrogate.sum() / tokens
    model.zero_grad()
    loss.backward()
    found = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    model.zero_grad(set_to_none=True)
    return found, loss.item()


def assert_close(left, right, tolerance=1e-6):
    assert left.keys() == right.keys()
    for name in left:
        torch.testing.assert_close(left[name], right[name], atol=tolerance, rtol=1e-4)


def test_the_gradient_is_that_of_the_formula_on_every_family(random_model, tokenizer):
    samples = samples_of(random_model, tokenizer)
    expected, loss = naive_gradient(random_model, samples)
    policy = policy_of(random_model)
    found, metrics = gradient(policy, samples)
    assert metrics["train/loss"] == pytest.approx(loss, abs=1e-5)
    assert_close(found, expected, tolerance=3e-6)


def test_trees_have_the_gradient_of_the_formula_in_every_family_they_are_used_for(
    tree_model, tokenizer
):
    samples = samples_of(tree_model, tokenizer)
    expected, _ = naive_gradient(tree_model, samples)
    for layout in ("trees", "rows"):
        policy = policy_of(tree_model)
        policy._tokens._layout = layout
        assert_close(gradient(policy, samples)[0], expected, tolerance=3e-5)


def test_the_gradient_does_not_depend_on_micro_batches_or_trees(random_model, tokenizer):
    samples = samples_of(random_model, tokenizer)
    expected, _ = gradient(policy_of(random_model), samples)
    for budget in (1, 20, 45):
        assert_close(
            gradient(policy_of(random_model, micro_batch_tokens=budget), samples)[0], expected
        )
    plain = policy_of(random_model)
    plain._tokens._layout = "rows"
    assert_close(gradient(plain, samples)[0], expected)


def test_folding_equal_completions_leaves_the_gradient_as_it_was(random_model, tokenizer):
    sample = samples_of(random_model, tokenizer)[0]
    one, three = (with_advantage(sample, 0.7, weight) for weight in (1.0, 3.0))
    assert_close(
        gradient(policy_of(random_model), [three])[0],
        gradient(policy_of(random_model), [one] * 3)[0],
    )


def test_on_policy_the_ratio_is_one_so_sampler_and_trainer_agree(random_model, tokenizer):
    class Ratios:
        loss_aggregation, wants_entropy, wants_reference = "token-mean", False, False

        def loss(self, batch, predictions):
            self.gap = (predictions.logprobs - batch.old_logprobs).abs().max().item()
            return GRPO.loss(batch, predictions)

    ratios = Ratios()
    _, metrics = gradient(policy_of(random_model), samples_of(random_model, tokenizer), ratios)
    assert ratios.gap < 1e-4
    assert metrics["train/sampler_gap"] <= metrics["train/sampler_gap_max"] < 1e-4


def test_layouts_follow_from_what_a_model_can_take(random_model, tree_model, monkeypatch):
    kind = random_model.config.model_type
    if kernel.compiled() is not None:
        assert layout_for(random_model) == {"gemma2": "rows"}.get(kind, "packed")
    monkeypatch.setattr(kernel, "compiled", lambda: None)
    assert layout_for(random_model) == {"gemma2": "rows"}.get(kind, "trees")
    assert layout_for(tree_model) == "trees"


def test_a_loss_that_is_not_finite_changes_no_weight(random_model, tokenizer):
    samples = samples_of(random_model, tokenizer)
    bad = with_advantage(samples[0], math.nan)
    before = {n: p.detach().clone() for n, p in random_model.named_parameters()}
    with pytest.raises(NumericsError, match="no update was made"):
        policy_of(random_model).update([bad, *samples], GRPO, learning_rate=1.0)
    assert all(torch.equal(p, before[n]) for n, p in random_model.named_parameters())
    assert all(p.grad is None for p in random_model.parameters())


def test_an_update_makes_a_rewarded_completion_likelier(random_model, tokenizer):
    sample = samples_of(random_model, tokenizer)[0]
    good = with_advantage(sample, 1.0)
    policy = policy_of(random_model)
    losses = [policy.update([good], GRPO, learning_rate=1e-5)["train/loss"] for _ in range(3)]
    assert losses[2] < losses[1] < losses[0] == pytest.approx(-1, abs=1e-4)


def flat(rows):
    return [x for row in rows for x in row]


def test_the_reference_of_full_training_is_a_frozen_copy(embedded):
    samples = samples_of(embedded.model, embedded.tokenizer, n=4)
    model = copy.deepcopy(embedded.model)
    with_kl = make_algorithm(RunConfig(kl_coefficient=1.0))
    learner = learner_of(model, with_kl)
    completions = [s.completion for s in samples]
    before = learner.reference_logprobs(completions)
    assert before == learner.logprobs(completions)
    first = learner.policy.update(samples, with_kl, learning_rate=0.01)
    second = learner.policy.update(samples, with_kl, learning_rate=0.01)
    assert first["train/kl"] == pytest.approx(0, abs=1e-6) and second["train/kl"] > 1e-5
    assert learner.reference_logprobs(completions) == before
    assert flat(learner.logprobs(completions)) != pytest.approx(flat(before), abs=1e-3)
    reference = learner._reference.model
    mine = {p.data_ptr() for p in model.parameters()}
    assert not any(p.requires_grad or p.data_ptr() in mine for p in reference.parameters())
    assert all(p.requires_grad for p in model.parameters())


def test_the_reference_is_the_base_that_is_loaded_where_weights_were_changed(embedded):
    """As after a resumed run, whose model is not the base any more."""
    samples = samples_of(embedded.model, embedded.tokenizer, n=4)
    completions = [s.completion for s in samples]
    model = copy.deepcopy(embedded.model)
    with torch.no_grad():
        model.lm_head.weight.mul_(1.5)
    config = RunConfig(kl_coefficient=1.0, temperature=0.9)
    learner = make_learner(
        model, make_algorithm(config), config, load_base=lambda: copy.deepcopy(embedded.model)
    )
    base = policy_of(embedded.model).logprobs(completions)
    assert learner.reference_logprobs(completions) == base != learner.logprobs(completions)


def test_the_reference_of_an_adapter_is_the_base_without_it(embedded):
    samples = samples_of(embedded.model, embedded.tokenizer, n=4)
    adapted = adapt(copy.deepcopy(embedded.model), rank=2, seed=0)
    with_kl = make_algorithm(RunConfig(kl_coefficient=1.0))
    learner = learner_of(adapted, with_kl)
    policy, completions = learner.policy, [s.completion for s in samples]
    base = policy_of(embedded.model).logprobs(completions)
    first = policy.update(samples, with_kl, learning_rate=0.01)
    second = policy.update(samples, with_kl, learning_rate=0.01)
    assert first["train/kl"] == pytest.approx(0, abs=1e-6) and second["train/kl"] > 1e-5
    assert flat(learner.reference_logprobs(completions)) == pytest.approx(flat(base), abs=1e-5)
    assert flat(policy.logprobs(completions)) != pytest.approx(flat(base), abs=1e-3)
    trained = {n for n, p in adapted.named_parameters() if p.requires_grad}
    assert trained and all("lora_" in n for n in trained)
