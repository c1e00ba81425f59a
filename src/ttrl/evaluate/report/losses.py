"""What got worse: votes that were lost, single completions, and answers that are out of reach now."""

from __future__ import annotations

from ttrl.evaluate.estimators import LARGEST_K, pass_at_k
from ttrl.evaluate.memorisation import Gain
from ttrl.evaluate.report.estimates import Sentence, in_order, set_title
from ttrl.evaluate.report.paired import Evaluations, Pairs, pairs
from ttrl.evaluate.report.quantities import percent, plural
from ttrl.evaluate.report.records import correct, share_right
from ttrl.evaluate.statistics import mcnemar_p, mean


def losses(evaluations: Evaluations) -> tuple[Sentence, ...]:
    """One sentence per labeled set with a loss, and one for the sets without.

    The trained set comes first, if it has a loss. Of pass@k something is said only where there are
    enough questions to judge it.
    """
    found: list[Sentence] = []
    without: dict[bool, list[str]] = {True: [], False: []}
    for name in in_order({name for name, _ in evaluations}):
        paired = pairs(evaluations, name)
        table = paired.contingency()
        if table is None:
            continue
        lost, fell, reach = _lost_votes(paired), _fallen(paired), _lost_reach(paired)
        parts = [part for part in (lost, fell, reach) if part is not None]
        if not parts:
            without[_reach(paired) is not None].append(set_title(name))
            continue
        is_clear = bool(fell or reach) or (
            table.lost > table.gained and mcnemar_p(table.gained, table.lost) < 0.05
        )
        text = f"What got worse on the {set_title(name)}: {'; '.join(parts)}."
        found.append(Sentence(text=text, tone="fell" if is_clear else "unclear"))
    for is_known, titles in without.items():
        if titles:
            text = (
                f"No vote was lost on the {' and the '.join(titles)}: none that was right before is "
                f"wrong after{', and pass@k did not clearly fall' if is_known else ''}."
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


def _fallen(paired: Pairs) -> str | None:
    """The share of right completions, if it clearly fell. It may where every vote is kept."""
    change = paired.change(share_right)
    if change is None or change.high >= 0:
        return None
    n = paired.samples
    return f"{f'avg@{n}' if n else 'the share of right completions'} fell, {change}"


def _reach(paired: Pairs) -> Gain | None:
    """Change of pass@k; None if it cannot be judged."""
    k = min(LARGEST_K, paired.samples)
    return paired.change_of(f"pass@{k}") if k > 1 else None


def _lost_reach(paired: Pairs) -> str | None:
    """pass@k, if it clearly fell. It falls as completions agree, even where most get better."""
    samples, change = paired.samples, _reach(paired)
    k = min(LARGEST_K, samples)
    if change is None or change.high >= 0:
        return None
    before, after = (
        mean([pass_at_k(samples, correct(record), k) for record in side])
        for side in (paired.before, paired.after)
    )
    return (
        f"pass@{k} fell from {percent(before)} to {percent(after)}, {change}, so some questions "
        f"that {plural(k, 'completion')} could answer before are out of reach now"
    )
