"""Builds the report of a run."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from ttrl.errors import CheckpointError
from ttrl.evaluate.report.attempts import attempt_charts
from ttrl.evaluate.report.before_after import before_after
from ttrl.evaluate.report.cost import cost_rows
from ttrl.evaluate.report.curves import curves
from ttrl.evaluate.report.fates import fates
from ttrl.evaluate.report.figure import CurveGroup, figure_svg
from ttrl.evaluate.report.levels import levels
from ttrl.evaluate.report.page import render_page
from ttrl.evaluate.report.run_files import (
    RunFiles,
    broken_line_notes,
    read_run,
    unreadable_notes,
)
from ttrl.evaluate.report.verdict import verdict
from ttrl.evaluate.report.votes import cards_as_json, set_votes
from ttrl.files import write_whole

SCRIPTS = ("vendor/uPlot.iife.min.js", "charts.js", "questions.js", "figure.js")
STYLES = ("vendor/uPlot.min.css", "style.css")


def write_report(run_directory: Path) -> Path:
    """Writes report.html and figure.svg into the run directory, each whole or not at all.

    Raises:
        CheckpointError: there is no readable result.json, or a file cannot be written.
    """
    run = read_run(run_directory)
    html, figure = _page(run, beside_figure=True), _figure(run)
    try:
        write_whole(run_directory / "figure.svg", figure)
        return write_whole(run_directory / "report.html", html)
    except CheckpointError as error:
        raise CheckpointError(f"{error} The run itself is done: see result.json.") from None


def render_report(run_directory: Path, *, beside_figure: bool = True) -> str:
    """The report as HTML, a pure function of the run's files.

    Args:
        beside_figure: it will stand in the run directory, where figure.svg is.

    Raises:
        CheckpointError: there is no readable result.json.
    """
    return _page(read_run(run_directory), beside_figure=beside_figure)


def _page(run: RunFiles, *, beside_figure: bool) -> str:
    sets, attempts = set_votes(run.evaluations), attempt_charts(run.evaluations)
    return render_page(
        "template.html.j2",
        styles=STYLES,
        scripts=SCRIPTS,
        result=run.result,
        verdict=verdict(run.result, run.evaluations),
        before_after=before_after(run.result, run.evaluations),
        fates=fates(run.evaluations),
        levels=levels(run.evaluations),
        curves=curves(run.records),
        attempts=attempts,
        attempts_json=[chart.as_json() for chart in attempts],
        broken_lines=broken_line_notes(run),
        sets=sets,
        cards=cards_as_json(sets, run.visits),
        unreadable=unreadable_notes(run),
        cost=cost_rows(run.result),
        config=run.config,
        manifest=run.manifest,
        figure=Markup(_figure(run)),
        beside_figure=beside_figure,
    )


def _figure(run: RunFiles) -> str:
    name = str(run.result.get("name") or "run")
    return figure_svg([CurveGroup(name=name, role="main", runs=[run.records])])
