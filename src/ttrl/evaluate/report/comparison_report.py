"""The page of `ttrl report RUN RUN ...`: runs that somebody puts next to each other."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote as quoted

from ttrl.errors import CheckpointError
from ttrl.evaluate.report.comparison import Arm, scalar
from ttrl.evaluate.report.comparison_fates import question_fates
from ttrl.evaluate.report.comparison_findings import findings, quote
from ttrl.evaluate.report.comparison_groups import arms_of, inputs_of
from ttrl.evaluate.report.comparison_measures import sets_of
from ttrl.evaluate.report.comparison_page import render_comparison
from ttrl.evaluate.report.comparison_pairs import measured_sets
from ttrl.evaluate.report.comparison_tables import tables
from ttrl.evaluate.report.page import is_page
from ttrl.evaluate.report.quantities import number
from ttrl.evaluate.report.records import by_key
from ttrl.evaluate.report.run_files import RunFiles, read_run
from ttrl.files import write_whole


def write_comparison_report(
    directories: Sequence[Path], target: Path, *, notes: Sequence[str] = ()
) -> Path:
    """Compares runs that have ended; each is told once, however often it is named.

    Raises:
        CheckpointError: a run that cannot be read, or a target that is no page of ttrl.
    """
    refuse_other_files(target)
    runs = []
    for directory in directories:
        runs.append((directory, read_run(directory), report_address(directory, target.parent)))
    return write_whole(target, render_runs(runs, notes=notes))


def render_runs(runs: Sequence[tuple[Path, RunFiles, str]], *, notes: Sequence[str] = ()) -> str:
    """The page as HTML.

    Args:
        runs: folder, files, and address of the run's report (empty text if there is none).
    """
    arms = arms_of(runs)
    sets = measured_sets(arms)
    fates = (question_fates(arms, name) for name in sets_of(arms))
    count = sum(len(arm.runs) for arm in arms)
    return render_comparison(
        kicker="Test-time reinforcement learning · comparison of runs",
        title=_title(arms),
        facts=_facts(arms, count),
        quote=quote(arms, sets),
        findings=findings(sets),
        tables=tables(sets),
        arms=arms,
        fates=next((each for each in fates if each is not None), None),
        notes=(*notes, *comparability(arms)),
    )


def comparability(arms: Sequence[Arm]) -> tuple[str, ...]:
    """What differs between the runs besides their settings, so that a difference may come from it."""
    notes = []
    models = dict.fromkeys(
        (scalar(run.result.get("model")), str(inputs_of(run).get("model") or "")[:12])
        for arm in arms
        for run in arm.runs
    )
    if len(models) > 1:
        told = ", ".join(f"{name} (sha256 {hash})" if hash else name for name, hash in models)
        notes.append(f"The runs do not start from the same model: {told}.")
    for name in sets_of(arms):
        asked = [
            by_key(run.evaluations.get((name, "final"), {}))
            or by_key(run.evaluations.get((name, "base"), {}))
            for arm in arms
            for run in arm.runs
        ]
        known = [keys for keys in asked if keys]
        if any(keys.keys() != known[0].keys() for keys in known):
            shared = len(set.intersection(*(set(keys) for keys in known)))
            notes.append(
                f"The runs were not evaluated on the same questions of the set {name}: {shared} are "
                "in all of them."
            )
        temperatures = {
            value
            for arm in arms
            for run in arm.runs
            for when in ("base", "final")
            if (value := _temperature(run, name, when)) is not None
        }
        if len(temperatures) > 1:
            told = ", ".join(f"{value:g}" for value in sorted(temperatures))
            notes.append(f"The set {name} was evaluated at different temperatures: {told}.")
    if all(len(arm.runs) == 1 for arm in arms):
        notes.append("One seed each. The intervals are over questions; other seeds end elsewhere.")
    return tuple(notes)


def report_address(directory: Path, page_folder: Path) -> str:
    """Where the run's report is, seen from the folder of the page; empty text if there is none."""
    report = directory / "report.html"
    if not report.is_file():
        return ""
    try:
        return quoted(Path(os.path.relpath(report, page_folder)).as_posix(), errors="replace")
    except ValueError:  # another drive
        return ""


def refuse_other_files(target: Path) -> None:
    """Raises unless a page may be written there.

    Raises:
        CheckpointError: something is there that is no page of ttrl, or the folder is missing.
    """
    if not target.parent.is_dir():
        raise CheckpointError(f"{target}: there is no folder {target.parent}. Make it first.")
    if os.path.lexists(target) and not is_page(target):
        raise CheckpointError(
            f"{target} exists and is no page that ttrl has written, so it is not overwritten. "
            "Remove it, or name another file with --out."
        )


def _title(arms: Sequence[Arm]) -> str:
    names = [arm.name for arm in arms]
    if len(names) <= 3:
        return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
    return f"{names[0]} and {len(names) - 1} others"


def _facts(arms: Sequence[Arm], count: int) -> list[tuple[str, str]]:
    facts = [("runs", str(count)), ("groups", str(len(arms)))]
    for label, key in (
        ("model", "model"),
        ("algorithm", "algorithm"),
        ("reward", "reward"),
        ("seeds", "seed"),
        ("ttrl", "ttrl_version"),
    ):
        told = dict.fromkeys(
            scalar(run.result[key]) for arm in arms for run in arm.runs if key in run.result
        )
        if told:
            shown = list(told)[:6]
            facts.append(
                (label, ", ".join(shown) + (", \N{HORIZONTAL ELLIPSIS}" if len(told) > 6 else ""))
            )
    return facts


def _temperature(run: RunFiles, name: str, when: str) -> float | None:
    sampling = run.evaluations.get((name, when), {}).get("sampling")
    return number(sampling, "temperature") if isinstance(sampling, dict) else None
