"""Grades one question of an evaluation: its completions and their vote against the true answer.

Correctness is read off the consensus: a completion is correct if its class equals the true answer.
Votes, rewards and evaluation thus use one extraction and one key.
"""

from __future__ import annotations

from dataclasses import dataclass

from ttrl.consensus.vote import vote_on_group
from ttrl.evaluate.answer_key import AnswerSheet, correctness, right_classes
from ttrl.types import Consensus, Group, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Graded:
    """A group, its vote, and a comparison of both with the true answer."""

    group: Group
    consensus: Consensus
    answer: str | None
    right: frozenset[int]
    """Indices of the correct classes; empty if no answer is right or the question is unlabeled."""
    correct: tuple[bool, ...] | None
    """Whether each completion is correct; None if unlabeled, or for free text and code.   [G]"""
    similar: tuple[float, ...] | None
    """Similarity of each free text or code to the true answer, in [0, 1]; None for other answers.   [G]"""

    @property
    def vote_right(self) -> bool | None:
        """Returns whether the elected class is right; electing none is wrong. None if `correct` is."""
        return None if self.correct is None else self.consensus.winner in self.right

    @property
    def labeled(self) -> bool:
        """Returns whether there is a usable true answer."""
        return self.correct is not None or self.similar is not None


def grade(task: Task, group: Group, answers: AnswerSheet | None, *, tie_seed: int) -> Graded:
    """Votes on a group and compares it with the true answer if there is a usable one."""
    consensus = vote_on_group(task, group, tie_seed=tie_seed)
    id = group.question.id
    truth = None if answers is None else answers.key(task, group.question)
    exact = consensus.centrality is None
    right = frozenset() if truth is None or not exact else right_classes(consensus, truth)
    return Graded(
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
