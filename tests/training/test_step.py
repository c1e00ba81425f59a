"""Every algorithm through a whole step: votes of the embedded model, rewards, updates."""

import copy
import math

import pytest
import torch

from ttrl.answers.tasks import get_task
from ttrl.config import RunConfig
from ttrl.consensus.rules import make_rule
from ttrl.data.prompts import Prompter
from ttrl.data.word_problems import word_problems
from ttrl.engine.learner import make_learner
from ttrl.engine.sampler import NativeSampler
from ttrl.rl.algorithms.registry import ALGORITHMS, make_algorithm
from ttrl.training.step import ttrl_step

OWN_METRICS = {
    "ppo": {"train/critic_loss", "train/critic_grad_norm", "train/critic_explained"},
    "dpo": {"train/dpo_loss", "train/dpo_accuracy"},
    "prime": {"train/prime_loss", "train/prime_grad_norm", "train/prime_accuracy"},
}


def run(embedded, algorithm, steps=2, **settings):
    model = copy.deepcopy(embedded.model)
    config = RunConfig(
        algorithm=algorithm, votes_per_question=8, trained_per_question=8, max_tokens=96,
        learning_rate=1e-4, warmup_steps=0, **{"updates_per_step": 2, "passes_per_step": 2} | settings,
    )  # fmt: skip
    task, rule = get_task("math"), make_algorithm(config)
    prompter = Prompter(embedded.tokenizer, template=embedded.prompt_template, task=task)
    sampler = NativeSampler(model, embedded.tokenizer, prompter, max_rows=64)
    learner = make_learner(model, rule, config)
    problems = word_problems(kind="chain", split="unlabeled", count=3, seed=0, difficulty=4)
    results = [
        ttrl_step(
            [p.question for p in problems],
            sampler=sampler,
            learner=learner,
            task=task,
            rule=make_rule(config),
            algorithm=rule,
            config=config,
            step=step,
        )
        for step in range(steps)
    ]
    return model, results


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_takes_a_step_to_the_same_bits(embedded, algorithm):
    model, results = run(embedded, algorithm)
    before = dict(embedded.model.named_parameters())
    for result in results:
        assert result.skipped is None
        metrics = result.metrics
        assert all(math.isfinite(value) for value in metrics.values())
        assert OWN_METRICS.get(algorithm, set()) <= metrics.keys()
        assert metrics["train/updates"] >= 2 and metrics["train/grad_norm"] > 0
        assert metrics["train/sampler_gap_max"] < 1e-3  # the first update is on policy
    assert any(not torch.equal(p, before[n]) for n, p in model.named_parameters())
    again, _ = run(embedded, algorithm)
    expected = dict(again.named_parameters())
    assert all(torch.equal(p, expected[n]) for n, p in model.named_parameters())


@pytest.mark.parametrize("where", ["loss", "reward"])
def test_kl_and_entropy_through_a_whole_step(embedded, where):
    settings = {"kl_coefficient": 0.1, "kl_in": where, "entropy_coefficient": 0.01}
    once = {"updates_per_step": 1, "passes_per_step": 1, "importance_cap": 2.0}
    _, results = run(embedded, "grpo", **settings, **once)
    for result in results:
        metrics = result.metrics
        # all votes are trained on, and the sampler has told the entropy of each of their tokens
        told = [e for s in result.scored for c in s.group.completions for e in c.entropy]
        assert metrics["train/entropy"] == pytest.approx(sum(told) / len(told), abs=1e-4)
    first, second = (r.metrics["train/kl"] for r in results)
    assert first == pytest.approx(0, abs=1e-6) and second > 1e-6
