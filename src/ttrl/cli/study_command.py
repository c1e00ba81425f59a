"""`ttrl study`: is the gain real? TTRL beside its upper bound and its controls, over seeds."""

from __future__ import annotations

from collections.abc import Sequence

from ttrl.cli.many import Shown, end, layers_of
from ttrl.evaluation.report.plan import ROLES
from ttrl.recording.console import say
from ttrl.runs.many import Plan
from ttrl.runs.studies import StudySettings, carry_out_study, plan_study

SUMMARY = (
    "Is the gain real? Run TTRL, training on true answers (leakage), and controls with random and format "
    "rewards, from one config and over several seeds; evaluate all of them on unlabeled, held-out, transfer "
    "and fresh questions; and compare them with the base model's own vote at equal cost."
)
OPTIONS = {
    "arms": {
        "nargs": "+",
        "metavar": "ARM",
        "help": f"any of {', '.join(ROLES)}; leakage is rewarded by TRUE LABELS and needs them [all]",
    }
}


def run(arguments: Sequence[str]) -> int:
    """Carries out a study and returns the exit code."""
    layers = layers_of("study", SUMMARY, arguments, options=OPTIONS, kind=StudySettings)
    return end(plan_study(layers, say=say), carry_out=carry_out_study, shown=_shown)


def _shown(plan: Plan[StudySettings]) -> Shown:
    arms, seeds = plan.settings.arms, plan.settings.seeds
    lines = [
        f"study       {', '.join(arms)} x seeds {', '.join(map(str, seeds))} = "
        f"{len(arms) * len(seeds)} runs, {plan.settings.jobs} at a time; the base once a seed, and its vote "
        "at equal tokens",
        "            `ttrl train --dry-run` with the same options tells what one run needs",
    ]
    return {"study": plan.settings.model_dump(mode="json")}, lines
