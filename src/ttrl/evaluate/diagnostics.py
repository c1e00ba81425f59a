"""Compares the label-free training signal of a step with true labels, which training never sees."""

from __future__ import annotations

from dataclasses import dataclass

from ttrl.evaluate.answer_key import AnswerSheet, correctness, right_classes
from ttrl.evaluate.statistics import mean
from ttrl.types import StepResult, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelDiagnostics:
    """Computes the published diagnostics of TTRL over the labeled questions of a step.

    It reads a finished step and returns numbers, so it cannot change the run. The true label is
    compared by its own key; the published code extracts an answer from the label again and so
    reports right pseudo-labels as wrong (on a third of MATH-500).
    Source: TTRL (arXiv:2504.16084).
    """

    task: Task
    answers: AnswerSheet

    def on_step(self, result: StepResult) -> dict[str, float]:
        """Returns shares in [0, 1] by metric; empty if the step has no labeled question with exact answers.

        labels/label_accuracy: share of questions whose pseudo-label is right; none at all is wrong.
        labels/reward_accuracy: share of completions that are rewarded exactly if correct, where
            rewarded means more than 0 and at least the mean of the group.
        labels/lucky_rate: share of completions whose reward is right in that sense although the
            pseudo-label is wrong: mostly wrong completions that differ from it.
        labels/ground_truth_ratio: share of correct completions, mean over questions.
        labels/pass_at_votes: share of questions with a correct completion among the votes.
        """
        labels: list[float] = []
        rewards: list[float] = []
        lucky: list[bool] = []
        ratios: list[float] = []
        for scored in result.scored:
            truth = self.answers.key(self.task, scored.group.question)
            if truth is None or scored.consensus.centrality is not None:
                continue
            right = right_classes(scored.consensus, truth)
            correct = correctness(scored.consensus, right)
            labels.append(scored.consensus.winner in right)
            average = mean(scored.rewards)
            deserved = [
                (0 < reward >= average - 1e-12) == is_correct
                for reward, is_correct in zip(scored.rewards, correct, strict=True)
            ]
            rewards += deserved
            lucky += [hit and not labels[-1] for hit in deserved]
            ratios.append(mean(correct))
        if not labels:
            return {}
        return {
            "labels/label_accuracy": mean(labels),
            "labels/reward_accuracy": mean(rewards),
            "labels/lucky_rate": mean(lucky),
            "labels/ground_truth_ratio": mean(ratios),
            "labels/pass_at_votes": mean([ratio > 0 for ratio in ratios]),
        }
