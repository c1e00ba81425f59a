"""Summarises the votes of a step for its records, without true labels.

Metric keys are listed in docs/metrics.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ttrl.consensus.marginal import unreliability
from ttrl.types import Completion, Consensus, Metrics, ScoredGroup, Task

RECORDED_CHARACTERS = 1_000
"""Of a label in votes.jsonl."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """The record of a step's votes, the same for every engine."""

    metrics: dict[str, float]
    votes: list[dict[str, Any]]
    """Lines of votes.jsonl, one per question."""
    labels: dict[str, str | None]
    """Pseudo-labels of the step's questions, which those of their next visit are compared with."""


def step_record(
    scored: Sequence[ScoredGroup],
    metrics: Metrics | None = None,
    *,
    step: int,
    task: Task,
    previous: Mapping[str, str | None],
) -> StepRecord:
    """Puts together what is recorded of a step, for the native engine, TRL and verl alike.

    Args:
        metrics: of the step, with those of `step_metrics`, which stand alone if left out; the flip rate is
            added.
        step: counted from 0; records count from 1.
        previous: last pseudo-label of each question that was visited before.
    """
    votes = vote_records(scored, step=step + 1, task=task, previous=previous)
    metrics = step_metrics(scored) if metrics is None else metrics
    return StepRecord(metrics={**metrics, **flip_rate(votes)}, votes=votes, labels=labels_of(votes))


def mean(values: Sequence[float]) -> float:
    """Returns the mean of some numbers, 0 of none."""
    return sum(values) / len(values) if values else 0.0


def step_metrics(scored: Sequence[ScoredGroup]) -> Metrics:
    """Measures the votes of a step: means over its questions, and over their completions and tokens."""
    votes = [group.consensus for group in scored]
    completions = [c for group in scored for c in group.group.completions]
    labels = {v.pseudo_label for v in votes if v.winner is not None}
    tokens = sum(len(c.token_ids) for c in completions)
    return {
        "consensus/majority_ratio": mean([v.majority_ratio for v in votes]),
        "consensus/majority_ratio_answered": mean(
            [v.counts[0] / sum(v.counts) for v in votes if v.counts]
        ),
        "consensus/distinct_answers": mean([float(len(v.counts)) for v in votes]),
        "consensus/distinct_labels": len(labels) / max(1, len(votes)),
        "consensus/tie_rate": mean([float(v.tied) for v in votes]),
        "consensus/no_answer_rate": mean([v.abstained / v.votes for v in votes]),
        "consensus/unread_rate": mean([v.unread / v.votes for v in votes]),
        "consensus/killed": float(sum(v.killed for v in votes)),
        **_similarity(votes),
        **_unreliability(scored),
        "reward/mean": mean([r for group in scored for r in group.rewards]),
        "reward/groups_with_signal": mean([float(len(set(group.rewards)) > 1) for group in scored]),
        "reward/skipped_groups": mean([float(group.skipped is not None) for group in scored]),
        **_entropy(completions, tokens),
        "sample/mean_tokens": tokens / max(1, len(completions)),
        "sample/truncated_rate": mean([float(c.finish_reason == "length") for c in completions]),
        "sample/tokens": float(tokens),
    }


def _entropy(completions: Sequence[Completion], tokens: int) -> Metrics:
    """Absent where no engine recorded it: 0 would be a claim."""
    if tokens and not any(c.entropy for c in completions):
        return {}
    return {"sample/entropy": sum(sum(c.entropy) for c in completions) / max(1, tokens)}


def _similarity(votes: Sequence[Consensus]) -> Metrics:
    """Absent for exact answers, where it would say nothing that the majority ratio does not."""
    means = [mean(v.centrality) for v in votes if v.centrality is not None]
    return {"consensus/similarity": mean(means)} if means else {}


def _unreliability(scored: Sequence[ScoredGroup]) -> Metrics:
    """Absent for texts and programs, whose votes cannot be redrawn."""
    found = [unreliability(group.consensus, group.kept) for group in scored]
    known = [each for each in found if each is not None]
    return {"consensus/unreliability": mean(known)} if known else {}


def vote_records(
    scored: Sequence[ScoredGroup], *, step: int, task: Task, previous: Mapping[str, str | None]
) -> list[dict[str, Any]]:
    """Makes the lines of votes.jsonl, one per question.

    `flipped` compares with the label of the question's last visit; None on the first.
    """
    records = []
    for group in scored:
        id, vote = group.group.question.id, group.consensus
        flipped = None
        if id in previous:
            asked = task.for_question(group.group.question)
            flipped = _flipped(asked, previous[id], vote.pseudo_label)
        records.append(
            {
                "step": step,
                "question": id,
                "label": None if vote.pseudo_label is None else _recorded(vote.pseudo_label),
                "labels": [_recorded(label) for label in vote.labels],
                "counts": list(vote.counts),
                "abstained": vote.abstained,
                **_further(group),
                "majority_ratio": vote.majority_ratio,
                "tied": vote.tied,
                "flipped": flipped,
                "unreliability": unreliability(vote, group.kept),
                "skipped": group.skipped,
            }
        )
    return records


def _further(group: ScoredGroup) -> dict[str, Any]:
    """Numbers of further votes by source, and what all votes weigh; absent where the group votes alone."""
    if not group.further:
        return {}
    vote = group.consensus
    return {
        "further": {votes.source: len(votes.answers) for votes in group.further},
        "support": list(vote.support),
        "voters": vote.voters,
    }


def labels_of(votes: Iterable[Mapping[str, Any]]) -> dict[str, str | None]:
    """Returns the last label of each question, which its next record is compared with."""
    return {vote["question"]: vote["label"] for vote in votes}


def flip_rate(votes: Sequence[Mapping[str, Any]]) -> Metrics:
    """Returns the share of questions with another label than at their last visit; absent if all are new."""
    flips = [float(vote["flipped"]) for vote in votes if vote["flipped"] is not None]
    return {"consensus/flip_rate": mean(flips)} if flips else {}


def _recorded(label: str) -> str:
    """Texts and programs are long, and an answer may be as long as its completion."""
    return label if len(label) <= RECORDED_CHARACTERS else label[: RECORDED_CHARACTERS - 1] + "…"


def _flipped(task: Task, before: str | None, now: str | None) -> bool:
    if before is not None and now is not None and before == _recorded(now):
        return False  # of a long label only the start is remembered
    return _key(task, before) != _key(task, now)


def _key(task: Task, label: str | None) -> object:
    return None if label is None else task.key(label)
