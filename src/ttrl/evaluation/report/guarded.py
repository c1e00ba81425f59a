"""What a page says of the guard's decisions on a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ttrl.evaluation.report.findings import Sentence
from ttrl.evaluation.report.reading import Run
from ttrl.evaluation.report.text import line, plural
from ttrl.recording.forgiving import entries, finite, mapping

DONE = {
    "stop": "ended the run",
    "slow": "halved the learning rate",
    "warn": "warned",
}
SHOWN = 6
"""Decisions that have a sentence; of more, the first ones and the last."""


def guard_sentences(run: Run) -> tuple[Sentence, ...]:
    """Returns a sentence for each decision of the guard, the last one first; none where it was quiet."""
    found = [sentence for each in run.decisions if (sentence := _sentence(each)) is not None]
    if len(found) > SHOWN:
        more = Sentence(f"The guard decided {plural(len(found), 'time')} in all.", "unclear")
        found = [*found[: SHOWN - 2], more, found[-1]]
    return tuple(reversed(found))


def _sentence(decision: Mapping[str, Any]) -> Sentence | None:
    step, does = finite(decision.get("step")), DONE.get(str(decision.get("action")))
    if step is None or does is None:
        return None
    signs = [line(mapping(each).get("text"), 160) for each in entries(decision.get("signals"))]
    why = f": {'; '.join(signs[:SHOWN])}" if signs else ""
    return Sentence(f"The guard {does} after step {step:,.0f}{why}.", "fell")
