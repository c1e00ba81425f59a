"""An axis of the figure: where a value stands, and which values are marked."""

from __future__ import annotations

import math
from dataclasses import dataclass

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """Maps [low, high] to [begin, end], in the units of the drawing."""

    low: float
    high: float
    begin: float
    end: float
    ticks: tuple[float, ...]

    def at(self, value: float) -> float:
        """The place of a value, to a tenth; values beyond the axis stand at its end."""
        share = min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)
        return round(self.begin + share * (self.end - self.begin), 1)


def fitting_axis(
    low: float,
    high: float,
    *,
    begin: float,
    end: float,
    whole: bool = False,
    rounded: bool = False,
) -> Axis:
    """An axis for these values with about four round ticks.

    Args:
        whole: ticks are whole numbers.
        rounded: the axis ends at a tick.
    """
    if high <= low:  # one value: something around it
        low, high = (low - 1, high + 1) if whole else (min(low, 0.0), max(high, 0.0) or 1.0)
    if high <= low:
        high = low + 1
    tick = _round_step((high - low) / 4)
    if whole:
        tick = max(1.0, math.ceil(tick))
    if rounded:
        low, high = math.floor(low / tick) * tick, math.ceil(high / tick) * tick
    first, last = math.ceil(low / tick), math.floor(high / tick)
    ticks = tuple(float(f"{index * tick:.10g}") for index in range(first, last + 1))
    return Axis(low=low, high=high, begin=begin, end=end, ticks=ticks)


def _round_step(least: float) -> float:
    """The smallest round number that is at least so large."""
    if not least > 0 or math.isinf(least):
        return 1.0
    power = 10.0 ** math.floor(math.log10(least))
    return next((s * power for s in _STEPS if s * power >= least * (1 - 1e-9)), 10 * power)
