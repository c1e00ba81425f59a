"""`ttrl train`: evaluate, improve, evaluate again, report."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttrl.cli.interrupts import Interrupts
from ttrl.cli.options import make_parser, parse
from ttrl.cli.processes import check_processes
from ttrl.cli.resume import resolve_resumed
from ttrl.cli.room import check_room
from ttrl.config import ResolvedConfig, read_layers, settle
from ttrl.consensus.rules import check_rule
from ttrl.errors import EXIT_DONE
from ttrl.recording.run_directory import RunDirectory, refuse_existing
from ttrl.recording.trackers.fan_out import Trackers, end_with
from ttrl.recording.trackers.registry import wanted

if TYPE_CHECKING:
    from ttrl.cli.native_run import NativeRun
    from ttrl.cli.trl_run import TrlRun

SUMMARY = (
    "Improve a model on questions without labels (test-time reinforcement learning). "
    "Without options: the embedded model on its embedded word problems."
)


def run(arguments: Sequence[str]) -> int:
    """The whole of a run; returns its exit code."""
    started = time.perf_counter()
    layers = read_layers(parse(make_parser("train", SUMMARY), arguments))
    named, run_directory = layers.merged.get("resume"), None
    if named is not None:
        run_directory = RunDirectory.open(Path(str(named)))
        resolved = resolve_resumed(layers, run_directory)
    else:
        resolved = settle(layers)
    first = check_processes(resolved.values)
    resolved = _with_out(resolved)
    check_rule(resolved.values)  # before minutes go into loading a model
    report_to = wanted(resolved.values.report_to) if first else []
    if named is None and first:
        refuse_existing(Path(str(resolved.values.out)))
    as_json = resolved.values.json_output
    if resolved.values.dry_run:
        return _dry_run(resolved, as_json=as_json) if first else EXIT_DONE
    kind = _kind_of_run(resolved)
    with Interrupts() as interrupts, Trackers(report_to) as trackers:
        run = kind(resolved, run_directory, interrupts, trackers, started)
        try:
            code = run.go(as_json=as_json)
        finally:
            run.close()
    if trackers.stuck:
        end_with(code)
    return code


def _kind_of_run(resolved: ResolvedConfig) -> type[NativeRun] | type[TrlRun]:
    if resolved.values.engine == "trl":
        from ttrl.cli.trl_run import TrlRun

        return TrlRun
    from ttrl.cli.native_run import NativeRun

    return NativeRun


def _with_out(resolved: ResolvedConfig) -> ResolvedConfig:
    values = resolved.values
    if values.out is None:
        name = Path(values.model.rstrip("/")).name.partition("@")[0]
        values = values.model_copy(update={"out": f"runs/{name}-{time.strftime('%Y%m%d-%H%M%S')}"})
    return replace(resolved, values=values)


def _dry_run(resolved: ResolvedConfig, *, as_json: bool) -> int:
    from ttrl.cli.plan import memory_estimate, plan_lines
    from ttrl.cli.session import open_session

    config = resolved.values
    told: dict[str, Any] = {}
    if config.engine == "trl":
        from ttrl.cli.trl_setup import open_trl

        setup = open_trl(config)
        session = open_session(config, sets=setup.sets)
        lines = plan_lines(session, setup.lines())
        told["trl"] = dict(setup.arguments)
    else:
        session = open_session(config)
        check_room(session.model, config)
        lines = plan_lines(session)
        told["memory_bytes"] = memory_estimate(session.model, config, session.prompt_tokens)
    if as_json:
        told |= {
            "config": resolved.as_dict(),
            "first_prompt": session.prompts[0],
            "questions": {s.name: len(s.questions) for s in session.sets},
        }
        print("\n".join(lines), file=sys.stderr)
        print(json.dumps(told))
    else:
        print(resolved.as_yaml())
        print("\n".join(lines))
    return EXIT_DONE
