"""What a study leaves: study.json, results.md and report.html, all made from the files of its runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ttrl.errors import CheckpointError
from ttrl.evaluate.report.comparison import Cell, Column, Fold, Table
from ttrl.evaluate.report.comparison_fates import question_fates
from ttrl.evaluate.report.estimates import heading, set_title
from ttrl.evaluate.report.quantities import mapping, number, percent, plain, plural
from ttrl.evaluate.report.run_files import read_object
from ttrl.evaluate.statistics import mean
from ttrl.evaluate.study.cells import gain_cell, gain_scale
from ttrl.evaluate.study.equal_tokens import equal_tokens
from ttrl.evaluate.study.evidence import TRAINED, Evidence, gather
from ttrl.evaluate.study.findings import findings
from ttrl.evaluate.study.layout import ROLES, TITLES
from ttrl.evaluate.study.plan import read_plan
from ttrl.evaluate.study.quote import quote
from ttrl.evaluate.study.tables import ArmOnSet, LevelRow, level_rows, markdown, rows
from ttrl.evaluate.study.written import drawn, write_all


def write_study_report(study: Path, *, failed: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Reads the runs that have ended and writes everything anew; returns what study.json holds.

    Args:
        failed: what the runs that did not end said last; None takes what the last call was told.

    Raises:
        CheckpointError: it is no study, no TTRL run of it has ended, or a file cannot be written.
    """
    plan = read_plan(study)
    told = mapping(read_object(study / "study.json").get("failed")) if failed is None else failed
    failures = {str(name): str(said) for name, said in told.items()}
    arms = {name: arm for name in plan.arms if (arm := plan.arm(name))}
    if "ttrl" not in arms:
        raise CheckpointError(
            f"{study}: no TTRL run has ended, so there is nothing to report. Go on with: "
            f"ttrl study --resume {study}"
        )
    evidence = gather(
        arms,
        equal_tokens=equal_tokens(study, arms["ttrl"], questions=plan.questions, seeds=plan.seeds),
        left_out=[
            *plan.missing(arms),
            *(name for name in failures if name not in plan.run_names()),
        ],
    )
    found, table, levels = findings(evidence), rows(evidence), level_rows(evidence)
    verdict = quote(evidence)
    result = {
        "format": 1,
        "quote": verdict,
        "findings": [asdict(sentence) for sentence in found],
        "rows": [asdict(row) for row in table],
        "levels": [asdict(row) for row in levels],
        "seeds": list(plan.seeds),
        "failed": failures,
        "told": [verdict, *(f"- {sentence.text}" for sentence in found)],
    }
    pages = [drawn(arm, study, name=TITLES[name], role=ROLES[name]) for name, arm in arms.items()]
    write_all(
        study,
        command="study",
        result=result,
        markdown=f"{verdict}\n\n{markdown(table)}",
        facts=_facts(evidence),
        quote=verdict,
        findings=found,
        tables=[
            *(_table(evidence, name, table) for name in evidence.sets),
            *([_level_table(levels, table)] if levels else []),
        ],
        arms=pages,
        fates=question_fates(pages[:1], TRAINED),
        appendix=[Fold(title=f"{name} did not end", body=said) for name, said in failures.items()],
    )
    return result


def _table(evidence: Evidence, name: str, table: list[ArmOnSet]) -> Table:
    of_set = [row for row in table if row.set == name]
    if not of_set:
        return _unlabeled(evidence, name)
    n, key = of_set[0].samples, of_set[0].pass_key
    seeds = max(row.seeds for row in of_set)
    over = sorted({row.gain.over for row in of_set}, key=len)
    note = (
        f"Before → after. {plural(of_set[0].questions, 'question')}, {plural(seeds, 'seed')}; 95 % "
        f"intervals over {' or, where an arm has several seeds, over '.join(over)}."
    )
    return Table(
        caption=heading(name),
        note=note,
        columns=(
            Column(title="reward"),
            Column(title=f"avg@{n}"),
            Column(title="gain, points", scale=gain_scale([row.gain for row in table])),
            Column(title=f"maj@{n}"),
            Column(title=key),
            Column(title="entropy"),
        ),
        rows=tuple(
            (
                Cell(
                    text=TITLES[row.arm],
                    small=plural(row.seeds, "seed") if row.seeds != seeds else "",
                    arm=TITLES[row.arm],
                ),
                Cell(text=_from_to(row.before.value, row.after.value)),
                gain_cell(row.gain),
                Cell(text=_from_to(row.vote_before.value, row.vote_after.value)),
                Cell(text=_from_to(row.pass_before, row.pass_after)),
                Cell(text=f"{plain(row.entropy_before, 2)} → {plain(row.entropy_after, 2)}"),
            )
            for row in of_set
        ),
    )


def _level_table(levels: list[LevelRow], table: list[ArmOnSet]) -> Table:
    n = table[0].samples
    return Table(
        caption="By level, TTRL",
        note="Before → after. Intervals as above; of very few questions they say nothing.",
        columns=(
            Column(title="questions"),
            Column(title="level"),
            Column(title="number"),
            Column(title=f"avg@{n}"),
            Column(title="gain, points", scale=gain_scale([row.gain for row in levels])),
            Column(title=f"maj@{n}"),
        ),
        rows=tuple(
            (
                Cell(text=set_title(row.set)),
                Cell(text=row.level),
                Cell(text=f"{row.questions:,}"),
                Cell(text=_from_to(row.before.value, row.after.value)),
                gain_cell(row.gain),
                Cell(text=_from_to(row.vote_before, row.vote_after)),
            )
            for row in levels
        ),
    )


def _unlabeled(evidence: Evidence, name: str) -> Table:
    """What can be said without an answer key."""
    keys = (("majority_ratio", percent), ("no_answer_rate", percent), ("entropy", plain))
    rows = []
    for arm_name, arm in evidence.arms.items():
        cells = [Cell(text=TITLES[arm_name], arm=TITLES[arm_name])]
        if name not in arm.sets():
            continue
        for key, shown in keys:
            before, after = (
                mean([number(metrics, key) or 0.0 for metrics in arm.metrics(name, when)])
                for when in ("base", "final")
            )
            cells.append(Cell(text=f"{shown(before)} → {shown(after)}"))
        rows.append(tuple(cells))
    return Table(
        caption=heading(name),
        note="Accuracy needs labels. Agreement is not correctness.",
        columns=tuple(
            Column(title=title) for title in ("reward", "majority ratio", "no answer", "entropy")
        ),
        rows=tuple(rows),
    )


def _from_to(before: float, after: float) -> str:
    return f"{100 * before:.1f} → {percent(after)}"


def _facts(evidence: Evidence) -> list[tuple[str, str]]:
    arm = evidence.arms["ttrl"]
    run = arm.runs[0].result
    return [
        ("model", str(run.get("model"))),
        ("algorithm", str(run.get("algorithm"))),
        ("reward", str(run.get("reward"))),
        ("steps", str(run.get("steps"))),
        ("seeds", ", ".join(str(seed) for seed in arm.seeds)),
        ("arms", ", ".join(TITLES[name] for name in evidence.arms)),
        ("ttrl", str(run.get("ttrl_version"))),
    ]
