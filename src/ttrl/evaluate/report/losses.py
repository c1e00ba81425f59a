"""What got worse: questions that the vote lost, and answers that are out of reach now."""

from __future__ import annotations

from ttrl.evaluate.contingency import mcnemar_p
from ttrl.evaluate.estimators import pass_at_k
from ttrl.evaluate.report.estimates import Sentence, in_order, set_title
from ttrl.evaluate.report.paired import Evaluations, Pairs, pairs
from ttrl.evaluate.report.quantities import percent, plural
from ttrl.evaluate.report.records import correct
from ttrl.evaluate.statistics import mean

LARGEST_K = 16
"""k of the pass@k that is told, as in evaluations; fewer completions lower it."""


def losses(evaluations: Evaluations) -> tuple[Sentence, ...]:
    """One sentence per labeled set with a loss, and one for the sets without.

    The trained set comes first, if it has a loss.
    """
    found, without = [], []
    for name in in_order({name for name, _ in evaluations}):
        paired = pairs(evaluations, name)
        table = paired.contingency()
        if table is None:
            continue
        lost = _lost_votes(paired)
        reach = _lost_reach(paired)
        if lost is None and reach is None:
            without.append(set_title(name))
            continue
        parts = [part for part in (lost, reach) if part is not None]
        is_clear = reach is not None or (
            table.lost > table.gained and mcnemar_p(table.gained, table.lost) < 0.05
        )
        text = f"What got worse on the {set_title(name)}: {'; '.join(parts)}."
        found.append(Sentence(text=text, tone="fell" if is_clear else "unclear"))
    if without:
        text = (
            f"Nothing got worse on the {' and the '.join(without)}: no vote that was right before is wrong "
            "after, and pass@k did not clearly fall."
        )
        found.append(Sentence(text=text, tone="unclear"))
    return tuple(found)


def _lost_votes(paired: Pairs) -> str | None:
    table = paired.contingency()
    if table is None or not table.lost:
        return None
    return (
        f"the vote lost {table.lost:,} of the {plural(table.lost + table.kept, 'question')} that it had "
        f"right (and gained {table.gained:,})"
    )


def _lost_reach(paired: Pairs) -> str | None:
    """pass@k, if it clearly fell. It falls as completions agree, even where most get better."""
    samples = paired.samples
    k = min(LARGEST_K, samples)
    change = paired.change_of(f"pass@{k}")
    if change is None or k < 2 or change.high >= 0:
        return None
    before, after = (
        mean([pass_at_k(samples, correct(record), k) for record in side])
        for side in (paired.before, paired.after)
    )
    return (
        f"pass@{k} fell from {percent(before)} to {percent(after)}, {change}, so some questions "
        f"that {plural(k, 'completion')} could answer before are out of reach now"
    )
