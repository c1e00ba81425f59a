import pytest

from ttrl.config import key_names
from ttrl.errors import ConfigError
from ttrl.overlays.verl.checks import OWNED_BY_VERL, VOTING_KEYS, voting_config


def test_the_block_says_how_to_vote_and_verl_how_many_are_trained_on():
    config = voting_config(
        {"task": "choice", "reward": "soft", "seed": 3, "trained_choice": "spread"}, trained=48
    )
    assert (config.task, config.reward, config.seed) == ("choice", "soft", 3)
    assert (config.trained_choice, config.trained_per_question) == ("spread", 48)


def test_variables_of_the_native_engine_are_not_read(monkeypatch):
    monkeypatch.setenv("TTRL_TASK", "choice")
    assert voting_config({}, trained=2).task == "math"


def test_every_key_is_one_of_the_native_engine():
    assert set(VOTING_KEYS) <= set(key_names()) and set(OWNED_BY_VERL) <= set(key_names())
    assert not set(VOTING_KEYS) & set(OWNED_BY_VERL)


@pytest.mark.parametrize("key", OWNED_BY_VERL)
def test_a_key_that_verl_owns_is_refused_with_verls_name(key):
    with pytest.raises(ConfigError) as error:
        voting_config({key: 1}, trained=2)
    assert f"ttrl.{key}" in str(error.value) and OWNED_BY_VERL[key] in str(error.value)


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ({"taks": "math"}, "Did you mean ttrl.task?"),
        ({"trained-choice": "first"}, "Did you mean ttrl.trained_choice?"),
        ({"dtype": "bfloat16"}, "verl has its own or none"),
        ({"zzz": 1}, "There are: task, reward"),
        ({"task": "maths"}, "task='maths'"),
        ({"seed": -1}, "seed=-1"),
        ({"similarity_threshold": 2}, "similarity_threshold=2"),
    ],
)
def test_a_bad_block_is_told(block, told):
    with pytest.raises(ConfigError) as error:
        voting_config(block, trained=2)
    assert told in str(error.value)
