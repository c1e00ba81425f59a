"""Voting at equal cost: the base's vote with as many tokens as training sampled."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ttrl.evaluate.report.quantities import mapping, number
from ttrl.evaluate.study.arms import Arm, votes_of_base
from ttrl.evaluate.study.evidence import TRAINED, EqualTokens
from ttrl.evaluate.study.layout import equal_tokens_path


def samples_at_equal_tokens(arm: Arm, *, questions: int) -> int | None:
    """Training tokens / (questions x the base's mean tokens of a completion), rounded up; of the first seed.

    Only sampled tokens count: the tokens of prompts and the work of updates come on top of what training
    costs. None if nothing can be marked right or wrong.

    Args:
        questions: that training asked, whether they are evaluated or not.
    """
    base = mapping(arm.metrics(TRAINED, "base")[0])
    length = number(base, "mean_tokens")
    sampled = sum(number(row, "sample/tokens") or 0.0 for row in arm.runs[0].records)
    if not length or not questions or not any(key.startswith("maj@") for key in base):
        return None
    return max(1, -int(-sampled // (questions * length)))


def equal_tokens(
    study: Path, arm: Arm, *, questions: int, seeds: Sequence[int]
) -> EqualTokens | None:
    """The vote that was taken for one of the seeds, or that none was needed; None if neither."""
    for seed in seeds:
        taken = votes_of_base(equal_tokens_path(study, seed))
        if taken is not None:
            votes, samples = taken
            return EqualTokens(samples=samples, votes=votes)
    paid = samples_at_equal_tokens(arm, questions=questions)
    if paid is None or paid > arm.samples(TRAINED):  # the evaluation is missing
        return None
    return EqualTokens(samples=paid, votes=None)
