"""One table of parameters: classes, config keys and documents agree with it."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from ttrl.algorithm_settings import ALGORITHM_KEYS, ALGORITHM_SETTINGS, readers_of
from ttrl.config import RunConfig, resolve
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
    assert {f.name: getattr(algorithm, f.name) for f in fields(algorithm)} == ALGORITHM_SETTINGS[
        name
    ]


def test_what_the_user_says_wins_over_the_row():
    resolved = resolve({"algorithm": "gspo", "clip_high": "0.5"}, environment={})
    assert (resolved.values.clip_low, resolved.values.clip_high) == (3e-4, 0.5)
    assert resolved.sources["clip_high"] == "command line"
    assert resolved.sources["clip_low"] == "default of gspo"
    assert resolved.sources["dpo_beta"] == "not read by gspo"
    assert resolved.given == {"algorithm", "clip_high"}


def test_zero_is_a_value_and_null_is_none():
    assert RunConfig(algorithm="dapo", refill_rounds=0).refill_rounds == 0
    assert RunConfig(algorithm="dapo", refill_rounds=None).refill_rounds == 1


def test_readers_of_a_key():
    assert readers_of("gae_lambda") == ["ppo"]
    assert "dpo" not in readers_of("clip_low") and len(readers_of("clip_low")) == 8


def test_every_algorithm_has_a_row_in_the_document():
    assert re.findall(r"^\| `([^`]+)`", DOCUMENT, flags=re.MULTILINE) == list(ALGORITHM_SETTINGS)
