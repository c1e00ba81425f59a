"""`ttrl sweep`: how fragile is a setting? One run for each point of a grid or list, over seeds."""

from __future__ import annotations

from collections.abc import Sequence

from ttrl.cli.many import Shown, end, layers_of
from ttrl.runs.many import Plan
from ttrl.runs.sweeps import SweepSettings, carry_out_sweep, plan_sweep, points_of

SUMMARY = (
    "How sensitive is a setting? Run each point of a grid (or of a list in a YAML file) from one config, "
    "over several seeds, and put the results in one table and one figure."
)
OPTIONS = {
    "grid": {
        "nargs": "+",
        "metavar": "KEY=V,V",
        "help": "values of each key; every combination is run. In YAML: grid: {temperature: [0.6, 1.0]}, or "
        "a list of points: [{temperature: 0.6, steps: 80}, ...]",
    }
}


def run(arguments: Sequence[str]) -> int:
    """Carries out a sweep and returns the exit code."""
    layers = layers_of("sweep", SUMMARY, arguments, options=OPTIONS, kind=SweepSettings)
    return end(plan_sweep(layers), carry_out=carry_out_sweep, shown=_shown)


def _shown(plan: Plan[SweepSettings]) -> Shown:
    points, seeds = points_of(plan.settings), plan.settings.seeds
    lines = [
        f"sweep       {len(points)} points x {len(seeds)} seeds, {plan.settings.jobs} at a time",
        *(f"            {point.name}" for point in points),
    ]
    named = {point.name: dict(point.values) for point in points}
    return {"points": named, "seeds": seeds}, lines
