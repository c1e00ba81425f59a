"""Puts a comparison together: one HTML file, a pure function of what it is given."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from ttrl.evaluate.report import comparison_curves, comparison_fates
from ttrl.evaluate.report.comparison import Arm, Fates, Fold, Ink, Table, inks
from ttrl.evaluate.report.comparison_appendix import (
    config_table,
    cost_table,
    reading_notes,
    run_table,
    version_table,
)
from ttrl.evaluate.report.estimates import Sentence
from ttrl.evaluate.report.page import render_page

SCRIPTS = ("vendor/uPlot.iife.min.js", "comparison.js", "comparison_fates.js")
STYLES = ("vendor/uPlot.min.css", "style.css", "comparison.css")


def render_comparison(
    *,
    kicker: str,
    title: str,
    facts: Sequence[tuple[str, str]],
    quote: str,
    findings: Sequence[Sentence],
    tables: Sequence[Table],
    arms: Sequence[Arm],
    fates: Fates | None,
    appendix: Sequence[Fold] = (),
    notes: Sequence[str] = (),
    figure: Markup | None = None,
    figure_link: str = "",
) -> str:
    """The page as HTML.

    Args:
        quote: the verdict in one paragraph that can stand alone, with its intervals.
        notes: what the reader has to know about the comparison as a whole.
        figure: trusted SVG of our own, folded below the curves.
        figure_link: relative address of the same figure as a file.
    """
    found = comparison_curves.curves(arms)
    made = [config_table(arms), run_table(arms), version_table(arms), cost_table(arms)]
    return render_page(
        "comparison.html.j2",
        styles=STYLES,
        scripts=SCRIPTS,
        kicker=kicker,
        title=title,
        facts=facts,
        quote=quote,
        findings=findings,
        notes=(*notes, *reading_notes(arms)),
        tables=tables,
        arms=list(zip(arms, inks(arms), strict=True)),
        ink_of=_ink_by_name(arms),
        figure=figure,
        figure_link=figure_link,
        curves=found,
        curves_json=comparison_curves.as_json(arms, found),
        fates=fates,
        fates_json={} if fates is None else comparison_fates.as_json(arms, fates),
        made=[table for table in made if table is not None],
        appendix=appendix,
    )


def _ink_by_name(arms: Sequence[Arm]) -> dict[str, Ink]:
    return {arm.name: ink for arm, ink in zip(arms, inks(arms), strict=True)}
