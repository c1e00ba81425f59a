"""Advantages, losses and their gradients are those of TRL's own code, run on the same numbers.

TRL's methods are called unbound, on a trainer that answers with given log-probabilities. Not in the
development requirements, for TRL is slow to install: pip install -e '.[trl]'.
"""

from __future__ import annotations

from collections import defaultdict
from types import SimpleNamespace

import pytest
import torch

from ttrl.rl.advantages import group_advantages

trl = pytest.importorskip("trl", reason="TRL is not installed: pip install -e '.[trl]'")

LENGTHS = [[3, 6, 1, 4], [5, 2, 2, 3]]
REWARDS = [[1.0, 0.0, 0.0, 1.0], [0.25, 1.0, 0.5, 0.0]]
LONGEST = 11
WORST: dict[str, float] = defaultdict(float)


@pytest.fixture(scope="module", autouse=True)
def worst():
    """Seen with pytest -s."""
    yield
    print("\n" + "\n".join(f"{name}: {gap:.1e}" for name, gap in sorted(WORST.items())))


def close(name, ours, theirs, tolerance=1e-5):
    difference = (torch.as_tensor(ours) - torch.as_tensor(theirs)).abs().max().item()
    WORST[name] = max(WORST[name], difference)
    assert difference < tolerance, f"{name}: {difference}"


def padded(rows):
    width = max(map(len, rows))
    return torch.tensor([[*row, *[0.0] * (width - len(row))] for row in rows])


def rows_of(table, lengths):
    return [row[:n].tolist() for row, n in zip(table, lengths, strict=True)]


class Accelerator:
    """One process."""

    num_processes, process_index, sync_gradients = 1, 0, True
    device = torch.device("cpu")

    @staticmethod
    def gather(values):
        return values

    gather_for_metrics = gather

    @staticmethod
    def reduce(values, reduction):
        return values


@pytest.fixture
def numbers(completion, group, fake_models):
    """Two questions, four completions each: log-probabilities of sampler, trainer, base and new policy."""
    generator = torch.Generator().manual_seed(0)

    def noise(scale, rows):
        return [
            (torch.randn(len(r), generator=generator) * scale + torch.tensor(r)).tolist()
            for r in rows
        ]

    ids = [[20 * q + g + 1] * n for q in range(2) for g, n in enumerate(LENGTHS[q])]
    lengths = [len(row) for row in ids]
    sampler = noise(0.5, [[-1.5] * n for n in lengths])
    old = noise(0.4, sampler)
    base = noise(0.4, sampler)
    new = noise(0.6, old)
    entropy = [[abs(x) for x in row] for row in noise(1.0, [[1.0] * n for n in lengths])]

    def groups(drawn_from):
        made = [
            completion(t, logprobs=lp, id=f"q{i // 4}")
            for i, (t, lp) in enumerate(zip(ids, drawn_from, strict=True))
        ]
        return [group(made[4 * q : 4 * q + 4], REWARDS[q]) for q in range(2)]

    keys = [tuple(row) for row in ids]
    models = fake_models(
        own=dict(zip(keys, old, strict=True)), reference=dict(zip(keys, base, strict=True))
    )
    return SimpleNamespace(
        ids=ids, lengths=lengths, sampler=sampler, old=old, base=base, new=new, entropy=entropy,
        groups=groups, models=models,
    )  # fmt: skip


def trainer_of(numbers, *, sampler, **changes):
    """What TRL's methods read of a trainer."""
    policy = SimpleNamespace(training=True, is_gradient_checkpointing=False, name="old")
    reference = SimpleNamespace(name="base")
    tables = {"old": padded(numbers.old), "base": padded(numbers.base)}

    def logps(model, *args, **kwargs):
        return tables[model.name], padded(numbers.entropy), None

    def rewards(*args):
        return torch.tensor([[r] for row in REWARDS for r in row])

    prompts = [[1, 2]] * len(numbers.ids)
    args = SimpleNamespace(
        per_device_train_batch_size=len(numbers.ids), steps_per_generation=1, delta=None,
        gradient_accumulation_steps=1, gradient_checkpointing_kwargs=None, use_bias_correction_kl=False,
        gradient_checkpointing=False,
    )  # fmt: skip
    return SimpleNamespace(**{
        "accelerator": Accelerator(), "model": policy, "ref_model": reference, "args": args,
        "tables": tables, "_metrics": defaultdict(lambda: defaultdict(list)),
        "_logs": {"prompt": [], "completion": [], "rewards": defaultdict(list), "advantages": [],
                  "extra": defaultdict(list), "images": []},
        "_pending_extra_logs": {}, "_pending_metrics": {}, "_tokenizer": SimpleNamespace(pad_token_id=0),
        "_get_per_token_logps_and_entropies": logps, "_calculate_rewards": rewards,
        "_generate": lambda _: (
            prompts, numbers.ids, None, [""] * len(prompts), sampler, {}, None, None
        ),
        "environment_factories": None, "environments": None, "tools": None, "_is_vlm": False,
        "num_generations": 4, "reward_weights": torch.ones(1), "reward_func_names": ["agreement"],
        "reward_funcs": [None], "scale_rewards": "group", "reward_clip_range": None,
        "multi_objective_aggregation": "sum_then_normalize", "normalize_advantages": False,
        "pad_to_multiple_of": None, "mask_truncated_completions": False, "num_iterations": 2,
        "use_vllm": False, "vllm_importance_sampling_correction": True,
        "vllm_importance_sampling_mode": "token_truncate", "vllm_importance_sampling_clip_min": None,
        "vllm_importance_sampling_clip_max": None, "log_multimodal": False, "chat_template_kwargs": {},
        "aux_loss_enabled": False, "top_entropy_quantile": 1.0, "off_policy_mask_threshold": None,
        "importance_sampling_level": "token", "beta": 0.0, "loss_type": "grpo", "epsilon_low": 0.2,
        "epsilon_high": 0.2, "current_gradient_accumulation_steps": 1, "max_completion_length": LONGEST,
        "_entropy_bonus_enabled": False, "use_adaptive_entropy": False, "entropy_coef": 0.0,
    } | changes)  # fmt: skip


def theirs(kind, numbers, trainer, advantages=None):
    """Loss, gradient by the new log-probabilities, and the inputs that TRL made for its loss."""
    prompts = [{"prompt": "?"} for _ in numbers.ids]
    inputs = kind._generate_and_score_completions(trainer, prompts)
    if advantages is not None:
        inputs = {**inputs, "advantages": advantages}
    new = padded(numbers.new).requires_grad_()
    trainer.tables["old"] = new  # the policy has moved on since
    loss = kind._compute_loss(trainer, trainer.model, inputs)
    loss.backward()
    return loss.item(), rows_of(new.grad, numbers.lengths), inputs


def compare(
    name, numbers, evaluate, algorithm, kind, *, corrected=False, own_advantages=True, **changes
):
    """Ours against TRL's. TRL gets our advantages, or finds its own where they are the same to the end."""
    drawn_from = numbers.sampler if corrected else numbers.old
    samples, _ = algorithm.training_samples(numbers.groups(drawn_from), numbers.models)
    told = {"logprobs": numbers.new, "reference": numbers.base, "entropy": numbers.entropy}
    ours = evaluate(algorithm, samples, **told, longest=LONGEST)
    given = torch.tensor([s.advantages[0] for s in samples])
    trainer = trainer_of(numbers, sampler=drawn_from if corrected else None, **changes)
    loss, gradient, inputs = theirs(kind, numbers, trainer, given if own_advantages else None)
    close(f"{name} loss", ours.loss, loss)
    assert any(map(any, gradient))
    for mine, other in zip(ours.gradient, gradient, strict=True):
        close(f"{name} gradient", mine, other)
    if not own_advantages:
        close(f"{name} advantages", given, inputs["advantages"])
    return trainer


@pytest.fixture
def grpo():
    from trl import GRPOTrainer

    return GRPOTrainer


@pytest.fixture
def rloo():
    from trl import RLOOTrainer

    return RLOOTrainer


# TRL's names of the aggregations
LOSS_TYPES = {"sequence-mean": ["grpo"], "token-mean": ["bnpo", "dapo"], "constant": ["dr_grpo"]}
AGGREGATIONS = [(ours, one) for ours, those in LOSS_TYPES.items() for one in those]


@pytest.mark.parametrize(("aggregation", "loss_type"), AGGREGATIONS)
@pytest.mark.parametrize("beta", [0.0, 0.3])
@pytest.mark.parametrize("delta", [None, 1.5])
def test_grpo(make, evaluate, numbers, grpo, aggregation, loss_type, beta, delta):
    """TRL's delta bounds the ratio, our dual clip the loss where A < 0: the same for delta > 1 + epsilon."""
    algorithm = make(
        "grpo", loss_aggregation=aggregation, kl_coefficient=beta, dual_clip=delta or 0.0
    )
    trainer = trainer_of(numbers, sampler=None).args
    trainer.delta = delta
    compare(
        "grpo", numbers, evaluate, algorithm, grpo, loss_type=loss_type, beta=beta, args=trainer
    )


def test_the_example_clips_on_all_sides(make, evaluate, numbers, grpo):
    """Else equality would say little."""
    algorithm = make("grpo")
    samples, _ = algorithm.training_samples(numbers.groups(numbers.old), numbers.models)
    cases = [
        (a > 0, (torch.tensor(new) - torch.tensor(old)).exp())
        for s, new, old in zip(samples, numbers.new, numbers.old, strict=True)
        for a in s.advantages[:1]
    ]
    up = torch.cat([r for good, r in cases if good])
    down = torch.cat([r for good, r in cases if not good])
    for ratios in (up, down):
        assert (ratios < 0.8).any() and (ratios > 1.5).any()
        assert ((ratios > 0.8) & (ratios < 1.2)).any()


@pytest.mark.parametrize("beta", [0.0, 0.3])
def test_dr_grpo_with_trls_own_advantages(make, evaluate, numbers, grpo, beta):
    algorithm = make("dr-grpo", kl_coefficient=beta)
    changes = {"loss_type": "dr_grpo", "scale_rewards": "none", "beta": beta}
    compare("dr-grpo", numbers, evaluate, algorithm, grpo, own_advantages=False, **changes)


@pytest.mark.parametrize("beta", [0.0, 0.3])
def test_dapo(make, evaluate, numbers, grpo, beta):
    algorithm = make("dapo", kl_coefficient=beta)
    changes = {"loss_type": "dapo", "epsilon_high": 0.28, "beta": beta}
    compare("dapo", numbers, evaluate, algorithm, grpo, **changes)


@pytest.mark.parametrize("beta", [0.0, 0.3])
@pytest.mark.parametrize(("low", "high"), [(3e-4, 4e-4), (0.2, 0.3)])
def test_gspo(make, evaluate, numbers, grpo, beta, low, high):
    algorithm = make("gspo", kl_coefficient=beta, clip_low=low, clip_high=high)
    compare(
        "gspo", numbers, evaluate, algorithm, grpo, importance_sampling_level="sequence",
        loss_type="grpo", epsilon_low=low, epsilon_high=high, beta=beta,
    )  # fmt: skip


@pytest.mark.parametrize("beta", [0.0, 0.3])
@pytest.mark.parametrize(("low", "high"), [(0.2, 0.2), (0.9, 20.0)])
def test_rloo_with_trls_own_advantages(make, evaluate, numbers, rloo, beta, low, high):
    """TRL takes the KL off the reward, estimated by the log-ratio: k1."""
    kl = {"kl_coefficient": beta, "kl_in": "reward", "kl_estimator": "k1"}
    algorithm = make("rloo", clip_low=low, clip_high=high, **kl)
    whole = ([[1, 2]] * 8, numbers.ids, [""] * 8)
    compare(
        "rloo", numbers, evaluate, algorithm, rloo, own_advantages=False, beta=beta,
        epsilon_low=low, epsilon_high=high, _generate=lambda prompts: whole,
    )  # fmt: skip


def test_the_entropy_bonus_where_both_are_means_over_tokens(make, evaluate, numbers, grpo):
    algorithm = make("grpo", entropy_coefficient=0.2)
    changes = {"loss_type": "bnpo", "_entropy_bonus_enabled": True, "entropy_coef": 0.2}
    compare("entropy bonus", numbers, evaluate, algorithm, grpo, **changes)


@pytest.mark.parametrize("cap", [1.2, 3.0])
@pytest.mark.parametrize(("aggregation", "loss_type"), AGGREGATIONS)
def test_truncated_importance_with_trls_own_weights(
    make, evaluate, numbers, grpo, cap, aggregation, loss_type
):
    algorithm = make("grpo", importance_cap=cap, loss_aggregation=aggregation, kl_coefficient=0.3)
    trainer = compare(
        "importance", numbers, evaluate, algorithm, grpo, corrected=True, use_vllm=True, beta=0.3,
        loss_type=loss_type, vllm_importance_sampling_clip_max=cap,
    )  # fmt: skip
    (largest,) = trainer._metrics["train"]["sampling/importance_sampling_ratio/max"]
    assert largest == pytest.approx(cap) if cap == 1.2 else largest <= cap


def test_truncated_importance_beside_the_ratio_of_whole_completions(make, evaluate, numbers, grpo):
    """All tokens of a completion have its weight, there as here."""
    algorithm = make("gspo", importance_cap=1.2, clip_low=0.2, clip_high=0.3)
    compare(
        "importance, gspo", numbers, evaluate, algorithm, grpo, corrected=True, use_vllm=True,
        importance_sampling_level="sequence", epsilon_high=0.3, vllm_importance_sampling_clip_max=1.2,
        vllm_importance_sampling_mode="sequence_truncate",
    )  # fmt: skip


def test_advantages_of_grpo_are_trls_with_its_eps(numbers, grpo):
    trainer = trainer_of(numbers, sampler=None)
    _, _, inputs = theirs(grpo, numbers, trainer)
    found = [a for r in REWARDS for a in group_advantages(r, divide_by_std=True, eps=1e-4)]
    close("grpo advantages", found, inputs["advantages"], tolerance=1e-6)
    ours = [a for r in REWARDS for a in group_advantages(r, divide_by_std=True)]
    close("grpo advantages, our eps of 1e-6", ours, inputs["advantages"], tolerance=1e-3)


@pytest.fixture
def dpo():
    from trl import DPOTrainer

    return DPOTrainer


def pairs_of(rewards):
    return [(i, j) for i, x in enumerate(rewards) for j, y in enumerate(rewards) if x > y]


def dpo_by_trl(kind, numbers, pairs, loss_type, beta):
    """Loss and gradient by the log-probabilities of the tokens. A prompt of two tokens stands before each."""
    width = max(numbers.lengths)
    new = padded(numbers.new).requires_grad_()
    rows = [i for i, _ in pairs] + [j for _, j in pairs]
    mask = torch.tensor([[1.0] * n + [0.0] * (width - n) for n in numbers.lengths])[rows]
    before = torch.zeros(len(rows), 2)
    reference = torch.tensor([sum(row) for row in numbers.base])[rows]
    shape = (len(rows), width + 1)

    def model(**inputs):
        return SimpleNamespace(
            log_probs=torch.cat([before[:, :1], new[rows]], dim=1), entropy=torch.zeros(shape),
            mean_logits=torch.zeros(shape), is_top1=torch.zeros(shape, dtype=torch.bool),
        )  # fmt: skip

    trainer = SimpleNamespace(
        accelerator=Accelerator(), model=SimpleNamespace(training=False), aux_loss_enabled=False,
        ld_alpha=None, precompute_ref_logps=True, f_divergence_type="reverse_kl", loss_types=[loss_type],
        loss_weights=[1.0], beta=beta, label_smoothing=0.0, use_weighting=False, _total_train_tokens=0,
        _metrics=defaultdict(lambda: defaultdict(list)),
    )  # fmt: skip
    chosen, rejected = reference.chunk(2)
    inputs = {
        "input_ids": torch.ones(len(rows), width + 2, dtype=torch.long),
        "attention_mask": torch.cat([before + 1, mask], dim=1),
        "completion_mask": torch.cat([before, mask], dim=1),
        "ref_chosen_logps": chosen,
        "ref_rejected_logps": rejected,
    }
    loss = kind._compute_loss(trainer, model, inputs, False)
    loss.backward()
    accuracy = trainer._metrics["eval"]["rewards/accuracies"][0]
    return loss.item(), rows_of(new.grad, numbers.lengths), accuracy


@pytest.mark.parametrize("beta", [0.1, 0.7])
@pytest.mark.parametrize("kind", ["sigmoid", "sigmoid-norm", "ipo"])
def test_dpo(make, evaluate, numbers, dpo, kind, beta):
    """All pairs of each question; TRL sees them as so many rows, and the mean of the questions is ours."""
    algorithm = make("dpo", dpo_loss=kind, dpo_beta=beta)
    numbers.models.own = dict(zip(map(tuple, numbers.ids), numbers.new, strict=True))
    samples, _ = algorithm.training_samples(numbers.groups(numbers.old), numbers.models)
    samples, metrics = algorithm.prepare(samples, numbers.models)
    ours = evaluate(algorithm, samples, logprobs=numbers.new)
    found = []
    for q in range(2):
        pairs = [(4 * q + i, 4 * q + j) for i, j in pairs_of(REWARDS[q])]
        found.append(dpo_by_trl(dpo, numbers, pairs, kind.replace("-", "_"), beta))
    close(f"dpo {kind} loss", metrics["train/dpo_loss"], sum(f[0] for f in found) / 2)
    assert metrics["train/dpo_accuracy"] == pytest.approx(sum(f[2] for f in found) / 2)
    for i, mine in enumerate(ours.gradient):
        other = torch.tensor([f[1][i] for f in found]).sum(0) / 2
        close(f"dpo {kind} gradient", mine, other)
