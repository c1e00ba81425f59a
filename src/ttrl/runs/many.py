"""Several runs in one folder: what a study and a sweep have in common."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ttrl.config import KEYS, Layers, ResolvedConfig
from ttrl.errors import CheckpointError, ConfigError
from ttrl.evaluation.report.plan import run_path
from ttrl.recording.evaluations import When
from ttrl.recording.results import RunResult, read_result
from ttrl.recording.run_directory import RunDirectory, surroundings
from ttrl.recording.trackers.registry import wanted
from ttrl.runs.interrupts import Interrupts, RunInterrupted
from ttrl.runs.jobs import Failure, Job, run_side_by_side
from ttrl.runs.resume import resolve_resumed
from ttrl.runs.summary import set_line

PLAIN = ("--views", "")
"""An evaluation of a base draws no votes on views, whatever its runs train with."""
HALF_MADE = frozenset(
    {"config.yaml", "checkpoints", "evaluations", ".config.yaml.tmp", ".manifest.json.tmp"}
)
"""All that can lie in a run directory before its manifest."""

Seed = Annotated[int, Field(ge=0)]
Settings = TypeVar("Settings", bound="ManyRuns")
Say = Callable[[str], object]
"""Takes a line for the person who waits."""


class ManyRuns(BaseModel):
    """The settings of every command that makes several runs, beside those of the runs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seeds: tuple[Seed, ...] = Field(default=(0, 1, 2), min_length=1)
    jobs: int = Field(default=1, ge=1)

    @field_validator("seeds", "arms", mode="before", check_fields=False)
    @classmethod
    def _listed(cls, value: Any) -> Any:
        """A list, one value, or texts with commas: 0,1,2."""
        if not isinstance(value, list | tuple):
            value = [value]
        return [
            part.strip() if isinstance(part, str) else part
            for each in value
            for part in (each.split(",") if isinstance(each, str) else [each])
            if not isinstance(part, str) or part.strip()
        ]

    @field_validator("seeds", "arms", check_fields=False)
    @classmethod
    def _distinct(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(set(values)) < len(values):
            raise ValueError("wanted each of them once")
        return values


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(Generic[Settings]):
    """Several runs that are asked for, checked as far as they can be before the first one starts."""

    command: Literal["study", "sweep"]
    resolved: ResolvedConfig
    """The settings that the runs share."""
    settings: Settings
    directory: RunDirectory | None = None
    """The folder to resume; None for a new one."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """Further entries of the manifest of a new folder."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Further files of a new folder: texts by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyResult:
    """The result of a study or a sweep."""

    path: Path
    """The folder of all its runs, with report.html."""
    text: tuple[str, ...]
    """The verdict of a study and its findings, or the table of a sweep and its findings, line by line."""
    arms: Mapping[str, tuple[RunResult, ...]]
    """The runs that have ended, one for each seed, by the name of their arm or point."""
    failures: tuple[Failure, ...]
    """The runs and evaluations that did not end this time; the report leaves them out."""
    figures: Mapping[str, Any]
    """What study.json or sweep.json holds, and `--json` prints."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A folder that is being filled."""

    directory: RunDirectory
    """The run directory, locked."""
    report_to: tuple[str, ...] = ()
    """Trackers of its training runs."""

    @property
    def path(self) -> Path:
        """Returns its path."""
        return self.directory.path

    def job(
        self, name: str, arguments: Sequence[str], *, out: Path, config: Path | None = None
    ) -> Job:
        """Returns a command as a job, or its resumption where it has begun.

        What a killed command has left half made is removed.

        Args:
            config: its config file; that of all runs if left out.

        Raises:
            CheckpointError: something half made cannot be removed.
        """
        command, *options = arguments
        begun = (out / "config.yaml").is_file() and (out / "manifest.json").is_file()
        if begun and command == "train":
            full = ["train", "--resume", str(out)]
        else:
            _clear(out, begun=begun)
            source = str(config or self.path / "config.yaml")
            full = [command, "--config", source, *options, "--out", str(out)]
        if command == "train" and self.report_to:
            full += ["--report-to", *self.report_to]
        return Job(
            name=name,
            arguments=tuple(full),
            done=out / "result.json",
            log=self.path / "logs" / f"{name}.log",
        )


def read_settings(kind: type[Settings], given: Mapping[str, Any]) -> Settings:
    """Checks the command's own settings and returns them.

    Raises:
        ConfigError: a bad value, by name.
    """
    try:
        return kind(**given)
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            where = ".".join(str(part) for part in problem["loc"])
            got = f"{where}={problem['input']!r}: " if where else ""
            lines.append(got + problem["msg"].removeprefix("Value error, ") + ".")
        raise ConfigError("\n".join(lines)) from None


def check_shared(layers: Layers) -> None:
    """Raises ConfigError for a key that runs cannot share."""
    for key in KEYS.values():
        if key.per_run and key.name in layers.merged:
            source = layers.sources[key.name]
            raise ConfigError(f"{source}: {key.name} cannot be set here: {key.per_run}.")


def resumed(
    command: Literal["study", "sweep"], layers: Layers, kind: type[Settings]
) -> Plan[Settings] | None:
    """Returns the plan of a folder to go on with, or None where none is named.

    It goes on under its own config and settings, which may be repeated but, except for `jobs`, not changed.

    Raises:
        CheckpointError: the folder was not made by this command, or was started with another value.
        ConfigError: a setting that is wrong in itself.
    """
    if layers.merged.get("resume") is None:
        return None
    path = Path(str(layers.merged["resume"]))
    directory = RunDirectory.open(path)
    manifest = directory.read_json("manifest.json") or {}
    made_by = manifest.get("command")
    if made_by != command:
        other = f"go on with `ttrl {made_by} --resume {path}`" if isinstance(made_by, str) else ""
        raise CheckpointError(
            f"--resume {path}: it was not made by `ttrl {command}`. Give a folder that was"
            f"{f', or {other}' if other else ''}."
        )
    resolved = resolve_resumed(layers, directory)
    stored = manifest.get("settings")
    kept = read_settings(kind, stored if isinstance(stored, dict) else {})
    given = read_settings(kind, {**kept.model_dump(), **layers.beside})
    for key in kind.model_fields:
        if key != "jobs" and getattr(given, key) != getattr(kept, key):
            raise CheckpointError(
                f"--resume {path}: it was started with {key}={getattr(kept, key)!r}, and now {key} is "
                f"{getattr(given, key)!r}. Leave {key} out, or start a new {command} with another --out."
            )
    wanted(resolved.values.report_to)
    return Plan(command=command, resolved=resolved, settings=given, directory=directory)


def carry_out(
    plan: Plan[Any],
    *,
    runs: Callable[[Folder], list[Failure]],
    report: Callable[[Path, list[Failure]], Mapping[str, Any]],
    arms: Sequence[str],
    say: Say,
) -> StudyResult:
    """Makes the runs that are left and writes the report. A run that fails takes no other with it.

    Args:
        runs: makes them; returns those that failed.
        report: writes the pages of a folder; returns what its JSON file holds.
        arms: names of the arms or points.

    Raises:
        ConfigError: there is a folder of that name already.
        CheckpointError: a file cannot be written, or no run has ended; its exit code is that of the first
            run that failed.
        RunInterrupted: a signal came; everything is saved.
    """
    folder = _folder(plan, say)
    with Interrupts():
        try:
            failures = runs(folder)
        except KeyboardInterrupt:
            raise RunInterrupted(
                "interrupted; nothing is lost. Go on with: "
                f"ttrl {plan.command} --resume {folder.path}"
            ) from None
        finally:
            folder.directory.unlock()
    try:
        figures = report(folder.path, failures)
    except CheckpointError as error:
        if failures:
            error.exit_code = failures[0].exit_code
        raise
    return StudyResult(
        path=folder.path,
        text=tuple(figures["told"]),
        arms={name: _ended(folder.path, name, plan.settings.seeds) for name in arms},
        failures=tuple(failures),
        figures=figures,
    )


def run_phase(jobs: Sequence[Job], at_once: int, say: Say) -> list[Failure]:
    """Runs the jobs that are left, and says what each came to."""
    failures = run_side_by_side(jobs, at_once=at_once, told=_told, say=say)
    for failure in failures:
        say(f"{failure.name}: {failure.said}")
    return failures


def _folder(plan: Plan[Any], say: Say) -> Folder:
    """Opens the folder of a plan, or makes it, and locks it."""
    values, directory = plan.resolved.values, plan.directory
    if directory is None:
        path = Path(values.out or f"runs/{plan.command}-{time.strftime('%Y%m%d-%H%M%S')}")
        manifest = {
            "format": 1,
            "command": plan.command,
            "settings": plan.settings.model_dump(mode="json"),
            **plan.about,
            **surroundings(),
        }
        config = plan.resolved.as_yaml()
        directory = RunDirectory.create(
            path, config=config, manifest=manifest, command=plan.command, files=plan.files
        )
        say(f"{plan.command:<11} {path}")
    directory.lock()
    return Folder(directory=directory, report_to=values.report_to)


def _ended(folder: Path, arm: str, seeds: Sequence[int]) -> tuple[RunResult, ...]:
    found = []
    for seed in seeds:
        with suppress(CheckpointError):  # not ended, or not readable: the report names it
            found.append(read_result(run_path(folder, arm, seed)))
    return tuple(found)


def _clear(out: Path, *, begun: bool) -> None:
    """Removes an evaluation that was cut while it was written, or a folder without its manifest."""
    try:
        cut = begun and not (out / "result.json").exists()
        half = out.is_dir() and not begun and {each.name for each in out.iterdir()} <= HALF_MADE
        if cut or half:
            shutil.rmtree(out)
    except OSError as error:
        raise CheckpointError(f"{out} is half made and cannot be removed: {error}.") from None


def _told(job: Job) -> str:
    result = read_result(job.done.parent)
    name, pair = next(iter(result.metrics.items()))
    when: When = "final" if "final" in pair else "base"
    stopped = f"  (stopped by the guard after {result.steps} steps)"
    return set_line(when, name, pair[when]) + (stopped if result.stopped_by_guard else "")
