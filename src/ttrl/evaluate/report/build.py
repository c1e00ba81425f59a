"""Builds the report of a run."""

from __future__ import annotations

from pathlib import Path

from ttrl.errors import CheckpointError
from ttrl.evaluate.report.before_after import before_after
from ttrl.evaluate.report.cost import cost_rows
from ttrl.evaluate.report.curves import curves
from ttrl.evaluate.report.page import render_page, write_page
from ttrl.evaluate.report.run_files import read_run
from ttrl.evaluate.report.verdict import verdict
from ttrl.evaluate.report.votes import set_votes

SCRIPTS = ("vendor/uPlot.iife.min.js", "charts.js", "filter.js")
STYLES = ("vendor/uPlot.min.css", "style.css")


def write_report(run_directory: Path) -> Path:
    """Writes report.html into the run directory, whole or not at all.

    Raises:
        CheckpointError: there is no readable result.json, or the report cannot be written.
    """
    html = render_report(run_directory)
    try:
        return write_page(run_directory / "report.html", html)
    except CheckpointError as error:
        raise CheckpointError(f"{error} The run itself is done: see result.json.") from None


def render_report(run_directory: Path) -> str:
    """The report as HTML, a pure function of the run's files.

    Raises:
        CheckpointError: there is no readable result.json.
    """
    run = read_run(run_directory)
    return render_page(
        "template.html.j2",
        styles=STYLES,
        scripts=SCRIPTS,
        result=run.result,
        verdict=verdict(run.result),
        before_after=before_after(run.result),
        curves=curves(run.records),
        broken_lines=run.broken_lines,
        sets=set_votes(run.evaluations),
        unreadable=run.unreadable,
        cost=cost_rows(run.result),
        config=run.config,
        manifest=run.manifest,
    )
