"""The four pages, each made from the files of its runs: of a run, several runs, a study and a sweep."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote as quoted

from ttrl.errors import CheckpointError
from ttrl.evaluation.report import arm_tables as tables_of
from ttrl.evaluation.report.appendix import (
    appendix_tables,
    kept_tables,
    reading_notes,
    run_cost_table,
)
from ttrl.evaluation.report.arms import (
    Arm,
    arms_of,
    comparability,
    measured_sets,
    missing,
    read_arm,
    sets_of,
)
from ttrl.evaluation.report.cards import arm_fates, cards_as_json, set_cards
from ttrl.evaluation.report.curves import arm_curves, attempt_charts, run_curves
from ttrl.evaluation.report.figure import figure_svg
from ttrl.evaluation.report.page import is_page, render_page
from ttrl.evaluation.report.plan import read_plan
from ttrl.evaluation.report.reading import Run, read_run
from ttrl.evaluation.report.study import gather
from ttrl.evaluation.report.tables import headline_table, level_tables, set_fates, set_tables
from ttrl.evaluation.report.text import ELLIPSIS, TRAINED, scalar
from ttrl.evaluation.report.verdicts import (
    comparison_verdict,
    run_verdict,
    study_verdict,
    sweep_verdict,
)
from ttrl.files import write_whole
from ttrl.recording.forgiving import mapping, read_object
from ttrl.recording.results import RunResult

KICKER = "Test-time reinforcement learning · "
FIGURE = "figure.svg"
FACTS = {"ended": "stopped", "ttrl": "ttrl_version"}
"""Words in the head of a page that are no field of the result of a run."""
WORDS = ("model", "engine", "algorithm", "reward", "steps", "ended", "seed", "ttrl")


def write_report(run_directory: Path) -> Path:
    """Writes report.html and figure.svg into the run directory, each whole or not at all.

    Raises:
        CheckpointError: there is no readable result.json, or a file cannot be written.
    """
    run = read_run(run_directory)
    figure = _figure(run)
    html = _run_page(run, figure, FIGURE)
    try:
        write_whole(run_directory / FIGURE, figure)
        return write_whole(run_directory / "report.html", html)
    except CheckpointError as error:
        raise CheckpointError(f"{error} The run itself is done: see result.json.") from None


def render_report(run_directory: Path, *, beside_figure: bool = True) -> str:
    """Returns the page of a run as HTML, a pure function of the run's files.

    Args:
        beside_figure: it will stand in the run directory, where figure.svg is.

    Raises:
        CheckpointError: there is no readable result.json.
    """
    run = read_run(run_directory)
    return _run_page(run, _figure(run), FIGURE if beside_figure else "")


def _figure(run: Run) -> str:
    return figure_svg([Arm(name=run.result.name or "run", runs=(run,))])


def _run_page(run: Run, figure: str, figure_link: str) -> str:
    tables, cards, cost = set_tables(run), set_cards(run), run_cost_table(run)
    appendix = [("Configuration", run.config), ("Versions and machine", run.manifest)]
    return render_page(
        kicker=f"{KICKER}run report",
        title=run.result.name or "unnamed run",
        facts=_facts([run.result], *WORDS),
        banner=run.result.is_true_labels,
        verdict=run_verdict(run),
        headline=headline_table(tables),
        sections=[
            ("Before and after", [*tables, *kept_tables(run)]),
            ("By level of difficulty", level_tables(run)),
        ],
        sets=set_fates(run),
        curves=run_curves(run.records),
        attempts=attempt_charts(run),
        cards=cards,
        cards_json=cards_as_json(cards, run.visits),
        line_notes=run.line_notes,
        file_notes=run.file_notes,
        figure=figure,
        figure_link=figure_link,
        appendix=[(title, body) for title, body in (*appendix, ("Cost", cost)) if body],
    )


def write_comparison_report(
    directories: Sequence[Path], target: Path, *, notes: Sequence[str] = ()
) -> Path:
    """Compares runs that have ended; each is there once, however often it is named.

    Raises:
        CheckpointError: a run that cannot be read, or a target that is no page of ttrl.
    """
    refuse_other_files(target)
    runs = [(read_run(path), report_address(path, target.parent)) for path in directories]
    return write_whole(target, render_runs(runs, notes=notes))


def render_runs(runs: Sequence[tuple[Run, str]], *, notes: Sequence[str] = ()) -> str:
    """Returns the page that compares runs as HTML.

    Args:
        runs: each with the address of its report (empty text if there is none).
    """
    arms = arms_of(runs)
    names = [arm.name for arm in arms]
    title = " and ".join([*([", ".join(names[:-1])] if names[:-1] else []), names[-1]])
    fates = (arm_fates(arms, name) for name in sets_of(arms))
    facts = _facts([run.result for run, _ in runs], "model", "algorithm", "reward", "seed", "ttrl")
    return _arms_page(
        arms,
        notes=(*notes, *comparability(arms)),
        kicker=f"{KICKER}comparison of runs",
        title=title if len(names) <= 3 else f"{names[0]} and {len(names) - 1} others",
        facts=[("runs", str(len(runs))), ("groups", str(len(arms))), *facts],
        verdict=comparison_verdict(arms, measured_sets(arms)),
        sections=[("In numbers", tables_of.arm_tables(arms))],
        fates=next((each for each in fates if each is not None), None),
    )


def _arms_page(arms: Sequence[Arm], **values: Any) -> str:
    """A page of several runs; values as `render_page` takes them."""
    tables = [(table.caption, table) for table in appendix_tables(arms)]
    values["notes"] = [*values.get("notes", ()), *reading_notes(arms)]
    values["appendix"] = [*tables, *values.get("appendix", ())]
    return render_page(arms=arms, curves=arm_curves(arms), **values)


def report_address(directory: Path, page_folder: Path) -> str:
    """Returns the run's report, relative to the folder of the page; empty text if there is none."""
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


def write_study_report(study: Path, *, failed: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Reads the runs that have ended and writes everything anew; returns what study.json holds.

    Args:
        failed: what the runs that did not end said last; None takes what the last call was given.

    Raises:
        CheckpointError: it is no study, no TTRL run of it has ended, or a file cannot be written.
    """
    plan = read_plan(study)
    given = mapping(read_object(study / "study.json").get("failed")) if failed is None else failed
    failures = {str(name): str(said) for name, said in given.items()}
    evidence = gather(plan, failed=list(failures))
    verdict, rows, levels = (
        study_verdict(evidence),
        tables_of.study_rows(evidence),
        tables_of.level_rows(evidence),
    )
    arms, main, first = [*evidence.arms.values()], evidence.main, evidence.ttrl.runs[0].result
    result = {
        "format": 1,
        "quote": verdict.quote,
        "findings": [asdict(sentence) for sentence in verdict.findings],
        "rows": [tables_of.as_json(row) for row in rows],
        "levels": [tables_of.as_json(row) for row in levels],
        "seeds": list(plan.seeds),
        "failed": failures,
        "told": [verdict.quote, *(f"- {sentence.text}" for sentence in verdict.findings)],
    }
    tables = tables_of.arm_tables(arms, pairs=False)
    if levels and main is not None:
        tables.append(tables_of.level_table(levels, main.metric, f"maj@{main.samples}"))
    _write_all(
        study,
        "study",
        result,
        f"{verdict.quote}\n\n{tables_of.study_markdown(rows)}",
        arms,
        facts=[
            *_facts([first], "model", "algorithm", "reward", "steps"),
            ("seeds", ", ".join(map(str, evidence.ttrl.seeds))),
            ("arms", ", ".join(arm.name for arm in arms)),
            *_facts([first], "ttrl"),
        ],
        verdict=verdict,
        sections=[("In numbers", tables)],
        fates=arm_fates(arms[:1], TRAINED),
        appendix=[(f"{name} did not end", said) for name, said in failures.items()],
    )
    return result


def write_sweep_report(sweep: Path) -> dict[str, Any]:
    """Reads the runs that have ended and writes everything anew; returns what sweep.json holds.

    Raises:
        CheckpointError: it is no sweep, no run has ended, or a file cannot be written.
    """
    plan = read_plan(sweep, "sweep")
    arms = [arm for name in plan.names if (arm := read_arm(plan, name)) is not None]
    if not arms:
        raise CheckpointError(
            f"{sweep}: no run has ended, so there is nothing to report. See its logs, or go on with: "
            f"ttrl sweep --resume {sweep}"
        )
    rows, failed, verdict = tables_of.sweep_rows(arms), missing(plan, arms), sweep_verdict(arms)
    cells = tables_of.sweep_texts(rows)
    sentences = (verdict.quote, *(sentence.text for sentence in verdict.findings))
    result = {
        "format": 1,
        "points": [tables_of.point_json(row) for row in rows],
        "seeds": list(plan.seeds),
        "failed": failed,
        "told": [
            *tables_of.aligned([tables_of.POINT, *cells]),
            *(f"- {text}" for text in sentences),
        ],
    }
    _write_all(
        sweep,
        "sweep",
        result,
        tables_of.markdown(tables_of.POINT, cells),
        arms,
        facts=[("points", str(len(arms))), ("seeds", ", ".join(map(str, plan.seeds)))],
        verdict=verdict,
        sections=[("In numbers", tables_of.arm_tables(arms, pairs=False))],
        notes=[f"Runs that did not end: {', '.join(failed)}."] if failed else [],
    )
    return result


def _write_all(
    folder: Path,
    command: str,
    result: Mapping[str, Any],
    results: str,
    arms: Sequence[Arm],
    **values: Any,
) -> None:
    """Writes <command>.json, results.md, figure.svg and report.html anew, each whole or not at all."""
    figure = figure_svg(arms)
    values |= {"kicker": f"{KICKER}{command}", "title": folder.resolve().name}
    html = _arms_page(arms, figure=figure, figure_link=FIGURE, **values)
    write_whole(folder / f"{command}.json", json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    write_whole(folder / "results.md", results)
    write_whole(folder / FIGURE, figure)
    write_whole(folder / "report.html", html)


def _facts(results: Sequence[RunResult], *words: str) -> list[tuple[str, str]]:
    """What the head says: each different value once, where anything is known."""
    facts = []
    for word in words:
        known = (getattr(result, FACTS.get(word, word)) for result in results)
        texts = list(dict.fromkeys(scalar(value) for value in known if value is not None))
        if texts:
            more = f", {ELLIPSIS}" if len(texts) > 6 else ""
            title = "seeds" if word == "seed" and len(results) > 1 else word
            facts.append((title, ", ".join(texts[:6]) + more))
    return facts
