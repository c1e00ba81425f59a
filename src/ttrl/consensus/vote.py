"""The consensus of a group: the largest class of equal answers, or the most central of similar ones.

Source: TTRL (arXiv:2504.16084), section 2. Deviations, all deliberate: votes are counted on canonical
keys, so 1/2 and 0.5 are one class; a completion without an answer abstains instead of voting for "";
ties do not depend on the order of sampling.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ttrl.errors import ConfigError
from ttrl.seeding import derive_seed
from ttrl.types import AnswerKey, Consensus, Group, KeyedAnswers, Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Classes = Mapping[AnswerKey, list[int]]
"""Places of the votes of each class."""
Weigh = Callable[[Group, Sequence[str | None]], Sequence[float]]
"""Weights of a group's votes, from the group and its extracted answers.   [G]"""


def vote_on_group(
    task: Task, group: Group, *, tie_seed: int, weigh: Weigh | None = None
) -> Consensus:
    """Extracts the answers of a group, keys them and elects one, as the task says for this question.

    Args:
        tie_seed: decides ties, together with the question's id.
        weigh: gives the weights of the votes, where they do not count alike.

    Raises:
        ConfigError: weights for a task whose answers are similar and not equal (text, code).
    """
    task = task.for_question(group.question)
    answers = [task.extract(completion) for completion in group.completions]
    weights = None if weigh is None else weigh(group, answers)
    keyed = task.keys(answers)
    seed = derive_seed(tie_seed, "vote", group.question.id)
    classes = _classes(keyed.keys)
    labels = {key: _label(answers, places) for key, places in classes.items()}
    similarity = task.similarities(list(labels.values()))
    if similarity is None:
        return elect(answers, keyed, tie_seed=seed, weights=weights)
    if weights is not None:
        raise ConfigError(
            f"question {group.question.id!r}: votes on {task.name} have no weights, since its answers are "
            "similar and not equal. Choose the reward agreement, similarity, medoid or threshold."
        )
    return elect_medoid(answers, keyed, similarity, tie_seed=seed)


def elect(
    spellings: Sequence[str | None],
    keyed: KeyedAnswers,
    *,
    tie_seed: int,
    weights: Sequence[float] | None = None,
) -> Consensus:
    """Elects the class of equal keys with the most votes, or with the largest sum of weights.

    A None key abstains: no class, never elected, still counted in majority_ratio = winner / all votes.
    Ties, and the order of equally large classes, go to the smallest stable hash of (tie_seed, key).

    Args:
        spellings: the answers as they were written.   [G]
        keyed: their canonical keys.   [G]
        tie_seed: decides ties; derive it from the run's seed and the question's id.
        weights: 1 each if left out.   [G]
    """
    classes = _classes(keyed.keys)
    ties = {key: _tie(tie_seed, key) for key in classes}
    total = {
        key: len(places) if weights is None else math.fsum(weights[i] for i in places)
        for key, places in classes.items()
    }
    ranked = sorted(classes, key=lambda key: (-total[key], ties[key]))
    tied = len(ranked) > 1 and total[ranked[0]] == total[ranked[1]]
    return _consensus(spellings, keyed, classes, ranked[:1], tied=tied, ties=ties)


def tie_order(keys: Sequence[AnswerKey], *, question_id: str, tie_seed: int) -> tuple[int, ...]:
    """Sorts distinct keys by who wins a tie in a vote on the question, and returns their places.

    Args:
        tie_seed: that of `vote_on_group`.
    """
    seed = derive_seed(tie_seed, "vote", question_id)
    return tuple(sorted(range(len(keys)), key=lambda place: _tie(seed, keys[place])))


def elect_medoid(
    spellings: Sequence[str | None],
    keyed: KeyedAnswers,
    similarity: NDArray[np.float64],
    *,
    tie_seed: int,
) -> Consensus:
    """Elects the answer with the largest mean similarity to the other votes (minimum Bayes risk).

    Args:
        similarity: of the classes, in the order in which their keys first occur.   [N, N]
    """
    from ttrl.answers.similar.medoid import leave_one_out, medoid  # exact votes need no numpy

    classes = _classes(keyed.keys)
    keys = list(classes)
    counts = [len(places) for places in classes.values()]
    if not keys:
        silent = (0.0,) * len(keyed.keys)
        nobody = elect(spellings, keyed, tie_seed=tie_seed)
        return replace(nobody, centrality=silent, to_label=silent)
    answered = sum(counts)
    # An abstention is similar to nothing: the mean is over all other votes.
    mean = leave_one_out(similarity, counts) * max(0, answered - 1) / max(1, len(keyed.keys) - 1)
    ties = {key: _tie(tie_seed, key) for key in keys}
    best = medoid(similarity, counts, tie_key=lambda row: ties[keys[row]])
    rivals = int((mean >= mean[best] - 1e-12).sum())
    consensus = _consensus(spellings, keyed, classes, [keys[best]], tied=rivals > 1, ties=ties)
    place = {index: row for row, places in enumerate(classes.values()) for index in places}
    rows = [place.get(index) for index in range(len(keyed.keys))]
    return replace(
        consensus,
        centrality=tuple(0.0 if row is None else float(mean[row]) for row in rows),
        to_label=tuple(0.0 if row is None else float(similarity[row, best]) for row in rows),
    )


def _classes(keys: Sequence[AnswerKey | None]) -> Classes:
    classes: dict[AnswerKey, list[int]] = {}
    for index, key in enumerate(keys):
        if key is not None:
            classes.setdefault(key, []).append(index)
    return classes


def _label(spellings: Sequence[str | None], places: Sequence[int]) -> str:
    """The smallest spelling, so that the label does not depend on the order of sampling either."""
    return min((spellings[i] or "" for i in places), key=lambda text: (len(text), text))


def _tie(tie_seed: int, key: AnswerKey) -> int:
    return derive_seed(tie_seed, "tie", repr(key))


def _consensus(
    spellings: Sequence[str | None],
    keyed: KeyedAnswers,
    classes: Classes,
    elected: Sequence[AnswerKey],
    *,
    tied: bool,
    ties: Mapping[AnswerKey, int],
) -> Consensus:
    others = sorted(
        (key for key in classes if key not in elected),
        key=lambda key: (-len(classes[key]), ties[key]),
    )
    ranked = [*elected, *others]
    labels = tuple(_label(spellings, classes[key]) for key in ranked)
    counts = tuple(len(classes[key]) for key in ranked)
    class_of = {index: rank for rank, key in enumerate(ranked) for index in classes[key]}
    votes = len(keyed.keys)
    return Consensus(
        pseudo_label=labels[0] if labels else None,
        winner=0 if labels else None,
        answers=tuple(
            None if key is None else spelling
            for spelling, key in zip(spellings, keyed.keys, strict=True)
        ),
        class_of=tuple(class_of.get(index) for index in range(votes)),
        counts=counts,
        labels=labels,
        keys=tuple(ranked),
        majority_ratio=counts[0] / votes if counts else 0.0,
        tied=tied,
        abstained=votes - sum(counts),
        unread=keyed.unread,
        killed=keyed.killed,
    )
