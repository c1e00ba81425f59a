"""Every algorithm by the real command: it learns, resumes to the same bits, refuses what it cannot do."""

import signal

import pytest
import torch
from safetensors.torch import load_file

from ttrl.algorithm_settings import ALGORITHM_SETTINGS

COMPANIONS = {
    "ppo": {"critic", "critic-optimizer"},
    "prime": {"implicit-reward", "implicit-reward-optimizer"},
}
VARIANTS = [
    *((name, ()) for name in ALGORITHM_SETTINGS),
    ("ppo", ("--lora", "2")),
    ("prime", ("--lora", "2")),
    ("dpo", ("--lora", "2")),
    ("grpo", ("--kl-coefficient", "0.01", "--kl-in", "reward", "--kl-estimator", "k1")),
    ("grpo", ("--entropy-coefficient", "0.01", "--importance-cap", "2", "--passes-per-step", "2")),
    ("grpo", ("--gradient-checkpointing", "--trained-choice", "spread", "--mask-truncated")),
    ("gspo", ("--advantage", "marginal")),
    ("grpo", ("--advantage", "fixed", "--trained-choice", "extremes")),
]


@pytest.fixture(scope="module")
def small(tiny, write_rows, problems, tmp_path_factory):
    """Options of three short steps on a file of questions, saved after each."""
    file = write_rows(tmp_path_factory.mktemp("small") / "questions.jsonl", *problems)
    options = ("--questions", file, "--samples", "1", "--steps", "3", "--checkpoint-every", "1")
    return (*tiny, *options)


@pytest.fixture
def interrupted_after_two_steps():
    """Ctrl-C when the third step begins to draw."""
    from ttrl.engine.sampler import NativeSampler

    original, drawn = NativeSampler.sample, []

    def sample(*arguments, **options):
        drawn.append(1)
        if len(drawn) == 4:  # one evaluation, two steps, then this; refills come in the same step
            signal.raise_signal(signal.SIGINT)
        return original(*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NativeSampler, "sample", sample)
        yield


@pytest.mark.parametrize(("algorithm", "options"), VARIANTS)
def test_it_changes_the_weights_and_resumes_to_the_same_bits(
    algorithm, options, call, small, tmp_path, folder_of, same, request
):
    whole, broken = folder_of(tmp_path / "whole"), folder_of(tmp_path / "broken")
    command = ("train", *small, "--algorithm", algorithm, *options)
    done = call(*command, "--out", whole.path)
    assert done.code == 0, done.err
    assert sum("train/grad_norm" in row for row in whole.metrics) >= 2, "hardly a gradient: vacuous"
    files = {path.stem for path in whole.last_checkpoint.glob("*.safetensors")}
    assert files == {"optimizer"} | COMPANIONS.get(algorithm, set())
    for name in files - {"optimizer"}:
        tensors = load_file(whole.last_checkpoint / f"{name}.safetensors")
        assert all(torch.isfinite(tensor).all() for tensor in tensors.values()) and tensors

    request.getfixturevalue("interrupted_after_two_steps")
    assert call(*command, "--out", broken.path).code == 130
    assert broken.last_step < 3
    assert call("train", "--resume", broken.path).code == 0
    assert broken.same_bits(whole) == same


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("--algorithm dpo --clip-low 0.1", "Leave clip_low out"),
        (
            "--algorithm grpo --dpo-beta 0.1",
            "dpo_beta=0.1 is a parameter of dpo, and algorithm is grpo",
        ),
        ("--algorithm ppo --refill-rounds 2", "refill_rounds=2 is a parameter of dapo"),
        ("--algorithm dpo --trained-per-question 1", "trained_per_question to at least 2"),
        ("--algorithm grpo --trained-per-question 1", "trained_per_question to at least 2"),
        ("--algorithm trpo", "algorithm='trpo': input should be 'grpo', 'dr-grpo'"),
        ("--kl-coefficient 1 --kl-estimator k1", "kl_in: reward"),
        ("--algorithm gspo --loss-aggregation constant", "one loss per completion"),
        ("--dual-clip 1.1", "dual_clip=1.1: ratios up to 1 + clip_high = 1.2"),
        ("--clip-low 1", "clip_low='1'"),
        ("--algorithm dpo --dpo-label-smoothing 0.5", "dpo_label_smoothing='0.5'"),
        ("--algorithm dpo --dpo-loss ipo --dpo-label-smoothing 0.1", "dpo_loss=ipo: IPO's square"),
        ("--algorithm gspo --dtype bfloat16", "importance_cap: 2"),
        ("--algorithm rloo --sampling-dtype bfloat16", "importance_cap: 2"),
        ("--importance-cap 0.5", "importance_cap=0.5"),
        ("--trained-choice best", "trained_choice='best'"),
    ],
)
def test_what_does_not_fit_together_is_refused_with_its_mending(
    options, told, call, refused, tmp_path
):
    refused(call("train", *options.split(), "--out", tmp_path / "run"), 2, told)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ALGORITHM_SETTINGS)
def test_a_preset_serves_every_algorithm_and_says_only_what_it_reads(name, call):
    cap = ("--importance-cap", "2") if name in {"gspo", "rloo"} else ()  # it is in bfloat16
    told = call("config", "--config", "paper", "--algorithm", name, *cap, "--json").json
    assert told["learning_rate"] == {"value": 5e-7, "source": "paper"}
    preset = {"kl_coefficient": 1e-3, "dual_clip": 3.0, "critic_learning_rate": 1e-5}
    for key, value in preset.items():
        if key in ALGORITHM_SETTINGS[name]:
            assert told[key] == {"value": value, "source": "paper"}
        else:
            assert told[key] == {"value": None, "source": f"not read by {name}"}


def test_an_own_file_is_held_to_what_it_says(call, refused, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("kl_coefficient: 0.1\n")
    outcome = call("config", "--config", str(own), "--algorithm", "dpo")
    refused(outcome, 2, f"{own}: kl_coefficient=0.1 is a parameter of grpo")
    own.write_text("algorithm: [ppo]\n")
    refused(call("config", "--config", str(own)), 2, "algorithm=['ppo']")


def test_an_own_file_under_a_preset_is_held_to_what_it_says_too(call, refused, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("kl_coefficient: 0.1\n")
    outcome = call("config", "--config", str(own), "paper", "--algorithm", "dpo")
    refused(outcome, 2, "is a parameter of grpo")


def test_options_may_be_repeated_beside_resume_from_every_layer(call, refused, small, tmp_path):
    started = ("--algorithm", "gspo", "--sampling-dtype", "bfloat16", "--importance-cap", "2")
    run, file = tmp_path / "run", tmp_path / "resume.yaml"
    votes = ("--votes-per-question", "70", "--trained-per-question", "70", "--steps", "1")
    assert call("train", *small, *started, *votes, "--out", run).code == 0
    resume = ("train", "--resume", run)
    assert call(*resume).code == 0
    assert call(*resume, "--importance-cap", "2").code == 0
    assert call(*resume, "--sampling-dtype", "bfloat16").code == 0
    assert call(*resume, "--trained-per-question", "70").code == 0
    assert call(*resume, env={"TTRL_IMPORTANCE_CAP": "2.0"}).code == 0
    assert call("train", env={"TTRL_RESUME": str(run), "TTRL_ALGORITHM": "gspo"}).code == 0
    file.write_text(f"resume: {run}\nimportance_cap: 2\n")
    assert call("train", "--config", str(file)).code == 0
    for key, value in (("importance_cap", "3"), ("algorithm", "ppo"), ("algorithm", "dpo")):
        told = refused(
            call(*resume, "--" + key.replace("_", "-"), value), 4, f"started with {key}="
        )
        assert told == refused(call(*resume, env={f"TTRL_{key.upper()}": value}), 4).replace(
            "environment", "command line"
        )
    file.write_text("algorithm: ppo\n")
    refused(call(*resume, "--config", str(file)), 4, "started with algorithm='gspo'", str(file))


def test_a_critic_without_room_is_refused_before_anything_is_written(
    call, small, tmp_path, monkeypatch
):
    from ttrl.runs import plan as memory

    monkeypatch.setattr(memory, "free_bytes", lambda device: 9_000_000)
    assert call("train", *small, "--dry-run").code == 0
    outcome = call("train", *small, "--algorithm", "ppo", "--out", tmp_path / "run")
    assert outcome.code == 2 and "the critic (as large as the model)" in outcome.err
    assert "Traceback" not in outcome.err and not (tmp_path / "run").exists()


def test_the_plan_counts_the_models_of_the_algorithm(call, small):
    plans = {
        name: call("train", *small, "--algorithm", name, "--dry-run", "--json").json["memory_bytes"]
        for name in ("grpo", "dpo", "ppo", "prime")
    }
    weights = {name: plan["weights"] / plans["grpo"]["weights"] for name, plan in plans.items()}
    assert weights == {"grpo": 1, "dpo": 2, "ppo": 2, "prime": 3}
