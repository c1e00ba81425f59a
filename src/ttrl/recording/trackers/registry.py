"""The trackers that there are, under the names that Hugging Face has for them."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ttrl.errors import ConfigError
from ttrl.recording.trackers.interface import Tracker
from ttrl.recording.trackers.mlflow import MlflowTracker
from ttrl.recording.trackers.tensorboard import TensorboardTracker
from ttrl.recording.trackers.trackio import TrackioTracker
from ttrl.recording.trackers.wandb import WandbTracker


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """How a tracker is made, and what it needs."""

    make: Callable[[], Tracker]
    packages: tuple[str, ...]
    """Any of them serves; the first is the one to install."""


TRACKERS: Mapping[str, Entry] = {
    "tensorboard": Entry(make=TensorboardTracker, packages=("tensorboard", "tensorboardX")),
    "wandb": Entry(make=WandbTracker, packages=("wandb",)),
    "trackio": Entry(make=TrackioTracker, packages=("trackio",)),
    "mlflow": Entry(make=MlflowTracker, packages=("mlflow",)),
}


def wanted(report_to: Sequence[str]) -> tuple[str, ...]:
    """Names of trackers for the key `report_to`: as given, all that are installed, or none.

    Raises:
        ConfigError: a package is not installed, or none is asked for along with others.
    """
    if "none" in report_to and len(set(report_to)) > 1:
        raise ConfigError(
            f"report_to={list(report_to)}: none and others contradict each other. Leave one out."
        )
    if "none" in report_to:
        return ()
    named = [name for name in TRACKERS if name in report_to]
    for name in named:
        if not _installed(name):
            raise ConfigError(
                f"report_to={name}: the package {TRACKERS[name].packages[0]} is not installed. "
                f"pip install {TRACKERS[name].packages[0]}, or leave {name} out."
            )
    if "all" in report_to:
        return tuple(name for name in TRACKERS if _installed(name))
    return tuple(named)


def _installed(name: str) -> bool:
    return any(_is_package(package) for package in TRACKERS[name].packages)


def _is_package(name: str) -> bool:
    """And not just a folder of that name, such as the one that wandb leaves where it runs."""
    if name in sys.modules:
        return True
    spec = importlib.util.find_spec(name)
    return spec is not None and spec.origin is not None
