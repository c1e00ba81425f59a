"""What an evaluation measures: numbers for the whole set, and one record per question.

Correctness is read off the consensus: a completion is correct if its class equals the true answer.
Votes, rewards and evaluation thus use one extraction and one key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ttrl.consensus.vote import vote_on_group
from ttrl.errors import DataError
from ttrl.evaluate.answer_key import AnswerSheet, correctness, right_classes
from ttrl.evaluate.statistics import bootstrap_interval, mean, pass_at_k
from ttrl.seeding import derive_seed
from ttrl.types import Consensus, Group, Task

LARGEST_K = 16
"""k of avg@k and pass@k, as published; fewer completions lower it."""
RECORDED_CLASSES = 12
RECORDED_CHARACTERS = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Graded:
    """A group, its vote, and how it stands to the true answer."""

    group: Group
    consensus: Consensus
    answer: str | None
    right: frozenset[int]
    """Indices of the correct classes; empty if nobody is right or the question is unlabeled."""
    correct: tuple[bool, ...] | None
    """Per completion, or None if the question is unlabeled or its answers are free text or code.   [G]"""
    similar: tuple[float, ...] | None
    """Similarity of free text or code to the true answer, or None.   [G]"""

    @property
    def labeled(self) -> bool:
        return self.correct is not None or self.similar is not None


def evaluate_groups(
    task: Task, groups: Sequence[Group], answers: AnswerSheet | None, *, seed: int
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Metrics and per-question records of groups with n completions each; k = min(16, n).

    Means over labeled questions, absent without any, with 95 % intervals over questions (`_ci`):
        avg@k: share of correct ones among the first k completions; avg@n: among all.
        maj@n: share of questions whose consensus is right. A tie counts as its elected class does.
        pass@k: unbiased estimate from all n that one of k is correct (no interval).
    Of free text and code, which hardly ever equal the true answer, instead:
        similarity: to the true answer, mean over completions. An abstention counts as 0.
        consensus_similarity: of the pseudo-label to the true answer.
    Over all questions: self_similarity (free text and code only; mean of `Consensus.centrality`),
    entropy (nats, mean over all tokens), no_answer_rate, truncated_rate and mean_tokens (over
    completions), majority_ratio (mean over questions); and the counts questions and labeled.

    A label whose key is None says nothing, so its question counts as unlabeled.

    Raises:
        DataError: no groups, an empty group, or groups of different sizes.
    """
    sizes = sorted({len(group.completions) for group in groups})
    if len(sizes) != 1 or sizes[0] == 0:
        raise DataError(
            f"evaluation: got {len(groups)} questions with {sizes} completions each, wanted at "
            "least one question and equally many completions for all. Sample them together."
        )
    graded = [_grade(task, group, answers, tie_seed=seed) for group in groups]
    metrics = _accuracies(graded, n=sizes[0], seed=derive_seed(seed, "bootstrap"))
    return metrics | _label_free(graded), [_record(item) for item in graded]


def _grade(task: Task, group: Group, answers: AnswerSheet | None, *, tie_seed: int) -> _Graded:
    consensus = vote_on_group(task, group, tie_seed=tie_seed)
    id = group.question.id
    truth = None if answers is None else answers.key(task, group.question)
    exact = consensus.centrality is None
    right = frozenset() if truth is None or not exact else right_classes(consensus, truth)
    return _Graded(
        group=group,
        consensus=consensus,
        answer=None if answers is None else answers.get(id),
        right=right,
        correct=None if truth is None or not exact else correctness(consensus, right),
        similar=None if truth is None or exact else _similar(task, group, consensus, answers),
    )


def _similar(
    task: Task, group: Group, consensus: Consensus, answers: AnswerSheet | None
) -> tuple[float, ...]:
    truth = "" if answers is None else answers.get(group.question.id) or ""
    matrix = task.for_question(group.question).similarities([*consensus.labels, truth])
    to_truth = [0.0] * len(consensus.labels) if matrix is None else matrix[-1]
    return tuple(0.0 if index is None else float(to_truth[index]) for index in consensus.class_of)


def _accuracies(graded: Sequence[_Graded], *, n: int, seed: int) -> dict[str, Any]:
    metrics = _similarities(graded, seed=seed)
    correct = [item.correct for item in graded if item.correct is not None]
    if not correct:
        return metrics
    k = min(LARGEST_K, n)
    per_question = {f"avg@{size}": [mean(row[:size]) for row in correct] for size in (k, n)}
    per_question[f"maj@{n}"] = [
        float(item.consensus.winner in item.right) for item in graded if item.correct is not None
    ]
    for name, values in per_question.items():
        metrics[name] = mean(values)
        metrics[f"{name}_ci"] = list(bootstrap_interval(values, seed=seed))
    metrics[f"pass@{k}"] = mean([pass_at_k(n, sum(row), k) for row in correct])
    return metrics


def _similarities(graded: Sequence[_Graded], *, seed: int) -> dict[str, Any]:
    similar = [(item, item.similar) for item in graded if item.similar is not None]
    if not similar:
        return {}
    values = [mean(row) for _, row in similar]
    elected = [
        row[item.consensus.class_of.index(item.consensus.winner)] if item.consensus.counts else 0.0
        for item, row in similar
    ]
    return {
        "similarity": mean(values),
        "similarity_ci": list(bootstrap_interval(values, seed=seed)),
        "consensus_similarity": mean(elected),
    }


def _label_free(graded: Sequence[_Graded]) -> dict[str, Any]:
    completions = [completion for item in graded for completion in item.group.completions]
    entropies = [entropy for completion in completions for entropy in completion.entropy]
    abstained = sum(item.consensus.abstained for item in graded)
    central = [c for item in graded if (c := item.consensus.centrality) is not None]
    return {
        **({"self_similarity": mean([mean(row) for row in central])} if central else {}),
        "entropy": mean(entropies) if entropies else 0.0,
        "no_answer_rate": abstained / len(completions),
        "truncated_rate": mean([c.finish_reason == "length" for c in completions]),
        "mean_tokens": mean([len(c.token_ids) for c in completions]),
        "majority_ratio": mean([item.consensus.majority_ratio for item in graded]),
        "questions": len(graded),
        "labeled": sum(item.labeled for item in graded),
    }


def _record(item: _Graded) -> dict[str, Any]:
    """One question as plain values. right_class indexes labels: None if the class is not there."""
    consensus = item.consensus
    kept = consensus.counts[:RECORDED_CLASSES]
    in_sight = [index for index in sorted(item.right) if index < len(kept)]
    return {
        "id": item.group.question.id,
        "prompt": item.group.question.prompt,
        "pseudo_label": consensus.pseudo_label,
        "tied": consensus.tied,
        "counts": list(kept),
        "labels": list(consensus.labels[: len(kept)]),
        "other": sum(consensus.counts[len(kept) :]),
        "abstained": consensus.abstained,
        "answer": item.answer,
        "correct": None if item.correct is None else sum(item.correct),
        "right_class": in_sight[0] if in_sight else None,
        "example": _example(item)[:RECORDED_CHARACTERS],
    }


def _example(item: _Graded) -> str:
    """The first completion of the winning class, or the first of all if every one abstains."""
    winner = item.consensus.winner
    first = 0 if winner is None else item.consensus.class_of.index(winner)
    return item.group.completions[first].text
