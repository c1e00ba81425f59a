"""The supervised upper bound. It is not TTRL: it trains on true labels."""

from __future__ import annotations

from dataclasses import dataclass

from ttrl.consensus.vote import vote_on_group
from ttrl.evaluate.answer_key import AnswerSheet, correctness, right_classes
from ttrl.types import Group, ScoredGroup, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerKeyReward:
    """Reward from the answer key: 1 for a correct completion, else 0. Not TTRL.

    The supervised upper bound to compare TTRL with ("leakage" in the paper): the user has to ask
    for it by name, and every record of such a run has to say so. The consensus is computed and
    recorded as in TTRL but earns nothing. A question without a label gives all rewards 0, so
    nothing is learned from it.
    """

    answers: AnswerSheet
    tie_seed: int

    def __call__(self, task: Task, group: Group) -> ScoredGroup:
        consensus = vote_on_group(task, group, tie_seed=self.tie_seed)
        truth = self.answers.key(task, group.question)
        right = () if truth is None else right_classes(consensus, truth)
        rewards = tuple(float(is_correct) for is_correct in correctness(consensus, right))
        return ScoredGroup(group=group, consensus=consensus, rewards=rewards)
