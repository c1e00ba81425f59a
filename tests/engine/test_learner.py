"""Every algorithm on real models: the gradient depends on the samples and on nothing else."""

import copy
import math
from dataclasses import replace

import pytest
import torch

from ttrl.config import RunConfig
from ttrl.engine.learner import make_learner
from ttrl.engine.models import adapt
from ttrl.engine.optimizer import MasterAdamW
from ttrl.rl.algorithms import dpo, policy_gradient
from ttrl.rl.algorithms.grpo import Grpo
from ttrl.rl.algorithms.ppo import Ppo
from ttrl.rl.algorithms.registry import ALGORITHMS, make_algorithm
from ttrl.types import Completion, Consensus, Group, Question, ScoredGroup, TrainingSample

NOBODY = Consensus(
    pseudo_label=None, winner=None, answers=(), class_of=(), counts=(), labels=(), keys=(),
    support=(), voters=0.0, majority_ratio=0.0, tied=False, abstained=0,
)  # fmt: skip
PLAIN = [(name, {}) for name in ALGORITHMS]
OTHERS = [
    ("grpo", {"kl_coefficient": 0.3, "entropy_coefficient": 0.1, "dual_clip": 3.0}),
    ("grpo", {"importance_cap": 1.1, "loss_aggregation": "sequence-mean"}),
    ("rloo", {"kl_coefficient": 0.3, "kl_in": "reward", "kl_estimator": "k1"}),
    ("reinforce++", {"kl_coefficient": 0.3, "kl_in": "reward", "kl_estimator": "k2"}),
    ("ppo", {"gae_lambda": 0.9, "kl_coefficient": 0.3, "kl_estimator": "k2"}),
    ("dpo", {"dpo_loss": "ipo"}),
    ("dpo", {"dpo_loss": "sigmoid-norm", "dpo_label_smoothing": 0.1}),
]


def named(case):
    return case if isinstance(case, str) else "-".join(map(str, case.values())) or "plain"


def prompt(id):
    return tuple(3 + (7 * ord(id) + i) % 90 for i in range(2 + ord(id) % 5))


def groups_of(model, rewards, *, temperature=0.9):
    """Completions of several questions, some of them equal, drawn from a policy somewhat off the model."""
    found = []
    for id, given in rewards.items():
        drawn = []
        for i in range(len(given)):
            kind = i if i < 2 else i % 5  # 2, 7, 12 ... are equal
            length = 1 + (kind * 5 + ord(id)) % 7
            tokens = tuple(
                3 + (ord(id) * 13 + kind * (t + 3) * 11 + t * t) % 90 for t in range(length)
            )
            with torch.no_grad():
                logits = model(torch.tensor([prompt(id) + tokens])).logits[
                    0, len(prompt(id)) - 1 : -1
                ]
            told = torch.log_softmax(logits.float() / temperature, -1)
            told = told.gather(1, torch.tensor(tokens)[:, None])[:, 0]
            off = torch.tensor([0.3 * math.sin(5 * kind + 3 * t) for t in range(length)])
            drawn.append(
                Completion(
                    question_id=id, prompt_ids=prompt(id), token_ids=tokens,
                    logprobs=tuple((told + off).tolist()), entropy=(0.0,) * length,
                    finish_reason="stop", policy_version=0, text="",
                )
            )  # fmt: skip
        group = Group(question=Question(id=id, prompt="?"), completions=tuple(drawn))
        found.append(
            ScoredGroup(
                group=group,
                consensus=NOBODY,
                rewards=tuple(given),
                kept=tuple(range(len(given))),
            )
        )
    return found


REWARDS = {
    "a": [
        1.0,
        0.0,
        1.0,
        1.0,
        0.0,
        0.5,
        0.0,
        1.0,
    ],  # the third and the last are equal and both earn 1
    "b": [0.0, 1.0, 0.0, 0.0],
    "c": [1.0, 1.0, 1.0],
}


def shaken(model, seed):
    """A model near another one."""
    made = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in made.parameters():
            p.add_(torch.randn(p.shape, generator=generator) * 0.02)
    return made


def learner_of(model, name, settings):
    """With a base, a critic and a reward model that differ from the policy."""
    config = RunConfig(
        algorithm=name,
        clip_norm=1e9,
        **{"temperature": 0.9, "micro_batch_tokens": 10_000} | settings,
    )
    algorithm = make_algorithm(config)
    learner = make_learner(model, algorithm, config, load_base=lambda: shaken(model, 1))
    if learner._implicit_reward is not None:
        phi = learner._implicit_reward._tokens.model
        phi.load_state_dict(shaken(model, 2).state_dict())
    if learner._critic is not None:
        with torch.no_grad():
            head = learner._critic._head
            head.weight.copy_(torch.linspace(-0.1, 0.1, head.weight.shape[1])[None])
            head.bias.fill_(0.3)
    return learner, algorithm


# packed trees where there are native kernels, and plain rows
pytestmark = pytest.mark.parametrize("random_model", ["llama", "gemma2"], indirect=True)


@pytest.fixture
def model(random_model):
    with torch.no_grad():  # milder logits, for less rounding
        for p in random_model.parameters():
            if p.ndim == 2:
                p.mul_(0.4)
    return random_model


@pytest.fixture
def step(monkeypatch):
    """One step's gradients, of every model that learns, in their order; no weight changes."""

    def run(model, case, scored, *, change=lambda samples: samples, **options):
        name, settings = case
        learner, algorithm = learner_of(model, name, settings | options)
        gradients = []

        def record(self, rate):
            gradients.append(
                {n: p.grad.clone() for n, p in self._named.items() if p.grad is not None}
            )
            self.zero_grad()

        with monkeypatch.context() as patch:
            patch.setattr(MasterAdamW, "step", record)
            learner.begin_step(1.0)
            samples, _ = algorithm.training_samples(scored, learner)
            metrics = learner.update(change(samples), algorithm)
        assert len(gradients) == {"ppo": 2, "prime": 2}.get(name, 1)
        assert all(any(g.abs().max() > 1e-5 for g in found.values()) for found in gradients)
        return gradients, metrics

    return run


def assert_close(left, right):
    assert len(left) == len(right)
    for mine, other in zip(left, right, strict=True):
        assert mine.keys() == other.keys()
        largest = max(1.0, *(g.abs().max().item() for g in other.values()))
        for name in mine:
            torch.testing.assert_close(
                mine[name], other[name], atol=1e-6 * largest, rtol=1e-4, msg=name
            )


@pytest.mark.parametrize(("name", "settings"), PLAIN + OTHERS, ids=named)
def test_the_gradient_does_not_depend_on_micro_batches(model, step, name, settings):
    scored = groups_of(model, REWARDS)
    expected, metrics = step(model, (name, settings), scored)
    for budget in (1, 23):
        found, again = step(model, (name, settings), scored, micro_batch_tokens=budget)
        assert_close(found, expected)
        for key in metrics.keys() - {"train/tokens"}:
            assert again[key] == pytest.approx(metrics[key], abs=1e-5, rel=1e-4), key


@pytest.mark.parametrize("name", ["grpo", "ppo", "dpo", "prime"])
def test_making_activations_again_changes_no_gradient(model, step, name):
    scored = groups_of(model, REWARDS)
    expected, metrics = step(model, (name, {}), scored)
    found, again = step(model, (name, {}), scored, gradient_checkpointing=True)
    assert_close(found, expected)
    assert again["train/loss"] == pytest.approx(metrics["train/loss"], abs=1e-6)


def unfolded(scored):
    return [TrainingSample(completion=c, reward=r, weight=1.0) for c, r in scored.trained]


@pytest.mark.parametrize(("name", "settings"), PLAIN + OTHERS, ids=named)
def test_folding_leaves_every_gradient_as_it_was(model, step, monkeypatch, name, settings):
    scored = groups_of(model, REWARDS)
    assert len(set(scored[0].group.completions)) < len(scored[0].group.completions)
    expected, metrics = step(model, (name, settings), scored)
    for module in (dpo, policy_gradient):
        monkeypatch.setattr(module, "fold", unfolded)
    found, again = step(model, (name, settings), scored)
    assert_close(found, expected)
    assert again["train/distinct_samples"] > metrics["train/distinct_samples"]
    for key in metrics.keys() - {"train/tokens", "train/distinct_samples"}:
        assert again[key] == pytest.approx(metrics[key], abs=1e-5, rel=1e-4), key


GRADIENT = [case for case in PLAIN if case[0] != "dpo"]


@pytest.mark.parametrize(("name", "settings"), GRADIENT, ids=named)
def test_leaving_out_samples_without_advantage_changes_no_gradient(model, step, name, settings):
    """An entropy bonus of 1e-30 forces every sample through the model and adds nothing."""

    def silenced(samples):
        return [
            replace(s, advantages=(0.0,) * len(s.advantages)) if i % 3 == 0 else s
            for i, s in enumerate(samples)
        ]

    scored = groups_of(model, REWARDS)
    some, few = step(model, (name, settings), scored, change=silenced)
    every, all_ = step(model, (name, settings), scored, change=silenced, entropy_coefficient=1e-30)
    assert few["train/tokens"] < all_["train/tokens"]
    assert few["train/loss"] == pytest.approx(all_["train/loss"], abs=1e-6)
    assert_close(some, every)


@pytest.mark.parametrize("name", ["grpo", "dr-grpo", "gspo", "rloo"])
def test_questions_without_variance_count_in_the_denominator(model, step, name):
    """Two equal questions, one of which says nothing: half the gradient of one alone."""
    case = (name, {"loss_aggregation": "sequence-mean"})
    both = {"a": [1.0, 0.0, 1.0], "b": [1.0, 1.0, 1.0]}
    alone, _ = step(model, case, groups_of(model, {"a": both["a"]}))
    half, _ = step(model, case, groups_of(model, both))
    assert_close([{n: 2 * g for n, g in half[0].items()}], alone)


@pytest.mark.parametrize("name", ["dapo", "dpo"])
def test_questions_without_variance_do_not_count_where_they_are_left_out(model, step, name):
    both = {"a": [1.0, 0.0, 1.0], "b": [1.0, 1.0, 1.0]}
    alone, _ = step(model, (name, {}), groups_of(model, {"a": both["a"]}))
    found, _ = step(model, (name, {}), groups_of(model, both))
    assert_close(found, alone)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_advantages_sum_to_zero_where_they_are_compared(model, name):
    learner, algorithm = learner_of(model, name, {})
    samples, _ = algorithm.training_samples(groups_of(model, REWARDS), learner)
    samples, _ = algorithm.prepare(samples, learner)

    def total(some, of):
        return math.fsum(s.weight * a for s in some for a in of(s.advantages))

    if name in {"reinforce++", "ppo"}:
        assert total(samples, list) == pytest.approx(0, abs=1e-6)
    elif name != "prime":  # whose process rewards depend on lengths
        for id in REWARDS:
            here = [s for s in samples if s.completion.question_id == id]
            assert total(here, lambda advantages: advantages[:1]) == pytest.approx(0, abs=1e-6)


def test_parts_learn_at_their_own_rate_times_the_share_of_the_step(model, monkeypatch):
    for name, key in (("ppo", "critic_learning_rate"), ("prime", "prime_learning_rate")):
        learner, algorithm = learner_of(model, name, {key: 0.5, "learning_rate": 0.25})
        rates = []

        def record(self, rate, seen=rates):
            seen.append(rate)
            self.zero_grad()

        monkeypatch.setattr(MasterAdamW, "step", record)
        learner.begin_step(0.1)
        samples, _ = algorithm.training_samples(groups_of(model, REWARDS), learner)
        metrics = learner.update(samples, algorithm)
        assert sorted(rates) == pytest.approx([0.025, 0.05])
        assert metrics["train/learning_rate"] == pytest.approx(0.025)


def test_no_part_learns_where_the_policy_has_nothing_to_learn(model):
    learner, algorithm = learner_of(model, "ppo", {})
    samples, _ = algorithm.training_samples(groups_of(model, REWARDS), learner)
    silent = [replace(s, advantages=(0.0,) * len(s.advantages)) for s in samples]
    assert learner.update(silent, algorithm) == {}
    assert learner.state()["critic-optimizer"] == {}


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_few_updates_make_agreement_likelier(model, name):
    """Log-probability of the completions that earn, against that of those that do not."""
    case = (
        {"learning_rate": 3e-4, "clip_low": 0.2, "clip_high": 0.5}
        if name != "dpo"
        else {"learning_rate": 3e-4}
    )
    learner, algorithm = learner_of(model, name, case)
    scored = groups_of(model, {"a": REWARDS["a"], "b": REWARDS["b"]})

    def lead():
        found = []
        for group in scored:
            told = learner.logprobs(group.group.completions)
            middle = sum(group.rewards) / len(group.rewards)
            found += [
                (r - middle) * sum(row) / len(row)
                for r, row in zip(group.rewards, told, strict=True)
            ]
        return sum(found)

    before = lead()
    learner.begin_step(1.0)
    samples, _ = algorithm.training_samples(scored, learner)
    for _ in range(3):
        learner.update(samples, algorithm)
    assert lead() > before


@pytest.mark.parametrize("name", ["grpo", "ppo", "dpo", "prime"])
def test_with_adapters_only_adapters_learn_and_the_base_is_there_once(model, name):
    model = adapt(model, rank=2, seed=0)
    config = RunConfig(algorithm=name, lora=2, learning_rate=1e-2, temperature=0.9)
    algorithm = make_algorithm(config)
    learner = make_learner(model, algorithm, config, load_base=lambda: pytest.fail("not needed"))
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    base = {p.data_ptr() for n, p in model.named_parameters() if "lora_" not in n}
    scored = groups_of(model, REWARDS)
    completions = [c for g in scored for c in g.group.completions]
    plain = learner.logprobs(completions)  # the adapter starts as nothing
    for _ in range(2):
        samples, _ = algorithm.training_samples(scored, learner)
        learner.update(samples, algorithm)
    changed = {n for n, p in model.named_parameters() if not torch.equal(p, before[n])}
    assert changed and all("lora_" in n for n in changed)
    assert learner.logprobs(completions) != plain
    for part in learner._parts():
        beside = dict(part._tokens.model.named_parameters())
        assert {p.data_ptr() for n, p in beside.items() if "lora_" not in n} == base
        moved = {n for n, p in beside.items() if not torch.equal(p, before[n])}
        assert moved and all("lora_" in n for n in moved)
        assert not {p.data_ptr() for p in model.parameters()} & {
            p.data_ptr() for n, p in beside.items() if "lora_" in n
        }
    if name in {"dpo", "prime"}:
        told = learner.reference_logprobs(completions)
        for mine, other in zip(told, plain, strict=True):
            assert mine == pytest.approx(other, abs=1e-5)


def test_the_row_of_an_algorithm_and_not_its_class_says_what_is_beside_the_policy(model):
    class WithCritic(Grpo):
        __slots__ = ()
        critic_learning_rate, value_clip = 1e-3, 0.5
        row = replace(Grpo.row, companion=Ppo.row.companion)

    class WithoutCritic(Ppo):
        __slots__ = ()
        row = replace(Ppo.row, companion=None)

    config = RunConfig(algorithm="grpo")
    settings = {key: getattr(config, key) for key in Grpo.row.settings}
    with_critic = make_learner(model, WithCritic(**settings), config)
    assert set(with_critic.state()) == {"optimizer", "critic", "critic-optimizer"}
    without = make_algorithm(RunConfig(algorithm="ppo"))
    settings = {key: getattr(without, key) for key in Ppo.row.settings}
    assert set(make_learner(model, WithoutCritic(**settings), config).state()) == {"optimizer"}
