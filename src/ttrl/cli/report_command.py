"""`ttrl report`: the report of a run once more, or one page that compares several runs."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from ttrl.cli.options import make_parser, parse
from ttrl.errors import EXIT_DONE, CheckpointError, ConfigError

SUMMARY = (
    "Write the report of a run, a study or a sweep once more from its files; or, of several runs, one "
    "page that compares them. Nothing is trained or sampled."
)
COMPARISON = "comparison.html"


def run(arguments: Sequence[str]) -> int:
    """Writes one page; returns the exit code."""
    given = parse(_parser(), arguments)
    paths = [Path(name) for name in given["runs"]]
    left_out: list[str] = []
    if len(paths) == 1:
        out = Path(given["out"]) if "out" in given else None
        page = _alone(paths[0], out)
    else:
        page, left_out = _together(paths, Path(given.get("out", COMPARISON)))
    as_json = given.get("json", False)
    for told in left_out:
        print(f"left out    {told}", file=sys.stderr)
    print(f"report      {page}", file=sys.stderr if as_json else sys.stdout)
    if as_json:
        print(json.dumps({"report": str(page), "left_out": left_out}))
    return EXIT_DONE


def _parser() -> argparse.ArgumentParser:
    parser = make_parser("report", SUMMARY, groups=())
    parser.usage = "ttrl report RUN [RUN ...] [OPTION ...]"
    parser.epilog = (
        "A page is one file that needs no network. Runs that differ by their seed alone are one group; "
        "groups are compared question by question where their questions are the same."
    )
    parser.add_argument(
        "runs", metavar="RUN", nargs="+", help="folder of a `ttrl train`, or of one study or sweep"
    )
    parser.add_argument(
        "--out",
        metavar="FILE",
        help=f"the page; nothing but a page of ttrl is overwritten [one run: report.html in its "
        f"folder; several: {COMPARISON}]",
    )
    parser.add_argument(
        "--json", action="store_true", help="one JSON object as the last line of standard output"
    )
    return parser


def _alone(path: Path, out: Path | None) -> Path:
    if (kind := _many_runs(path)) is not None:
        if out is not None:
            raise ConfigError(
                f"--out: the report of the {kind} {path} stands in its folder. Leave it out."
            )
        if kind == "study":
            from ttrl.evaluate.report.pages import write_study_report

            write_study_report(path)
        else:
            from ttrl.evaluate.report.pages import write_sweep_report

            write_sweep_report(path)
        return path / "report.html"
    from ttrl.evaluate.report.pages import refuse_other_files, render_report, write_report
    from ttrl.files import write_whole

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
    from ttrl.evaluate.report.pages import write_comparison_report

    return write_comparison_report(ended, out, notes=left_out), left_out


def _require_run(path: Path) -> None:
    """Raises unless the folder holds something of a run; those of older versions do as well.

    Raises:
        CheckpointError: no run.
    """
    if not any(_is_file(path / name) for name in ("config.yaml", "manifest.json", "result.json")):
        raise CheckpointError(
            f"{path}: not a run (no config.yaml, manifest.json or result.json in it). Give the folder "
            "that `ttrl train --out` made."
        )


def _not_ended(path: Path) -> str:
    return f"{path}: the run has not ended (no result.json). Go on with it: {_resumption(path)}"


def _resumption(path: Path) -> str:
    """The command that goes on with a run: that of the study or sweep it is a part of, if it is one."""
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
