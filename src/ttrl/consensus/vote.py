"""The consensus of a group: the largest class of equal answers, or the most central of similar ones.

Source: TTRL (arXiv:2504.16084), section 2. Deviations, all deliberate: votes are counted on canonical
keys, so 1/2 and 0.5 are one class; a completion without an answer abstains instead of voting for "";
ties do not depend on the order of sampling. Votes from elsewhere may join (`ttrl.types.FurtherVotes`): they
elect like those of the group, and are rewarded nowhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from ttrl.errors import ConfigError
from ttrl.seeding import derive_seed
from ttrl.types import AnswerKey, Consensus, FurtherVotes, Group, KeyedAnswers, Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Classes = Mapping[AnswerKey, list[int]]
"""Places of the votes of each class."""
Weigh = Callable[[Group, Sequence[str | None]], Sequence[float]]
"""Weights of a group's votes, from the group and its extracted answers.   [G]"""
LabelRule = Literal["pooled", "harmonic"]
"""How the votes of a group and further votes elect, see `elect` and `elect_in_both`."""


def vote_on_group(
    task: Task,
    group: Group,
    *,
    tie_seed: int,
    weigh: Weigh | None = None,
    further: Sequence[FurtherVotes] = (),
    label_rule: LabelRule = "pooled",
) -> Consensus:
    """Extracts the answers of a group, keys them and elects one, as the task says for this question.

    With further votes, the classes and everything counted by class are of all votes together, and what the
    consensus says of each completion is of the group's own.

    Args:
        tie_seed: decides ties, together with the question's id.
        weigh: gives the weights of the group's votes, where they do not count alike.
        further: other votes on the question, with weights of their own.
        label_rule: how both elect; without further votes, or with ones that all weigh nothing, those of the
            group elect alone.

    Raises:
        ConfigError: weights other than 1, or a harmonic vote, for a task whose answers are similar and not
            equal (text, code).
    """
    task = task.for_question(group.question)
    answers = [task.extract(completion) for completion in group.completions]
    weights = None if weigh is None else list(weigh(group, answers))
    ballots = [*answers, *(answer for votes in further for answer in votes.answers)]
    if any(weight != 1 for votes in further for weight in votes.weights):
        weights = [1.0] * len(answers) if weights is None else weights
    if weights is not None:
        weights += [weight for votes in further for weight in votes.weights]
    keyed = task.keys(ballots)
    seed = derive_seed(tie_seed, "vote", group.question.id)
    classes = _classes(keyed.keys)
    labels = {key: _label(ballots, places) for key, places in classes.items()}
    similarity = task.similarities(list(labels.values()))
    if similarity is not None:
        if weights is not None or label_rule != "pooled":
            raise ConfigError(_not_equal(task, group, further, label_rule))
        joined = elect_medoid(ballots, keyed, similarity, tie_seed=seed)
    elif label_rule == "harmonic":
        joined = elect_in_both(ballots, keyed, own=len(answers), tie_seed=seed, weights=weights)
    else:
        joined = elect(ballots, keyed, tie_seed=seed, weights=weights)
    return _of_first(joined, len(answers)) if further else joined


def _not_equal(
    task: Task, group: Group, further: Sequence[FurtherVotes], label_rule: LabelRule
) -> str:
    similar = f"question {group.question.id!r}: votes on {task.name} have"
    why = "since its answers are similar and not equal"
    if label_rule != "pooled":
        return f"{similar} no shares, {why}. Set label_rule: pooled, or leave these questions out."
    for votes in further:
        if any(weight != 1 for weight in votes.weights):
            return f"{similar} no weights, {why}, and those of {votes.source} do. Leave {votes.source} out."
    return f"{similar} no weights, {why}. Choose the reward agreement, similarity, medoid or threshold."


def _of_first(joined: Consensus, own: int) -> Consensus:
    """What the joined consensus says of the first completions, which are those of the group."""
    centrality, to_label = joined.centrality, joined.to_label
    return replace(
        joined,
        answers=joined.answers[:own],
        class_of=joined.class_of[:own],
        centrality=None if centrality is None else centrality[:own],
        to_label=None if to_label is None else to_label[:own],
    )


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
    total = _weights_of(classes, weights)
    return _best(spellings, keyed, classes, total, tie_seed=tie_seed, weights=weights)


def elect_in_both(
    spellings: Sequence[str | None],
    keyed: KeyedAnswers,
    *,
    own: int,
    tie_seed: int,
    weights: Sequence[float] | None = None,
) -> Consensus:
    """Elects the class with the largest harmonic mean of its shares in two votes on the same question.

        2 p0 p1 / (p0 + p1),    0 where either is 0,

    with p0 the share of the first `own` votes and p1 that of all others, abstentions included. An answer has
    to convince both: one that has votes on one side only is not elected, and where no answer has votes on
    both there is no label. A vote with only one side (the other has no voter with a weight) elects as
    `elect` does. Shares, counts and ratios in the consensus are of all votes together.

    Source: Self-Harmony (arXiv:2511.01191), whose second vote is on one question that the model has reworded.
    Deviation: the other votes may be on several views and from several sources, which are one side together.
    """
    classes = _classes(keyed.keys)
    weighed = [1.0] * len(keyed.keys) if weights is None else weights
    sides = math.fsum(weighed[:own]), math.fsum(weighed[own:])
    if not all(sides):
        return elect(spellings, keyed, tie_seed=tie_seed, weights=weights)
    scores = {}
    for key, places in classes.items():
        shares = [
            math.fsum(weighed[i] for i in places if (i < own) == is_own) / side
            for is_own, side in zip((True, False), sides, strict=True)
        ]
        scores[key] = 2 * shares[0] * shares[1] / math.fsum(shares) if all(shares) else 0.0
    return _best(spellings, keyed, classes, scores, tie_seed=tie_seed, weights=weights)


def _weights_of(classes: Classes, weights: Sequence[float] | None) -> dict[AnswerKey, float]:
    """Sum of the weights of each class."""
    return {
        key: float(len(places)) if weights is None else math.fsum(weights[i] for i in places)
        for key, places in classes.items()
    }


def _best(
    spellings: Sequence[str | None],
    keyed: KeyedAnswers,
    classes: Classes,
    scores: Mapping[AnswerKey, float],
    *,
    tie_seed: int,
    weights: Sequence[float] | None,
) -> Consensus:
    """The consensus on the class with the highest score; there is no label where all scores are 0."""
    ties = {key: _tie(tie_seed, key) for key in classes}
    ranked = sorted(classes, key=lambda key: (-scores[key], ties[key]))
    elected = [key for key in ranked[:1] if scores[key] > 0]
    tied = bool(elected) and len(ranked) > 1 and scores[ranked[0]] == scores[ranked[1]]
    return _consensus(spellings, keyed, classes, elected, tied=tied, ties=ties, weights=weights)


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
    weights: Sequence[float] | None = None,
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
    support = _weights_of(classes, weights)
    return Consensus(
        pseudo_label=labels[0] if elected else None,
        winner=0 if elected else None,
        answers=tuple(
            None if key is None else spelling
            for spelling, key in zip(spellings, keyed.keys, strict=True)
        ),
        class_of=tuple(class_of.get(index) for index in range(votes)),
        counts=counts,
        support=tuple(support[key] for key in ranked),
        voters=float(votes) if weights is None else math.fsum(weights),
        labels=labels,
        keys=tuple(ranked),
        majority_ratio=counts[0] / votes if elected else 0.0,
        tied=tied,
        abstained=votes - sum(counts),
        unread=keyed.unread,
        killed=keyed.killed,
    )
