import sys
from typing import get_args

import pytest

from ttrl.config import ReportTo
from ttrl.errors import ConfigError
from ttrl.recording.trackers.registry import TRACKERS, wanted

PACKAGES = ("tensorboard", "tensorboardX", "wandb", "trackio", "mlflow")


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """None of the packages is installed, whatever this machine has."""
    for name in PACKAGES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    sys.path_importer_cache.pop(str(tmp_path), None)
    return tmp_path


def test_the_config_takes_the_names_that_there_are():
    assert {*TRACKERS, "all", "none"} == set(get_args(ReportTo))


def test_nothing_is_asked_for_by_nothing_and_by_none():
    assert wanted(()) == wanted(("none",)) == ()


def test_none_beside_others_is_refused():
    with pytest.raises(ConfigError, match=r"none.*contradict"):
        wanted(("none", "wandb"))


@pytest.mark.parametrize("name", TRACKERS)
def test_a_package_that_is_missing_is_refused_with_its_name(bare, name):
    with pytest.raises(ConfigError, match=f"pip install {name}"):
        wanted((name,))


def test_all_means_those_that_are_installed(bare, install):
    assert wanted(("all",)) == ()
    install("wandb")
    install("tensorboardX")
    assert wanted(("all",)) == ("tensorboard", "wandb")


def test_all_beside_a_name_still_needs_that_one(bare):
    with pytest.raises(ConfigError, match="trackio"):
        wanted(("all", "trackio"))


def test_a_name_twice_is_one_tracker(install):
    install("wandb")
    assert wanted(("wandb", "wandb")) == ("wandb",)


def test_the_folder_that_wandb_leaves_is_no_package(bare):
    (bare / "wandb").mkdir()
    assert wanted(("all",)) == ()
