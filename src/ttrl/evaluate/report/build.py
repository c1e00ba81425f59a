"""Builds the report of a run: one HTML file that needs no network and trusts no text.

Model output reaches the page through jinja2's autoescape and `tojson` only, which write < > & and '
in a way that ends no element, and scripts show it as text, never as markup. As a second wall, the
page's own policy runs no script but those of this package, by their hashes, and loads nothing.
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
from ttrl.evaluate.report.attempts import attempt_charts
from ttrl.evaluate.report.before_after import before_after
from ttrl.evaluate.report.cost import cost_rows
from ttrl.evaluate.report.curves import curves
from ttrl.evaluate.report.fates import fates
from ttrl.evaluate.report.figure import CurveGroup, figure_svg
from ttrl.evaluate.report.levels import levels
from ttrl.evaluate.report.run_files import RunFiles, read_run
from ttrl.evaluate.report.verdict import verdict
from ttrl.evaluate.report.votes import cards_as_json, set_votes

SCRIPTS = ("vendor/uPlot.iife.min.js", "charts.js", "questions.js", "figure.js")
STYLES = ("vendor/uPlot.min.css", "style.css")


def write_report(run_directory: Path) -> Path:
    """Writes report.html and figure.svg into the run directory, each whole or not at all.

    Raises:
        CheckpointError: there is no readable result.json, or a file cannot be written.
    """
    run = read_run(run_directory)
    html, figure = _page(run), _figure(run)
    _write(run_directory / "figure.svg", figure)
    return _write(run_directory / "report.html", html)


def render_report(run_directory: Path) -> str:
    """The report as HTML, a pure function of the run's files.

    Raises:
        CheckpointError: there is no readable result.json.
    """
    return _page(read_run(run_directory))


def _page(run: RunFiles) -> str:
    scripts = [_asset(name) for name in SCRIPTS]
    sets, attempts = set_votes(run.evaluations), attempt_charts(run.evaluations)
    html = (
        _environment()
        .get_template("template.html.j2")
        .render(
            result=run.result,
            verdict=verdict(run.result, run.evaluations),
            before_after=before_after(run.result, run.evaluations),
            fates=fates(run.evaluations),
            levels=levels(run.evaluations),
            curves=curves(run.records),
            attempts=attempts,
            attempts_json=[chart.as_json() for chart in attempts],
            broken_lines=run.broken_lines,
            sets=sets,
            cards=cards_as_json(sets, run.visits),
            unreadable=run.unreadable,
            cost=cost_rows(run.result),
            config=run.config,
            manifest=run.manifest,
            figure=Markup(_figure(run)),
            styles=[Markup(_asset(name)) for name in STYLES],
            scripts=[Markup(text) for text in scripts],
            script_hashes=[_policy_hash(text) for text in scripts],
        )
    )
    return html.encode("utf-8", "replace").decode("utf-8")  # lone surrogates become '?'


def _figure(run: RunFiles) -> str:
    name = str(run.result.get("name") or "run")
    return figure_svg([CurveGroup(name=name, role="main", runs=[run.records])])


def _write(target: Path, text: str) -> Path:
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, "utf-8", newline="\n")
        os.replace(temporary, target)
    except OSError as error:
        raise CheckpointError(
            f"{target} cannot be written: {error}. The run itself is done: see result.json."
        ) from None
    finally:
        temporary.unlink(missing_ok=True)
    return target


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("ttrl.evaluate.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}
    return environment


def _asset(name: str) -> str:
    return (importlib.resources.files("ttrl.evaluate.report") / name).read_text("utf-8")


def _policy_hash(script: str) -> str:
    """A script as the content security policy names it."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"'sha256-{digest}'"
