"""What an evaluation measures: numbers for the whole set, and one record per question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ttrl.errors import DataError
from ttrl.evaluate.answer_key import AnswerSheet
from ttrl.evaluate.estimators import LARGEST_K, curves, pass_at_k
from ttrl.evaluate.grading import Graded, grade
from ttrl.evaluate.levels import by_level
from ttrl.evaluate.statistics import bootstrap_interval, mean
from ttrl.seeding import derive_seed
from ttrl.types import Group, Task

RECORDED_CLASSES = 12
RECORDED_CHARACTERS = 4000


def evaluate_groups(
    task: Task,
    groups: Sequence[Group],
    answers: AnswerSheet | None,
    *,
    seed: int,
    levels: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """What can be said of groups with n completions each: "metrics", and "questions", one record each.

    Also "curves" (`evaluate.estimators`) where an exact question is labeled, and "by_level"
    (`evaluate.levels`) where a level is known. In the metrics, with k = min(16, n):

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

    Args:
        seed: decides ties and draws the intervals.
        levels: difficulty of questions, by id.

    Raises:
        DataError: no groups, an empty group, or groups of different sizes.
    """
    sizes = sorted({len(group.completions) for group in groups})
    if len(sizes) != 1 or sizes[0] == 0:
        raise DataError(
            f"evaluation: got {len(groups)} questions with {sizes} completions each, wanted at "
            "least one question and equally many completions for all. Sample them together."
        )
    levels = levels or {}
    graded = [grade(task, group, answers, tie_seed=seed) for group in groups]
    drawn = derive_seed(seed, "bootstrap")
    parts = {
        "curves": curves(graded, n=sizes[0], tie_seed=seed, seed=drawn),
        "by_level": by_level(graded, levels, k=min(LARGEST_K, sizes[0]), seed=drawn),
    }
    return {
        "metrics": _accuracies(graded, n=sizes[0], seed=drawn) | _label_free(graded),
        **{name: part for name, part in parts.items() if part},
        "questions": [_record(item, levels.get(item.group.question.id)) for item in graded],
    }


def _accuracies(graded: Sequence[Graded], *, n: int, seed: int) -> dict[str, Any]:
    metrics = _similarities(graded, seed=seed)
    correct = [item.correct for item in graded if item.correct is not None]
    if not correct:
        return metrics
    k = min(LARGEST_K, n)
    per_question = {f"avg@{size}": [mean(row[:size]) for row in correct] for size in (k, n)}
    votes = [item.vote_right for item in graded]
    per_question[f"maj@{n}"] = [float(right) for right in votes if right is not None]
    for name, values in per_question.items():
        metrics[name] = mean(values)
        metrics[f"{name}_ci"] = list(bootstrap_interval(values, seed=seed))
    metrics[f"pass@{k}"] = mean([pass_at_k(n, sum(row), k) for row in correct])
    return metrics


def _similarities(graded: Sequence[Graded], *, seed: int) -> dict[str, Any]:
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


def _label_free(graded: Sequence[Graded]) -> dict[str, Any]:
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


def _record(item: Graded, level: str | None) -> dict[str, Any]:
    """One question as plain values. right_class indexes labels: None if the class is not there."""
    consensus = item.consensus
    kept = consensus.counts[:RECORDED_CLASSES]
    in_sight = [index for index in sorted(item.right) if index < len(kept)]
    return {
        "id": item.group.question.id,
        "prompt": item.group.question.prompt,
        "level": level,
        "pseudo_label": consensus.pseudo_label,
        "tied": consensus.tied,
        "counts": list(kept),
        "labels": list(consensus.labels[: len(kept)]),
        "other": sum(consensus.counts[len(kept) :]),
        "abstained": consensus.abstained,
        "answer": item.answer,
        "correct": None if item.correct is None else sum(item.correct),
        "vote_right": item.vote_right,
        "right_class": in_sight[0] if in_sight else None,
        "example": _example(item)[:RECORDED_CHARACTERS],
    }


def _example(item: Graded) -> str:
    """The first completion of the winning class, or the first of all if every one abstains."""
    winner = item.consensus.winner
    first = 0 if winner is None else item.consensus.class_of.index(winner)
    return item.group.completions[first].text
