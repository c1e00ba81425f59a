"""Writes the page of given folders: that of a run, a study or a sweep, or a comparison of several runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from ttrl.errors import CheckpointError, ConfigError
from ttrl.evaluation.report.pages import (
    refuse_other_files,
    render_report,
    write_comparison_report,
    write_report,
    write_study_report,
    write_sweep_report,
)
from ttrl.files import write_whole

COMPARISON = "comparison.html"
"""Name of the page of several runs, unless another one is given."""


def report_again(paths: Sequence[Path], out: Path | None = None) -> tuple[Path, list[str]]:
    """Writes the page of one folder, or the comparison of several runs, from their files.

    Args:
        out: the page; by default report.html in the folder, or comparison.html in the current one.

    Returns:
        the page, and why some runs were left out of it.

    Raises:
        CheckpointError: a folder that is no run, or no run that has ended.
        ConfigError: an `out` that cannot be: of a study or sweep, or a file of somebody else.
    """
    if len(paths) == 1:
        return _alone(paths[0], out), []
    return _together(paths, out or Path(COMPARISON))


def _alone(path: Path, out: Path | None) -> Path:
    if (kind := _many_runs(path)) is not None:
        if out is not None:
            raise ConfigError(
                f"--out: the report of the {kind} {path} stands in its folder. Leave it out."
            )
        write_many = write_study_report if kind == "study" else write_sweep_report
        write_many(path)
        return path / "report.html"
    _require_run(path)
    if not _has_ended(path):
        raise CheckpointError(_not_ended(path))
    if out is None:
        return write_report(path)
    refuse_other_files(out)
    return write_whole(out, render_report(path, beside_figure=False))


def _together(paths: Sequence[Path], out: Path) -> tuple[Path, list[str]]:
    by_place = {path.resolve(): path for path in reversed(paths)}
    runs = [path for path in dict.fromkeys(paths) if by_place[path.resolve()] is path]
    for path in runs:
        if (kind := _many_runs(path)) is not None:
            raise ConfigError(f"{path} is a {kind} and has a page of its own: ttrl report {path}")
        _require_run(path)
    left_out = [_not_ended(path) for path in runs if not _has_ended(path)]
    ended = [path for path in runs if _has_ended(path)]
    if not ended:
        raise CheckpointError(
            f"none of these {len(runs)} runs has ended: {', '.join(map(str, runs))}. Go on with one: "
            f"{_resumption(runs[0])}"
        )
    return write_comparison_report(ended, out, notes=left_out), left_out


def _require_run(path: Path) -> None:
    """Raises CheckpointError unless the folder holds a file of a run, of whatever version."""
    if not any(_is_file(path / name) for name in ("config.yaml", "manifest.json", "result.json")):
        raise CheckpointError(
            f"{path}: not a run (no config.yaml, manifest.json or result.json in it). Give the folder "
            "that `ttrl train --out` made."
        )


def _not_ended(path: Path) -> str:
    return f"{path}: the run has not ended (no result.json). Go on with it: {_resumption(path)}"


def _resumption(path: Path) -> str:
    """The command that continues a run, or the study or sweep that the run is part of."""
    whole = path.parent.parent
    kind = _many_runs(whole) if path.parent.name == "runs" else None
    return f"ttrl train --resume {path}" if kind is None else f"ttrl {kind} --resume {whole}"


def _has_ended(path: Path) -> bool:
    return _is_file(path / "result.json")


def _many_runs(path: Path) -> str | None:
    """'study' or 'sweep' if the folder is one, ended or not; else None."""
    try:
        manifest = json.loads((path / "manifest.json").read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    command = manifest.get("command") if isinstance(manifest, dict) else None
    return command if command in ("study", "sweep") else None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name too long to be one
        return False
