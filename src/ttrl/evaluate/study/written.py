"""What a study and a sweep leave in their folder: numbers, a table, a figure and a page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ttrl.evaluate.report.comparison import Arm as Drawn
from ttrl.evaluate.report.comparison import Fates, Fold, Role, Table, curve_groups
from ttrl.evaluate.report.comparison_page import render_comparison
from ttrl.evaluate.report.estimates import Sentence
from ttrl.evaluate.report.figure import figure_svg
from ttrl.evaluate.study.arms import Arm
from ttrl.files import write_whole

FIGURE = "figure.svg"


def drawn(arm: Arm, folder: Path, *, name: str, role: Role) -> Drawn:
    """An arm as the page draws it, with links to the pages of its runs."""
    links = tuple(f"{path.relative_to(folder).as_posix()}/report.html" for path in arm.paths)
    return Drawn(name=name, role=role, runs=arm.runs, links=links)


def write_all(
    folder: Path,
    *,
    command: str,
    result: Mapping[str, Any],
    markdown: str,
    facts: Sequence[tuple[str, str]],
    quote: str,
    findings: Sequence[Sentence],
    tables: Sequence[Table],
    arms: Sequence[Drawn],
    fates: Fates | None = None,
    appendix: Sequence[Fold] = (),
    notes: Sequence[str] = (),
) -> None:
    """Writes <command>.json, results.md, figure.svg and report.html anew, each whole or not at all.

    Raises:
        CheckpointError: one cannot be written.
    """
    figure = figure_svg(curve_groups(arms))
    html = render_comparison(
        kicker=f"Test-time reinforcement learning · {command}",
        title=folder.resolve().name,
        facts=facts,
        quote=quote,
        findings=findings,
        tables=tables,
        arms=arms,
        fates=fates,
        appendix=appendix,
        notes=notes,
        figure=Markup(figure),
        figure_link=FIGURE,
    )
    write_whole(folder / f"{command}.json", json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    write_whole(folder / "results.md", markdown)
    write_whole(folder / FIGURE, figure)
    write_whole(folder / "report.html", html)
