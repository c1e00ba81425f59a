"""Renders a page as one file that needs no network and trusts no text.

Model output reaches a page through jinja2's autoescape and `tojson` only, which write < > & and '
in a way that ends no element, and scripts show it as text, never as markup. As a second wall, the
page's own policy runs no script but those of this package, by their hashes, and loads nothing.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import importlib.resources
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ttrl.evaluation.report.arms import Arm, inks
from ttrl.evaluation.report.curves import Curves
from ttrl.evaluation.report.verdicts import Verdict

SCRIPTS = ("vendor/uPlot.iife.min.js", "charts.js", "questions.js", "figure.js")
STYLES = ("vendor/uPlot.min.css", "style.css")
MARK = "<!-- a page of ttrl -->"
"""Ends every page, so that one page may take the place of another and of nothing else."""


EMPTY: Mapping[str, Any] = {
    "banner": False,  # whether the run was rewarded by true labels
    "notes": (),  # what the reader has to know before the numbers
    "headline": None,  # table
    "sections": (),  # headings with tables
    "sets": (),  # fates of one run, by set
    "line_notes": (),
    "attempts": (),  # charts over the number of completions
    "cards": None,  # of one run: the questions of each set
    "cards_json": {},
    "file_notes": (),
    "fates": None,  # of several runs, question by question
    "figure": "",  # SVG of our own
    "figure_link": "",  # where the same figure is as a file, relative to the page
    "appendix": (),  # title and content of what is folded at the end; a text is shown as it was written
}
"""What a page need not have; its section is left out."""


def render_page(
    *,
    kicker: str,
    title: str,
    facts: Sequence[tuple[str, str]],
    verdict: Verdict,
    curves: Curves,
    arms: Sequence[Arm] = (),
    **values: Any,
) -> str:
    """Returns the page as HTML: one file with its styles and scripts in it.

    Args:
        arms: of a page of several runs; none on that of one.
        values: see EMPTY.
    """
    page = {**EMPTY, **values}
    texts = [_asset(name) for name in SCRIPTS]
    both = {"charts": curves.charts, "attempts": page["attempts"]}
    drawn = {name: [asdict(chart) for chart in charts] for name, charts in both.items()}
    html = (
        _environment()
        .get_template("page.html.j2")
        .render(
            **{**page, "figure": Markup(page["figure"])},
            kicker=kicker,
            title=title,
            facts=facts,
            verdict=verdict,
            curves=curves,
            curves_json={"steps": curves.steps, **drawn},
            arms=list(zip(arms, inks(arms), strict=True)),
            ink_of=dict(zip((arm.name for arm in arms), inks(arms), strict=True)),
            styles=[Markup(_asset(name)) for name in STYLES],
            scripts=[Markup(text) for text in texts],
            script_hashes=[_policy_hash(text) for text in texts],
        )
    )
    whole = html.encode("utf-8", "replace").decode("utf-8")  # lone surrogates become '?'
    return f"{whole.rstrip()}\n{MARK}\n"


def is_page(path: Path) -> bool:
    """Returns whether a file is a page that ttrl has written."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 2 * len(MARK)))
            return file.read().rstrip().endswith(MARK.encode())
    except OSError:
        return False


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("ttrl.evaluation.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}
    return environment


def _asset(name: str) -> str:
    return (importlib.resources.files("ttrl.evaluation.report") / name).read_text("utf-8")


def _policy_hash(script: str) -> str:
    """A script as the content security policy names it."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"'sha256-{digest}'"
