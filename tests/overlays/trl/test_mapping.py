"""A config as arguments of GRPOConfig: by hand, and what has no place there."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttrl.config import RunConfig, resolve
from ttrl.errors import ConfigError
from ttrl.overlays.trl.mapping import check_mapping, differences, grpo_arguments
from ttrl.overlays.trl.rollout import share_of


def config_of(**given: Any) -> RunConfig:
    return resolve({"engine": "trl"} | given, environment={}).values


def arguments_of(
    config: RunConfig, *, processes: int = 1, questions: int = 500, prompt_tokens: int = 32
) -> dict[str, Any]:
    share = share_of(config, questions=questions, processes=processes)
    return grpo_arguments(config, share, prompt_tokens=prompt_tokens, output_dir="out")


def test_the_defaults_by_hand() -> None:
    # 16 questions x 32 completions = 512; 8192 tokens / (32 + 96) = 64 completions at once
    assert arguments_of(config_of()) == {
        "output_dir": "out",
        "seed": 0,
        "shuffle_dataset": False,
        "max_steps": 60,
        "per_device_train_batch_size": 64,
        "steps_per_generation": 8,
        "gradient_accumulation_steps": 8,
        "num_iterations": 1,
        "num_generations": 32,
        "max_completion_length": 96,
        "temperature": 1.0,
        "top_p": 1.0,
        "top_k": 0,
        "learning_rate": 2e-4,
        "lr_scheduler_type": "constant_with_warmup",
        "warmup_steps": 5,
        "weight_decay": 0.0,
        "adam_beta2": 0.99,
        "max_grad_norm": 1.0,
        "loss_type": "dapo",
        "scale_rewards": "group",
        "importance_sampling_level": "token",
        "epsilon": 0.2,
        "epsilon_high": 0.2,
        "delta": None,
        "beta": 0.0,
        "use_bias_correction_kl": False,
        "entropy_coef": 0.0,
        "mask_truncated_completions": False,
        "gradient_checkpointing": False,
        "bf16": False,
        "use_cpu": False,
        "ddp_timeout": 604_800,  # a week
        "disable_dropout": True,
        "router_aux_loss_coef": 0.0,
        "logging_strategy": "steps",
        "logging_steps": 1,
        "logging_first_step": False,
        "eval_strategy": "no",
        "save_strategy": "steps",
        "save_steps": 20,
        "save_total_limit": 2,
        "save_only_model": False,
        "ignore_data_skip": False,
        "report_to": "none",
        "disable_tqdm": True,
        "use_vllm": False,
    }


@pytest.mark.parametrize(
    ("processes", "parts", "accumulated"),
    # 32 questions x 32 completions in 32 updates; 8192 / (200 + 3072) = 2 completions at once
    [(1, 512, 16), (4, 128, 4), (8, 64, 2)],
)
def test_the_paper_preset_by_hand(processes: int, parts: int, accumulated: int) -> None:
    found = arguments_of(config_of(config=("paper",)), processes=processes, prompt_tokens=200)
    expected = {
        "per_device_train_batch_size": 2,
        "steps_per_generation": parts,
        "gradient_accumulation_steps": accumulated,
        "num_generations": 32,
        "max_steps": 150 * 32,
        "warmup_steps": 5 * 32,
        "logging_steps": 32,
        "save_steps": 20 * 32,
        "learning_rate": 5e-7,
        "lr_scheduler_type": "cosine",
        "weight_decay": 0.01,
        "adam_beta2": 0.999,
        "beta": 0.001,
        "delta": 3.0,
        "max_completion_length": 3072,
        "bf16": True,
        "loss_type": "dapo",
    }
    assert {key: found[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"algorithm": "dr-grpo"}, {"loss_type": "dr_grpo", "scale_rewards": "none"}),
        ({"advantage": "centered"}, {"loss_type": "dapo", "scale_rewards": "none"}),
        (
            {"algorithm": "dr-grpo", "advantage": "normalized"},
            {"loss_type": "dr_grpo", "scale_rewards": "group"},
        ),
        ({"algorithm": "dapo"}, {"loss_type": "dapo", "epsilon": 0.2, "epsilon_high": 0.28}),
        (
            {"algorithm": "gspo"},
            {
                "loss_type": "grpo",
                "importance_sampling_level": "sequence",
                "epsilon": 3e-4,
                "epsilon_high": 4e-4,
                "scale_rewards": "group",
            },
        ),
        ({"loss_aggregation": "sequence-mean"}, {"loss_type": "grpo", "scale_rewards": "group"}),
        (
            {"passes_per_step": 3, "updates_per_step": 2, "steps": 7, "checkpoint_every": 4},
            {"num_iterations": 3, "max_steps": 42, "save_steps": 24, "logging_steps": 6,
             "warmup_steps": 30, "steps_per_generation": 8, "gradient_accumulation_steps": 4},
        ),
        ({"device": "cpu"}, {"use_cpu": True}),
        (
            {"temperature": 0.7, "top_p": 0.9, "top_k": 20, "mask_truncated": "yes"},
            {"temperature": 0.7, "top_p": 0.9, "top_k": 20, "mask_truncated_completions": True},
        ),
        ({"vllm": "server"}, {"use_vllm": True, "vllm_mode": "server"}),
        (
            {"vllm": "colocate", "importance_cap": 2.5},
            {
                "vllm_mode": "colocate",
                "vllm_importance_sampling_mode": "token_truncate",
                "vllm_importance_sampling_clip_max": 2.5,
            },
        ),
    ],
)  # fmt: skip
def test_settings_by_hand(given: dict[str, Any], expected: dict[str, Any]) -> None:
    found = arguments_of(config_of(**given))
    assert {key: found[key] for key in expected} == expected


def test_without_a_cap_trls_own_correction_of_vllm_stays_and_is_told() -> None:
    config = config_of(vllm="colocate")
    assert not any("importance_sampling_mode" in key for key in arguments_of(config))
    assert any("vllm_importance_sampling_mode" in line for line in differences(config))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"weight_decay": 0.01}, "weight decay leaves biases"),
        ({"entropy_coefficient": 0.01}, "entropy bonus is a mean over each micro-batch"),
        ({"mask_truncated": "yes", "algorithm": "dr-grpo"}, "cut at max_tokens count"),
        ({"task": "text"}, "groups that the reward leaves out count"),
    ],
)
def test_what_the_loss_counts_otherwise_is_told_only_where_it_matters(
    given: dict[str, Any], told: str
) -> None:
    assert sum(told in line for line in differences(config_of(**given))) == 1
    assert not any(told in line for line in differences(config_of()))


@given(
    per_step=st.integers(1, 24),
    k=st.integers(2, 12),
    updates=st.integers(1, 8),
    passes=st.integers(1, 3),
    processes=st.integers(1, 6),
    micro_batch_tokens=st.integers(1, 6000),
    prompt_tokens=st.integers(1, 300),
)
def test_micro_batches_divide_updates_and_hold_whole_groups_together(
    per_step: int, k: int, updates: int, passes: int, processes: int, micro_batch_tokens: int,
    prompt_tokens: int,
) -> None:  # fmt: skip
    config = RunConfig(
        questions_per_step=per_step, votes_per_question=k, trained_per_question=k,
        updates_per_step=updates, passes_per_step=passes, micro_batch_tokens=micro_batch_tokens,
    )  # fmt: skip
    try:
        share = share_of(config, questions=1000, processes=processes)
    except ConfigError:
        return
    found = grpo_arguments(config, share, prompt_tokens=prompt_tokens, output_dir="out")
    micro, parts = found["per_device_train_batch_size"], found["steps_per_generation"]
    accumulated = found["gradient_accumulation_steps"]
    assert micro * parts == share.rows and micro * parts % found["num_generations"] == 0
    assert micro * accumulated == share.rows_of_update and parts == accumulated * updates
    longest = prompt_tokens + config.max_tokens
    assert micro == 1 or micro * longest <= micro_batch_tokens
    larger = [
        n for n in range(micro + 1, share.rows_of_update + 1) if share.rows_of_update % n == 0
    ]
    assert all(n * longest > micro_batch_tokens for n in larger)  # and it is the largest


# What TRL cannot be told ---------------------------------------------------------------------

UNMAPPED: dict[str, dict[str, Any]] = {
    "algorithm=rloo": {"algorithm": "rloo"},
    "algorithm=reinforce++": {"algorithm": "reinforce++"},
    "algorithm=ppo": {"algorithm": "ppo"},
    "algorithm=dpo": {"algorithm": "dpo"},
    "algorithm=prime": {"algorithm": "prime"},
    "votes=adaptive": {"votes": "adaptive"},
    "views=('facts',)": {"views": "facts"},
    "label_votes=('base', 'visits')": {"label_votes": "base,visits"},
    "keep=best": {"keep": "best"},
    "refill_rounds=2": {"algorithm": "dapo", "refill_rounds": 2},
    "kl_estimator=k2": {"kl_coefficient": 0.1, "kl_estimator": "k2"},
    "kl_estimator=k3": {"kl_coefficient": 0.1, "kl_in": "reward"},
    "advantage_clip=5.0": {"advantage_clip": 5},
    "advantage=fixed": {"advantage": "fixed"},
    "advantage=marginal": {"advantage": "marginal"},
    "importance_cap=2.0": {"importance_cap": 2},
    "steps=0": {"steps": 0},
    "stop=('END',)": {"stop": "END"},
    "sampling_dtype=bfloat16": {"sampling_dtype": "bfloat16"},
    "device=cuda:1": {"device": "cuda:1"},
}


@pytest.mark.parametrize("named", UNMAPPED)
def test_each_setting_that_trl_has_no_words_for_is_refused_by_name(named: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check_mapping(config_of(**UNMAPPED[named]))
    lines = str(refused.value).splitlines()
    assert len(lines) == 3 and lines[1].startswith(f"  {named}: ")
    assert lines[2].startswith("Change these, or train with engine: native")


def test_all_of_them_are_told_at_once() -> None:
    names = ["votes=adaptive", "advantage_clip=5.0", "steps=0", "stop=('END',)", "device=cuda:1"]
    given = {key: value for name in names for key, value in UNMAPPED[name].items()}
    with pytest.raises(ConfigError) as refused:
        check_mapping(config_of(**given))
    told = {line.split(":")[0].strip() for line in str(refused.value).splitlines()[1:-1]}
    assert told == {name.split(":")[0] for name in names}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"config": ("paper",)},
        {"algorithm": "dr-grpo"},
        {"algorithm": "dapo"},
        {"algorithm": "gspo"},
        # the sampler's probabilities are no part of TRL's ratio, so no cap is needed
        {"algorithm": "gspo", "dtype": "bfloat16"},
        {"vllm": "colocate", "importance_cap": 2},
        {"kl_coefficient": 0.1},
        {"kl_estimator": "k2"},  # of a KL term that is not there
        {"dual_clip": 3, "entropy_coefficient": 0.01, "mask_truncated": "yes", "lora": 8},
    ],
)
def test_everything_else_passes(given: dict[str, Any]) -> None:
    check_mapping(config_of(**given))


def test_natively_a_whole_completions_ratio_in_bfloat16_still_asks_for_a_cap() -> None:
    with pytest.raises(ConfigError, match="without importance_cap"):
        resolve({"algorithm": "gspo", "dtype": "bfloat16"}, environment={})


# --trl ---------------------------------------------------------------------------------------


def options(*given: str) -> dict[str, Any]:
    config = config_of(trl=given)
    plain = arguments_of(config_of())
    return {k: v for k, v in arguments_of(config).items() if k not in plain or plain[k] != v}


def test_further_fields_are_read_as_yaml() -> None:
    assert options(
        "vllm_gpu_memory_utilization=0.3", "log_completions=true", "run_name=a b",
        "generation_kwargs={min_p: 0.1}", "adam_epsilon=1e-6", "min_p=", "optim=adamw_8bit",
        "deepspeed=a=b.json", "ddp_timeout=60",
    ) == {
        "vllm_gpu_memory_utilization": 0.3, "log_completions": True, "run_name": "a b",
        "generation_kwargs": {"min_p": 0.1}, "adam_epsilon": 1e-6, "min_p": None,
        "optim": "adamw_8bit", "deepspeed": "a=b.json", "ddp_timeout": 60,
    }  # fmt: skip


@pytest.mark.parametrize("option", ["fp16", "", "=1", "a-b=1", "1a=2", "a b=3"])
def test_an_option_of_another_form_is_refused_with_an_example(option: str) -> None:
    with pytest.raises(ConfigError, match=r"wanted KEY=VALUE.*vllm_gpu_memory_utilization=0\.3"):
        options(option)


@pytest.mark.parametrize(
    ("option", "key", "value"),
    [
        ("learning_rate=1e-6", "learning_rate", 0.0002),
        ("num_generations=8", "num_generations", 32),
        ("use_vllm=true", "use_vllm", False),
        ("shuffle_dataset=true", "shuffle_dataset", False),
        ("logging_first_step=true", "logging_first_step", False),  # step 1 would be recorded twice
        ("logging_strategy=no", "logging_strategy", "steps"),  # and here none
        ("save_only_model=true", "save_only_model", False),  # without an optimizer to go on with
    ],
)
def test_an_option_that_comes_from_another_key_is_refused_with_its_value(
    option: str, key: str, value: Any
) -> None:
    with pytest.raises(ConfigError) as refused:
        options(option)
    assert f"{key} is set from this config to {value!r}" in str(refused.value)


@pytest.mark.parametrize(
    "value",
    ["[1", "{", "a: b: c", "2024-13-45", "!!int", "!!python/object:os.system x", "[" * 2000],
)
def test_a_value_that_is_no_yaml_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match="the value is not valid YAML") as refused:
        options(f"run_name={value}")
    assert len(str(refused.value)) < 200


def test_a_chat_template_that_only_training_would_see_is_refused() -> None:
    with pytest.raises(ConfigError, match="others than those that are evaluated"):
        options("chat_template_kwargs={enable_thinking: false}")
