"""When a recorded run had lost accuracy, by true answers."""

from __future__ import annotations

from collections.abc import Sequence

POINTS = 0.05
LOOKS = 3
"""Looks in a row whose mean is compared: one alone has a standard error of 2 to 3 points."""


def lost_after(looks: Sequence[tuple[float, float]], *, points: float = POINTS) -> float | None:
    """Returns the step after which so much accuracy was lost from the peak for good; None if it never was.

    The peak is the best mean of three looks in a row so far. It is lost at a look that is so far below it,
    together with the mean of that look and the two after it; the step is interpolated between this look
    and the one before.

    Args:
        looks: pairs of a step and the accuracy after it, in order.
    """
    values = [accuracy for _, accuracy in looks]
    for i in range(1, len(values)):
        after = values[i : i + LOOKS]
        limit = peak(values[:i]) - points
        if len(after) == LOOKS and max(values[i], _mean(after)) <= limit:
            (before, high), (here, low) = looks[i - 1], looks[i]
            if high <= limit:
                return before
            return before + (here - before) * (high - limit) / (high - low)
    return None


def peak(values: Sequence[float]) -> float:
    """Returns the best mean of three looks in a row; the mean of all where there are fewer."""
    if len(values) < LOOKS:
        return _mean(values)
    return max(_mean(values[i : i + LOOKS]) for i in range(len(values) - LOOKS + 1))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
