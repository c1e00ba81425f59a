"""Trackers' packages as fakes that remember what they are told."""

import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from ttrl.recording.trackers.registry import TrackedRun

Calls = list[tuple[Any, ...]]


class Told:
    """An object whose every method notes its call and returns nothing."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *given, **named: self.calls.append((name, *given, named))


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., TrackedRun]:
    def make(*, step: int = 0) -> TrackedRun:
        config = {"steps": 4, "stop": ["."], "holdout": None, "questions": "q" * 700}
        return TrackedRun(
            name="x", id="0123456789abcdef", directory=tmp_path, config=config, step=step
        )

    return make


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`install(name, **members)`: a module of that name, for this test."""

    def put(name: str, **members: Any) -> None:
        module = ModuleType(name)
        module.__spec__ = ModuleSpec(name, None)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)

    return put


@pytest.fixture
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """No project named by this machine."""
    for name in ("WANDB_PROJECT", "TRACKIO_PROJECT", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def wandb(install: Callable[..., None], no_settings: None) -> Calls:
    calls: Calls = []
    run = Told(calls)
    run.__dict__["summary"] = SimpleNamespace(update=lambda found: calls.append(("summary", found)))

    def init(**named: Any) -> Told:
        calls.append(("init", named))
        return run

    install("wandb", init=init)
    return calls


@pytest.fixture
def trackio(install: Callable[..., None], no_settings: None) -> Calls:
    calls: Calls = []

    def init(**named: Any) -> Told:
        calls.append(("init", named))
        return Told(calls)

    install("trackio", init=init)
    return calls


@pytest.fixture
def mlflow(install: Callable[..., None], no_settings: None) -> Calls:
    """One experiment; the runs started in it are found again by their tags."""
    calls: Calls = []
    runs: dict[str, str] = {}

    def start_run(**named: Any) -> None:
        calls.append(("start_run", named))
        for key, value in named.get("tags", {}).items():
            runs[f"tags.{key} = '{value}'"] = "made-up"

    def search_runs(*, experiment_ids: list[str], filter_string: str, output_format: str) -> Any:
        assert experiment_ids == ["e"] and output_format == "list"
        found = runs.get(filter_string)
        return [SimpleNamespace(info=SimpleNamespace(run_id=found))] if found else []

    def set_experiment(name: str) -> Any:
        calls.append(("set_experiment", name))
        return SimpleNamespace(experiment_id="e")

    told = Told(calls)
    install(
        "mlflow",
        set_experiment=set_experiment,
        search_runs=search_runs,
        start_run=start_run,
        log_params=told.log_params,
        log_metrics=told.log_metrics,
        end_run=told.end_run,
    )
    return calls


@pytest.fixture(params=["torch.utils.tensorboard", "tensorboardX"])
def tensorboard(request: pytest.FixtureRequest, install: Callable[..., None]) -> Calls:
    calls: Calls = []

    def writer(**named: Any) -> Told:
        calls.append(("SummaryWriter", named))
        return Told(calls)

    if request.param == "tensorboardX":  # torch's module without tensorboard cannot be imported
        sys_modules = pytest.MonkeyPatch()
        sys_modules.setitem(sys.modules, "torch.utils.tensorboard", None)
        request.addfinalizer(sys_modules.undo)
    install(request.param, SummaryWriter=writer)
    return calls
