"""Names of TRL that the overlay uses and that may move: a release that moves one fails here."""

from __future__ import annotations

import inspect
from dataclasses import fields
from importlib.metadata import version

import pytest
import trl
from trl import GRPOConfig, GRPOTrainer

from ttrl.config import RunConfig
from ttrl.overlays.trl.mapping import grpo_arguments
from ttrl.overlays.trl.rollout import share_of
from ttrl.overlays.trl.training import TRAINING

SIGNATURES = {
    "_tokenize_prompts": ["self", "prompts"],
    "_generate_single_turn": [
        "self", "prompt_ids", "images", "multimodal_fields", "num_generations", "has_tool_images",
    ],
    "_get_per_token_logps_and_entropies": [
        "self", "model", "input_ids", "attention_mask", "logits_to_keep", "batch_size", "compute_entropy",
    ],
}  # fmt: skip
"""The parameters up to the last one that src/ttrl/overlays/trl/draw.py passes, in their order."""

ATTRIBUTES = {
    "self.eos_token_ids": "draw.py",
    "self._tokenizer": "draw.py",
    "self.use_vllm": "draw.py",
    "self.num_generations": "rollout.py",
    "self.num_generations_eval": "rollout.py",
    "self.num_iterations": "rollout.py",
}


def moved(name: str, file: str) -> str:
    return (
        f"trl {version('trl')}: GRPOTrainer's {name} is not what src/ttrl/overlays/trl/{file} uses. "
        "Adapt the file, then move the pin in src/ttrl/overlays/pins.py and pyproject.toml."
    )


@pytest.mark.parametrize("name", SIGNATURES)
def test_the_methods_of_the_rollout_take_what_it_gives(name: str) -> None:
    assert hasattr(GRPOTrainer, name), moved(name, "draw.py")
    found = list(inspect.signature(getattr(GRPOTrainer, name)).parameters)
    assert found[: len(SIGNATURES[name])] == SIGNATURES[name], moved(name, "draw.py")


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_the_trainer_sets_the_attributes_that_the_rollout_reads(name: str) -> None:
    source = inspect.getsource(GRPOTrainer.__init__)
    assert f"{name} = " in source, moved(name, ATTRIBUTES[name])


def test_the_rollout_is_called_with_prompts_and_trainer_and_its_fields_reach_the_reward() -> None:
    generate = inspect.getsource(GRPOTrainer._generate)
    assert "self.rollout_func(prompts, self)" in generate, moved("_generate", "rollout.py")
    for key in ("prompt_ids", "completion_ids", "logprobs"):
        assert f'output["{key}"]' in generate, moved(f"_generate ({key})", "rollout.py")
    score = inspect.getsource(GRPOTrainer._generate_and_score_completions)
    assert "extra_fields" in score, moved("_generate_and_score_completions", "rollout.py")


def test_the_reward_is_given_a_way_to_log_metrics() -> None:
    source = inspect.getsource(GRPOTrainer._calculate_rewards)
    assert 'reward_kwargs["log_metric"]' in source, moved("_calculate_rewards", "rollout.py")


def test_the_trainer_takes_the_arguments_of_the_overlay() -> None:
    parameters = inspect.signature(GRPOTrainer).parameters
    for name in ("rollout_func", "reward_funcs", "processing_class", "peft_config", "callbacks"):
        assert name in parameters, moved(f"__init__ ({name})", "training.py")


def test_every_mapped_argument_is_a_field_of_grpo_config() -> None:
    config = RunConfig(engine="trl", vllm="colocate", importance_cap=2.0)
    share = share_of(config, questions=512, processes=1)
    mapped = grpo_arguments(config, share, prompt_tokens=100, output_dir="x")
    missing = mapped.keys() - {field.name for field in fields(GRPOConfig)}
    assert not missing, moved(f"GRPOConfig {sorted(missing)}", "mapping.py")


@pytest.mark.parametrize(
    "name", sorted(set(TRAINING.values()) - {"loss", "grad_norm", "learning_rate"})
)
def test_the_metrics_that_are_taken_over_are_still_logged(name: str) -> None:
    source = inspect.getsource(trl.trainer.grpo_trainer)
    assert f'"{name}"' in source, moved(f"metric {name}", "training.py")


def test_whole_groups_are_contiguous_in_the_sampler() -> None:
    source = inspect.getsource(GRPOTrainer._get_train_sampler)
    assert "mini_repeat_count=self.num_generations" in source, moved(
        "_get_train_sampler", "groups.py"
    )
