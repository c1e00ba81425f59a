"""The folder of a study or a sweep, and the jobs that fill it."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ttrl.cli.resume import stored_config
from ttrl.cli.side_by_side import Failure, Job, run_side_by_side
from ttrl.cli.study_settings import Settings, read_settings
from ttrl.cli.summary import set_line
from ttrl.config import Layers, ResolvedConfig, settle
from ttrl.errors import CheckpointError, ConfigError
from ttrl.recording.console import say
from ttrl.recording.manifest import surroundings
from ttrl.recording.run_directory import RunDirectory

FREE_ON_RESUME = frozenset({"resume", "json", "report_to", "jobs"})


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
        """A command with its config, that of all if left out; or its resumption where it has begun."""
        command, *options = arguments
        begun = (out / "config.yaml").is_file() and (out / "manifest.json").is_file()
        if begun and command == "train":
            full = ["train", "--resume", str(out)]
        else:
            if begun and not (out / "result.json").exists():
                shutil.rmtree(out)  # an evaluation that was cut while it was written
            full = [
                command,
                "--config",
                str(config or self.path / "config.yaml"),
                *options,
                "--out",
                str(out),
            ]
        if command == "train" and self.report_to:
            full += ["--report-to", *self.report_to]
        return Job(
            name=name,
            arguments=tuple(full),
            done=out / "result.json",
            log=self.path / "logs" / f"{name}.log",
        )


def start_many(command: str, resolved: ResolvedConfig, settings: Settings) -> Layout:
    """Makes the folder.

    Raises:
        ConfigError: there is something of that name already.
        CheckpointError: it cannot be written.
    """
    out = resolved.values.out or f"runs/{command}-{time.strftime('%Y%m%d-%H%M%S')}"
    path = Path(out)
    manifest = {
        "format": 1,
        "command": command,
        "settings": settings.model_dump(mode="json"),
        **surroundings(),
    }
    directory = RunDirectory.create(
        path, config=resolved.as_yaml(), manifest=manifest, command=command, folders=()
    )
    directory.lock()
    say(f"{command}       {path}")
    return Layout(directory=directory, report_to=resolved.values.report_to)


def open_many(
    command: str, layers: Layers, kind: type[Settings]
) -> tuple[Layout, Settings, ResolvedConfig]:
    """A folder that was begun, under its own config and settings.

    Raises:
        CheckpointError: it is none of this command.
        ConfigError: options that would change it.
    """
    path = Path(str(layers.merged["resume"]))
    directory = RunDirectory.open(path)
    manifest = directory.read_json("manifest.json") or {}
    if manifest.get("command") != command:
        raise CheckpointError(
            f"--resume {path}: it was not made by `ttrl {command}`. Give a folder that was"
            + (
                f", or go on with `ttrl {manifest['command']} --resume {path}`."
                if isinstance(manifest.get("command"), str)
                else "."
            )
        )
    changed = sorted({*layers.own, *layers.beside} - FREE_ON_RESUME)
    if changed:
        raise ConfigError(
            f"--resume {path}: it goes on under its own settings, and {changed[0]} was given. Leave it "
            f"out, or start a new {command} with another --out."
        )
    stored = manifest.get("settings")
    given = {key: layers.beside[key] for key in FREE_ON_RESUME & layers.beside.keys()}
    settings = read_settings(kind, {**(stored if isinstance(stored, dict) else {}), **given})
    trackers = settle(layers).values.report_to
    directory.lock()
    return Layout(directory=directory, report_to=trackers), settings, stored_config(directory)


def run_phase(jobs: Sequence[Job], at_once: int) -> list[Failure]:
    """Runs what is left of some jobs and tells of each that ends."""
    failures = run_side_by_side(jobs, at_once=at_once, told=_told)
    for failure in failures:
        print(f"{failure.name}: {failure.said}", file=sys.stderr)
    return failures


def _told(job: Job) -> str:
    result = json.loads(job.done.read_text("utf-8"))
    name, pair = next(iter(result["sets"].items()))
    when = "final" if "final" in pair else "base"
    return set_line(when, name, pair[when])
