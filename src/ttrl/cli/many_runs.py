"""The folder of a study or a sweep, and the jobs that fill it."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ttrl.cli.side_by_side import Failure, Job, run_side_by_side
from ttrl.cli.study_settings import Settings, read_settings
from ttrl.config import KEYS, Layers, ResolvedConfig
from ttrl.errors import EXIT_DONE, EXIT_INTERRUPTED, CheckpointError, ConfigError
from ttrl.recording.console import say
from ttrl.recording.evaluations import When
from ttrl.recording.manifest import surroundings
from ttrl.recording.results import read_result
from ttrl.recording.run_directory import RunDirectory
from ttrl.recording.trackers.registry import wanted
from ttrl.runs.interrupts import Interrupts
from ttrl.runs.resume import resolve_resumed
from ttrl.runs.summary import set_line

HALF_MADE = frozenset(
    {"config.yaml", "checkpoints", "evaluations", ".config.yaml.tmp", ".manifest.json.tmp"}
)
"""All that can lie in a run directory before its manifest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where things are."""

    directory: RunDirectory
    """Locked."""
    report_to: tuple[str, ...] = ()
    """Trackers of its training runs."""

    @property
    def path(self) -> Path:
        """The folder."""
        return self.directory.path

    def job(
        self, name: str, arguments: Sequence[str], *, out: Path, config: Path | None = None
    ) -> Job:
        """A command with its config, that of all if left out; or its resumption where it has begun.

        What a killed command has left half made is cleared away.
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


def check_shared(layers: Layers) -> None:
    """Raises ConfigError for a key that every run has its own value of."""
    for key in KEYS.values():
        if key.per_run and key.name in layers.merged:
            source = layers.sources[key.name]
            raise ConfigError(f"{source}: {key.name} cannot be set here: {key.per_run}.")


def start_many(
    command: str,
    resolved: ResolvedConfig,
    settings: Settings,
    *,
    about: Mapping[str, Any],
    files: Mapping[str, str] | None = None,
) -> Layout:
    """Makes the folder.

    Args:
        about: what else its manifest tells.
        files: further texts, by name.

    Raises:
        ConfigError: there is something of that name already.
        CheckpointError: it cannot be written.
    """
    path = Path(resolved.values.out or f"runs/{command}-{time.strftime('%Y%m%d-%H%M%S')}")
    manifest = {
        "format": 1,
        "command": command,
        "settings": settings.model_dump(mode="json"),
        **about,
        **surroundings(),
    }
    directory = RunDirectory.create(
        path, config=resolved.as_yaml(), manifest=manifest, command=command, files=files
    )
    directory.lock()
    say(f"{command:<11} {path}")
    return Layout(directory=directory, report_to=resolved.values.report_to)


def open_many(
    command: str, layers: Layers, kind: type[Settings]
) -> tuple[Layout, Settings, ResolvedConfig]:
    """A folder that was begun, under its own config and settings; options beside it may repeat them.

    Raises:
        CheckpointError: it is none of this command, or an option says something else.
        ConfigError: an option that is wrong in itself.
    """
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
    report_to = wanted(resolved.values.report_to)
    directory.lock()
    return Layout(directory=directory, report_to=report_to), given, resolved


def run_and_report(
    command: str,
    layout: Layout,
    *,
    runs: Callable[[], list[Failure]],
    report: Callable[[list[Failure]], Mapping[str, Any]],
    as_json: bool,
) -> int:
    """Runs everything, writes the page, tells the outcome; returns the exit code.

    That of the first run that failed, else 0. What the other runs came to is reported all the same.
    """
    with Interrupts():
        try:
            failures = runs()
        except KeyboardInterrupt:
            say(
                f"\ninterrupted; nothing is lost. Go on with: ttrl {command} --resume {layout.path}"
            )
            return EXIT_INTERRUPTED
        finally:
            layout.directory.unlock()
    try:
        result = report(failures)
    except CheckpointError as error:
        if not failures:
            raise
        print(f"ttrl {command}: {error}", file=sys.stderr)
        return failures[0].exit_code
    lines = [*result["told"], f"report      {layout.path / 'report.html'}"]
    print("\n".join(lines), file=sys.stderr if as_json else sys.stdout)
    if as_json:
        print(json.dumps(result))
    return failures[0].exit_code if failures else EXIT_DONE


def run_phase(jobs: Sequence[Job], at_once: int) -> list[Failure]:
    """Runs what is left of some jobs and tells of each that ends."""
    failures = run_side_by_side(jobs, at_once=at_once, told=_told)
    for failure in failures:
        print(f"{failure.name}: {failure.said}", file=sys.stderr)
    return failures


def _clear(out: Path, *, begun: bool) -> None:
    """Takes away an evaluation that was cut while it was written, or a folder without its manifest."""
    try:
        cut = begun and not (out / "result.json").exists()
        half = out.is_dir() and not begun and {each.name for each in out.iterdir()} <= HALF_MADE
        if cut or half:
            shutil.rmtree(out)
    except OSError as error:
        raise CheckpointError(f"{out} is half made and cannot be removed: {error}.") from None


def _told(job: Job) -> str:
    name, pair = next(iter(read_result(job.done.parent).metrics.items()))
    when: When = "final" if "final" in pair else "base"
    return set_line(when, name, pair[when])
