"""The supervised upper bound. It is not TTRL: it trains on true labels."""

from __future__ import annotations

from ttrl.evaluate.answer_key import AnswerSheet, correctness, right_classes
from ttrl.types import Consensus, Group, RewardRule, Task


def answer_key_rule(answers: AnswerSheet, task: Task) -> RewardRule:
    """Returns the rule that rewards a correct completion with 1 and others with 0. It is not TTRL.

    It is the supervised upper bound to compare TTRL with ("leakage" in the paper): the user must ask for it
    by name, and every record of such a run must say so. The consensus is computed and recorded as in TTRL but
    is not rewarded. A question without a label gives all rewards 0, so nothing is learned from it.
    """

    def rewards(group: Group, consensus: Consensus) -> tuple[float, ...]:
        truth = answers.key(task, group.question)
        right = () if truth is None else right_classes(consensus, truth)
        return tuple(float(is_correct) for is_correct in correctness(consensus, right))

    return RewardRule(rewards=rewards)
