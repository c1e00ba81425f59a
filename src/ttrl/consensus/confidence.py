"""Confidence-weighted vote: a completion the model was surer of weighs more."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ttrl.consensus.majority import agreement_rewards
from ttrl.consensus.vote import vote_on_group
from ttrl.errors import DataError
from ttrl.types import Group, ScoredGroup, Task


def confidence_weights(
    logprobs: Sequence[Sequence[float]], *, temperature: float
) -> tuple[float, ...]:
    """w_i = exp((c_i - max c) / temperature), c_i = mean log-probability of completion i's tokens.   [G]

    That is a softmax up to a factor, which no vote notices. A large temperature gives the plain vote.

    Args:
        logprobs: of each completion's tokens, nats; a completion without any weighs nothing.   [G][T]
    """
    confidences = [math.fsum(tokens) / len(tokens) if tokens else -math.inf for tokens in logprobs]
    largest = max(confidences, default=0.0)
    return tuple(
        0.0 if c == -math.inf else math.exp((c - largest) / temperature) for c in confidences
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfidenceReward:
    """The elected class has the largest sum of weights; reward 1 for being in it, else 0.

    Source: CISC (arXiv:2502.06233): softmax within the question over length-normalised confidences.
    Deviation: the confidence is the mean log-probability itself, not its exponential, and comes from the
    sampler, at its temperature.

    Raises:
        DataError: an answer without log-probabilities, or with one that is not finite.
        ConfigError: a task whose answers are similar and not equal (text, code).
    """

    tie_seed: int
    temperature: float = 1.0

    def __call__(self, task: Task, group: Group) -> ScoredGroup:
        logprobs = [completion.logprobs for completion in group.completions]
        asked = task.for_question(group.question)
        for index, (completion, tokens) in enumerate(zip(group.completions, logprobs, strict=True)):
            finite = all(map(math.isfinite, tokens))
            if not finite or (not tokens and asked.extract(completion) is not None):
                raise DataError(
                    f"question {group.question.id!r}, completion {index}: reward=confidence needs the "
                    f"log-probabilities of its tokens, got {'none' if finite else 'one not finite'}. "
                    'Give each completion a "logprobs" list, or choose another reward.'
                )
        weights = confidence_weights(logprobs, temperature=self.temperature)
        consensus = vote_on_group(task, group, tie_seed=self.tie_seed, weights=weights)
        return ScoredGroup(group=group, consensus=consensus, rewards=agreement_rewards(consensus))
