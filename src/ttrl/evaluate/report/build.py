"""Builds the report of a run: one HTML file that needs no network and trusts no text.

Model output reaches the page through jinja2's autoescape only. As a second wall, the page's own
policy runs no script but those of this package, by their hashes, and loads nothing.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import importlib.resources
import os
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ttrl.errors import CheckpointError
from ttrl.evaluate.report.before_after import before_after
from ttrl.evaluate.report.cost import cost_rows
from ttrl.evaluate.report.curves import curves
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
    target = run_directory / "report.html"
    temporary = run_directory / f".report.html.{os.getpid()}.tmp"
    try:
        temporary.write_text(html, "utf-8", newline="\n")
        os.replace(temporary, target)
    except OSError as error:
        raise CheckpointError(
            f"{target} cannot be written: {error}. The run itself is done: see result.json."
        ) from None
    finally:
        temporary.unlink(missing_ok=True)
    return target


def render_report(run_directory: Path) -> str:
    """The report as HTML, a pure function of the run's files.

    Raises:
        CheckpointError: there is no readable result.json.
    """
    run = read_run(run_directory)
    scripts = [_asset(name) for name in SCRIPTS]
    html = (
        _environment()
        .get_template("template.html.j2")
        .render(
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
            styles=[Markup(_asset(name)) for name in STYLES],
            scripts=[Markup(text) for text in scripts],
            script_hashes=[_policy_hash(text) for text in scripts],
        )
    )
    return html.encode("utf-8", "replace").decode("utf-8")  # lone surrogates become '?'


@functools.cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("ttrl.evaluate.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _asset(name: str) -> str:
    return (importlib.resources.files("ttrl.evaluate.report") / name).read_text("utf-8")


def _policy_hash(script: str) -> str:
    """A script as the content security policy names it."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"'sha256-{digest}'"
