from dataclasses import fields

import pytest

from ttrl.algorithm_settings import ALGORITHM_SETTINGS
from ttrl.config import RunConfig
from ttrl.rl.algorithms.registry import ALGORITHMS, make_algorithm


def test_every_named_algorithm_is_there_with_exactly_its_settings():
    assert ALGORITHMS.keys() == ALGORITHM_SETTINGS.keys()
    for name, made in ALGORITHMS.items():
        assert {f.name for f in fields(made)} == set(ALGORITHM_SETTINGS[name])


@pytest.mark.parametrize("name", ALGORITHMS)
def test_settings_reach_the_algorithm(name):
    algorithm = make_algorithm(RunConfig(algorithm=name))
    for key, value in ALGORITHM_SETTINGS[name].items():
        set_to = getattr(algorithm, key)
        assert (set_to.name if key == "advantage" else set_to) == value
    if name != "dpo":
        assert make_algorithm(RunConfig(algorithm=name, clip_high=0.7)).clip_high == 0.7
