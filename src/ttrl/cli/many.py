"""Implements what `ttrl study` and `ttrl sweep` share: options, a dry run, and how they end."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from ttrl.cli.options import make_parser, parse
from ttrl.config import Layers, read_layers
from ttrl.errors import EXIT_DONE, EXIT_INTERRUPTED
from ttrl.recording.console import say
from ttrl.runs.interrupts import RunInterrupted
from ttrl.runs.many import ManyRuns, Plan, StudyResult

OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "seeds": {"nargs": "+", "metavar": "N", "help": "seeds to run with [0 1 2]"},
    "jobs": {"metavar": "N", "help": "runs at the same time, each with its share of the cores [1]"},
}
Settings = TypeVar("Settings", bound=ManyRuns)
Shown = tuple[Mapping[str, Any], Sequence[str]]
"""What a dry run shows beside the config: as JSON, and as lines."""


def layers_of(
    command: str,
    summary: str,
    arguments: Sequence[str],
    *,
    options: Mapping[str, Mapping[str, Any]],
    kind: type[ManyRuns],
) -> Layers:
    """Reads options, variables and config files.

    Args:
        options: of this command, by name; they are not keys of a run.
    """
    parser = make_parser(command, summary)
    section = parser.add_argument_group(command.capitalize())
    for name, about in {**options, **OPTIONS}.items():
        section.add_argument(f"--{name}", dest=name, **about)
    return read_layers(parse(parser, arguments), command_keys=kind.model_fields)


def end(
    plan: Plan[Settings],
    *,
    carry_out: Callable[..., StudyResult],
    shown: Callable[[Plan[Settings]], Shown],
) -> int:
    """Carries a plan out, or shows it for a dry run.

    Returns:
        The exit code: that of the first run that failed, else 0.
    """
    as_json = plan.resolved.values.json_output
    if plan.resolved.values.dry_run:
        about, lines = shown(plan)
        if as_json:
            print(json.dumps({"config": plan.resolved.as_dict(), **about}))
        else:
            print("\n".join([plan.resolved.as_yaml(), *lines]))
        return EXIT_DONE
    try:
        result = carry_out(plan, say=say)
    except RunInterrupted as stopped:
        say(f"\n{stopped}")
        return EXIT_INTERRUPTED
    lines = [*result.text, f"report      {result.path / 'report.html'}"]
    print("\n".join(lines), file=sys.stderr if as_json else sys.stdout)
    if as_json:
        print(json.dumps(result.figures))
    return result.failures[0].exit_code if result.failures else EXIT_DONE
