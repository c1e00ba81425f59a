"""Compares groups of runs after training, pair by pair, and says which differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from ttrl.evaluation.report.arms import Measure
from ttrl.evaluation.report.findings import FEW, Sentence
from ttrl.evaluation.report.outcome import difference
from ttrl.evaluation.report.text import plural, points, set_title
from ttrl.interval import Direction, Interval

ALL_PAIRS_UP_TO = 4
"""Groups; more are compared with the first one alone."""
SENTENCES = 6
"""Groups or clear differences that get a sentence each; the tables have all of them."""
SINGLY = 2
"""Differences that are not clear and yet get a sentence each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two groups on the same questions after training, by name."""

    lower: str
    higher: str
    value: Interval
    """`higher` minus `lower`, in shares; without bounds if there are too few questions."""
    chosen: str
    """The runs that were compared, where these are not all of both groups; else empty text."""

    @property
    def is_judged(self) -> bool:
        """Returns whether the pair supports a statement, even that the difference is not clear."""
        return self.value.bounds is not None and not self.chosen

    @property
    def tone(self) -> Direction:
        """Returns the tone of the sentence: a direction only if the interval excludes 0."""
        return self.value.direction if self.is_judged else "unclear"

    def sentence(self) -> Sentence:
        """Returns a sentence on which group ends above the other, or that this is not clear."""
        size, where = points(self.value), f"on the same questions, over {self.value.over}"
        if self.value.seeds == 1 and not self.chosen:
            where += "; one seed says nothing of others"
        text = f"{self.higher} ends {size} above {self.lower} {where}."
        if self.chosen:
            text = (
                f"{self.higher} and {self.lower} do not have the same seeds. Of {self.chosen} alone, "
                f"{text.removesuffix('.')}, which is no claim about the groups."
            )
        elif self.tone == "unclear":
            text = f"No clear difference between {self.higher} and {self.lower}: {size} {where}."
        return Sentence(text, self.tone)


def differences(groups: Sequence[Measure]) -> list[Pair]:
    """Returns the differences of all pairs of groups, or of the first with each other, that can be paired."""
    pairs = list(combinations(groups, 2))
    if len(groups) > ALL_PAIRS_UP_TO:
        pairs = [(groups[0], other) for other in groups[1:]]
    return [pair for first, second in pairs if (pair := pair_of(first, second)) is not None]


def pair_of(first: Measure, second: Measure) -> Pair | None:
    """Compares two groups after training; None if they have different questions.

    Runs of one seed are paired where both groups have it; with no seed in common, runs in order. If
    runs are left over, it is a difference of those that are paired and not of the groups.
    """
    ours, theirs = first.outcome, second.outcome
    if not first.keys or first.keys != second.keys or not ours or not theirs:
        return None
    early, late = ours.side("final").shared_with(theirs.side("final"), in_order=True)
    names, value = (first.arm.name, second.arm.name), difference(late, early)
    assert value is not None  # they have questions in common
    if value.value < 0:
        names, value = names[::-1], difference(early, late)
        assert value is not None  # as well
    count, chosen = len(early.seeds), ""
    if not count == len(ours.finished) == len(theirs.finished):
        chosen = f"the first {plural(count, 'run')} of each"
        if early.seeds == late.seeds:
            chosen = f"the runs of {_seeds(early.seeds)}"
    return Pair(lower=names[0], higher=names[1], value=value.supported, chosen=chosen)


def _seeds(seeds: Sequence[object]) -> str:
    """'seed 0', 'seeds 0, 1 and 2'."""
    short = [*map(str, seeds[:6]), *["more"] * (len(seeds) > 6)]
    return (
        f"seed {short[0]}" if len(short) == 1 else f"seeds {', '.join(short[:-1])} and {short[-1]}"
    )


def pair_sentences(pairs: Sequence[Pair]) -> list[Sentence]:
    """Lists clear differences one by one; of the rest, one sentence of each kind if there are many."""
    clear = [pair for pair in pairs if pair.tone != "unclear"]
    unclear = [pair for pair in pairs if pair.is_judged and pair.tone == "unclear"]
    chosen = [pair for pair in pairs if pair.value.bounds is not None and pair.chosen]
    found = [pair.sentence() for pair in clear[:SENTENCES]]
    if len(unclear) <= SINGLY:
        found += [pair.sentence() for pair in unclear]
    else:
        rest = "all" if len(unclear) == len(pairs) else "the other" if clear else "the"
        whole = "" if len(unclear) + len(clear) == len(pairs) else " with the same seeds"
        text = (
            f"Of {rest} {len(unclear)} pairs{whole} none is clearly apart on the same questions: the "
            "intervals of their differences reach 0."
        )
        found.append(Sentence(text, "unclear"))
    if len(chosen) <= SINGLY:
        return found + [pair.sentence() for pair in chosen]
    text = (
        f"{len(chosen)} pairs of groups have different numbers of runs or other seeds. The table compares "
        "the runs that can be paired, which is no claim about the groups."
    )
    return [*found, Sentence(text, "unclear")]


def how_many_are_clear(pairs: Sequence[Pair]) -> str:
    """Returns one sentence on all differences after training; empty text if there are none."""
    if not pairs:
        return ""
    judged = [pair for pair in pairs if pair.is_judged]
    clear = sum(pair.tone != "unclear" for pair in judged)
    why_not = "their runs do not have the same seeds" if pairs[0].value.bounds else FEW
    if len(pairs) == 1:
        word = ("clear" if clear else "not clear") if judged else f"not judged: {why_not}"
        return f" The difference between them is {word}."
    if not judged:
        return f" No difference between them is judged: {why_not}."
    shown = {0: "None", len(pairs): "All"}.get(clear, str(clear))
    text = (
        f" {shown} of {len(pairs)} differences after training {'is' if clear < 2 else 'are'} clear"
    )
    rest = len(pairs) - len(judged)
    return f"{text}; {rest} cannot be judged." if rest else f"{text}."


def unpaired(groups: Sequence[Measure]) -> list[Sentence]:
    """Says which groups have other questions than the first one."""
    first, found = groups[0], []
    for each in groups[1:]:
        if not first.keys or first.keys != each.keys:
            reason = "no records of single questions"
            if first.keys and each.keys:
                shared = len(first.keys & each.keys)
                reason = f"{shared} of {len(each.keys)} questions are the same"
            found.append(f"{each.arm.name} ({reason})")
    text = (
        f"On the {set_title(first.set)}, these cannot be paired with {first.arm.name}: {'; '.join(found)}. "
        "A difference to them may come from the questions."
    )
    return [Sentence(text, "unknown")] if found else []
