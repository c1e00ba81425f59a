"""One table of parameters: classes, config keys and documents agree with it."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from ttrl.algorithm_settings import (
    ALGORITHM_KEYS,
    ALGORITHM_ROWS,
    ALGORITHM_SETTINGS,
    readers_of,
)
from ttrl.config import RunConfig, resolve
from ttrl.errors import ConfigError
from ttrl.rl.algorithms.registry import ALGORITHMS, make_algorithm

DOCUMENT = (Path(__file__).parent.parent / "docs" / "algorithms.md").read_text("utf-8")


def test_an_algorithm_has_exactly_the_parameters_of_its_row():
    assert ALGORITHMS.keys() == ALGORITHM_SETTINGS.keys()
    for name, made in ALGORITHMS.items():
        assert {field.name for field in fields(made)} == ALGORITHM_SETTINGS[name].keys(), name


@pytest.mark.parametrize("name", ALGORITHM_SETTINGS)
def test_its_defaults_are_those_of_the_row_and_other_keys_are_null(name):
    config = RunConfig(algorithm=name)
    for key in ALGORITHM_KEYS:
        assert getattr(config, key) == ALGORITHM_SETTINGS[name].get(key)
    algorithm = make_algorithm(config)
    assert type(algorithm) is ALGORITHMS[name]
    settings = {f.name: getattr(algorithm, f.name) for f in fields(algorithm)}
    if "advantage" in settings:
        settings["advantage"] = settings["advantage"].name
    assert settings == ALGORITHM_SETTINGS[name]


def test_what_the_user_says_wins_over_the_row():
    resolved = resolve({"algorithm": "gspo", "clip_high": "0.5"}, environment={})
    assert (resolved.values.clip_low, resolved.values.clip_high) == (3e-4, 0.5)
    assert resolved.sources["clip_high"] == "command line"
    assert resolved.sources["clip_low"] == "default of gspo"
    assert resolved.sources["dpo_beta"] == "not read by gspo"
    assert resolved.given == {"algorithm", "clip_high"}


def test_zero_is_a_value_and_null_is_none():
    assert RunConfig(algorithm="dapo", refill_rounds=0).refill_rounds == 0
    assert RunConfig(algorithm="dapo", clip_high=None).clip_high == 0.28


def test_who_compares_within_a_question_says_so_everywhere(make_group):
    """Two questions whose completions agree among themselves, and not with each other."""
    config = {"votes_per_question": 2, "trained_per_question": 1}
    from ttrl.types import ScoredGroup

    scored = [
        ScoredGroup(group=make_group(["a"]), consensus=None, rewards=(reward,), kept=(0,))
        for reward in (0.0, 1.0)
    ]
    for name in ALGORITHM_SETTINGS:
        within = make_algorithm(RunConfig(algorithm=name)).nothing_to_learn(scored) is not None
        assert within == (name not in {"ppo", "reinforce++"})
        if within:
            with pytest.raises(ConfigError, match="trained_per_question to at least 2"):
                resolve({"algorithm": name, **config}, environment={})
        else:
            resolve({"algorithm": name, **config}, environment={})


def test_who_needs_the_base_model_without_a_kl_term():
    for name in ALGORITHM_SETTINGS:
        needs = make_algorithm(RunConfig(algorithm=name)).needs_reference
        assert needs == (name in {"dpo", "prime"})


def test_whose_ratio_is_that_of_a_whole_completion():
    whole = {name for name, row in ALGORITHM_ROWS.items() if row.whole_completion}
    assert whole == {"gspo", "rloo"}


def test_every_class_reads_its_own_row():
    for name, made in ALGORITHMS.items():
        assert made.row is ALGORITHM_ROWS[name], name


def test_a_companion_gets_settings_that_its_algorithm_has():
    for row in ALGORITHM_ROWS.values():
        if row.companion is not None:
            assert set(row.companion.settings.values()) <= row.settings.keys()


def test_readers_of_a_key():
    assert readers_of("gae_lambda") == ["ppo"]
    assert "dpo" not in readers_of("clip_low") and len(readers_of("clip_low")) == 8


def test_every_algorithm_has_a_row_in_the_document():
    assert re.findall(r"^\| `([^`]+)`", DOCUMENT, flags=re.MULTILINE) == list(ALGORITHM_SETTINGS)


def test_advantages_are_settings_of_algorithms_with_a_group_baseline():
    defaults = {name: ALGORITHM_SETTINGS[name]["advantage"] for name in readers_of("advantage")}
    assert defaults == {
        "grpo": "normalized",
        "dr-grpo": "centered",
        "dapo": "normalized",
        "gspo": "normalized",
        "rloo": "centered",
    }
    with pytest.raises(
        ConfigError, match=r"advantage=fixed is a parameter of grpo, .*algorithm is ppo"
    ):
        resolve({"algorithm": "ppo", "advantage": "fixed"}, environment={})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"advantage": "fixed", "reward": "soft"}, r"advantage=fixed with reward=soft.*majority"),
        ({"advantage": "fixed", "reward": "selective"}, "reward=selective"),
        ({"advantage": "fixed", "task": "text"}, r"advantage=fixed with task=text.*threshold"),
        ({"advantage": "marginal", "task": "code"}, "advantage=marginal with task=code"),
        (
            {"advantage": "marginal", "reward": "confidence"},
            r"reward=confidence.*agreement or majority",
        ),
        ({"advantage": "marginal", "reward": "answer-key"}, "reward=answer-key"),
        ({"advantage": "marginal", "reward": "a.b:c"}, "reward=a.b:c"),
        (
            {"advantage": "marginal", "verifier": "check"},
            r"verifier=check.*weights would be ignored",
        ),
        ({"advantage": "marginal", "label_rule": "harmonic"}, "label_rule=harmonic.*pooled"),
        (
            {"advantage": "marginal", "kl_coefficient": 0.1, "kl_in": "reward"},
            "kl_in=reward with adv",
        ),
        ({"trained_choice": "extremes", "task": "text"}, r"trained_choice=extremes with task=text"),
    ],
)
def test_an_advantage_that_cannot_be_had_is_refused_before_the_run(given, message):
    with pytest.raises(ConfigError, match=message):
        resolve(given, environment={})


@pytest.mark.parametrize(
    "given",
    [
        {"advantage": "fixed", "reward": "confidence"},
        {"advantage": "fixed", "reward": "threshold", "task": "text"},
        {"advantage": "fixed", "reward": "majority", "algorithm": "rloo"},
        {"advantage": "marginal", "algorithm": "dapo", "votes": "adaptive"},
        {"advantage": "marginal", "kl_coefficient": 0.1},
        {"advantage": "marginal", "reward": "majority", "trained_choice": "extremes"},
    ],
)
def test_an_advantage_that_can_be_had_reaches_the_algorithm(given):
    config = resolve(given, environment={}).values
    assert make_algorithm(config).advantage.name == given["advantage"]
