"""Majority vote: the largest class of equal answers becomes the pseudo-label.

Source: TTRL (arXiv:2504.16084), section 2. Deviations, all deliberate: votes are counted on canonical
keys, so 1/2 and 0.5 are one class; a completion without an answer abstains instead of voting for "";
ties do not depend on the order of sampling.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from ttrl.seeding import derive_seed
from ttrl.types import Consensus, Group, Task


def vote(
    spellings: Sequence[str | None], keys: Sequence[Hashable | None], *, tie_seed: int
) -> Consensus:
    """Elects the largest class of equal keys.

    A None key abstains: no class, never elected, still counted in majority_ratio = winner / all votes.
    Ties, and the order of equally large classes, go to the smallest stable hash of (tie_seed, key).

    Args:
        spellings: the answers as they were written.   [G]
        keys: their canonical keys; None abstains.   [G]
        tie_seed: decides ties; derive it from the run's seed and the question's id.
    """
    members: dict[Hashable, list[int]] = {}
    for index, key in enumerate(keys):
        if key is not None:
            members.setdefault(key, []).append(index)
    ranked = sorted(
        members, key=lambda key: (-len(members[key]), derive_seed(tie_seed, "tie", repr(key)))
    )
    counts = tuple(len(members[key]) for key in ranked)
    # The smallest spelling, so that the label does not depend on the order of sampling either.
    labels = tuple(
        min((spellings[i] or "" for i in members[key]), key=lambda text: (len(text), text))
        for key in ranked
    )
    class_of = {index: rank for rank, key in enumerate(ranked) for index in members[key]}
    return Consensus(
        pseudo_label=labels[0] if labels else None,
        winner=0 if labels else None,
        class_of=tuple(class_of.get(index) for index in range(len(keys))),
        counts=counts,
        labels=labels,
        majority_ratio=counts[0] / len(keys) if counts else 0.0,
        tied=len(counts) > 1 and counts[0] == counts[1],
        abstained=len(keys) - sum(counts),
    )


def vote_on_group(task: Task, group: Group, *, tie_seed: int) -> Consensus:
    """Extracts, keys and votes."""
    spellings = [task.extract(completion) for completion in group.completions]
    keys = [None if spelling is None else task.key(spelling) for spelling in spellings]
    return vote(spellings, keys, tie_seed=derive_seed(tie_seed, "vote", group.question.id))
