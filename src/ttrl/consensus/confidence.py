"""Confidence-weighted vote: a completion the model was surer of weighs more.

The elected class has the largest sum of weights; the reward is 1 for being in it, else 0.

Source: CISC (arXiv:2502.06233): softmax within the question over length-normalised confidences. Deviation:
the confidence is the mean log-probability itself, not its exponential, and comes from the sampler, at its
temperature.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ttrl.errors import DataError
from ttrl.types import Group


def confidence_weights(
    logprobs: Sequence[Sequence[float]], *, temperature: float
) -> tuple[float, ...]:
    """w_i = exp((c_i - max c) / temperature), c_i = mean log-probability of completion i's tokens.   [M]

    That is a softmax up to a factor, which no vote notices. A large temperature gives the plain vote.

    Args:
        logprobs: of each completion's tokens, nats; a completion without any weighs nothing.   [M][T]
    """
    confidences = [math.fsum(tokens) / len(tokens) if tokens else -math.inf for tokens in logprobs]
    largest = max(confidences, default=0.0)
    return tuple(
        0.0 if c == -math.inf else math.exp((c - largest) / temperature) for c in confidences
    )


def weights_of_group(
    group: Group, answers: Sequence[str | None], *, temperature: float
) -> tuple[float, ...]:
    """Weighs the votes of a group by `confidence_weights`.   [M]

    Args:
        answers: extracted from the completions; None for those that have none.   [M]

    Raises:
        DataError: an answer without log-probabilities, or with one that is not finite.
    """
    logprobs = [completion.logprobs for completion in group.completions]
    for index, (answer, tokens) in enumerate(zip(answers, logprobs, strict=True)):
        finite = all(map(math.isfinite, tokens))
        if not finite or (not tokens and answer is not None):
            raise DataError(
                f"question {group.question.id!r}, completion {index}: reward=confidence needs the "
                f"log-probabilities of its tokens, got {'none' if finite else 'one not finite'}. "
                'Give each completion a "logprobs" list, or choose another reward.'
            )
    return confidence_weights(logprobs, temperature=temperature)
