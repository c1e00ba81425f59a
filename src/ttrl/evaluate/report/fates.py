"""Which questions the vote gained and lost, as a table with a test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ttrl.evaluate.report.estimates import heading, in_order
from ttrl.evaluate.report.paired import Evaluations, pairs
from ttrl.evaluate.report.quantities import finite, mapping, p_value, plural
from ttrl.evaluate.statistics import Contingency, mcnemar_p

SIGNIFICANT = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class SetFates:
    """One set."""

    title: str
    table: Contingency | None
    """None where no vote was graded both before and after."""
    asked: int
    """Questions of the set, with a label or without."""
    sentence: str

    @property
    def graded(self) -> int:
        """Questions in the table."""
        table = self.table
        return 0 if table is None else table.gained + table.kept + table.lost + table.never

    @property
    def shares(self) -> Mapping[str, float]:
        """Percent of the graded questions by fate, for a bar."""
        table = self.table
        if table is None:
            return {}
        counts = (
            ("gained", table.gained),
            ("kept", table.kept),
            ("lost", table.lost),
            ("never", table.never),
        )
        return {name: round(100 * amount / max(1, self.graded), 2) for name, amount in counts}


def fates(evaluations: Evaluations) -> tuple[SetFates, ...]:
    """A table per set that was evaluated before and after."""
    found = []
    for name in in_order({name for name, _ in evaluations}):
        if (name, "base") not in evaluations or (name, "final") not in evaluations:
            continue
        paired = pairs(evaluations, name)
        asked = finite(mapping(evaluations[name, "base"].get("metrics")).get("questions"))
        questions = evaluations[name, "base"].get("questions")
        known = len(questions) if isinstance(questions, list) else 0
        table = paired.contingency()
        found.append(
            SetFates(
                title=heading(name),
                table=table,
                asked=int(asked) if asked is not None else known,
                sentence=fate_sentence(table) if table is not None else "Needs labels.",
            )
        )
    return tuple(found)


def fate_sentence(table: Contingency) -> str:
    """Gained against lost, with the exact test of whether chance may have done it."""
    gained, lost = table.gained, table.lost
    if gained + lost == 0:
        return "No vote changed between right and wrong."
    p = mcnemar_p(gained, lost)
    test = f"exact McNemar test over the {plural(gained + lost, 'question')} that changed, {p_value(p)}"
    if p >= SIGNIFICANT:
        return f"{gained:,} gained and {lost:,} lost: chance alone may make such a difference ({test})."
    more, fewer = ("gained", "lost") if gained > lost else ("lost", "gained")
    return (
        f"More were {more} ({max(gained, lost):,}) than {fewer} ({min(gained, lost):,}), more than chance "
        f"would easily make ({test})."
    )
