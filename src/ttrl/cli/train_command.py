"""`ttrl train`: evaluate, improve, evaluate again, report."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ttrl.cli.options import make_parser, parse
from ttrl.config import ResolvedConfig, read_layers
from ttrl.errors import EXIT_DONE, EXIT_GUARD, EXIT_INTERRUPTED
from ttrl.recording.trackers.fan_out import Trackers, end_with
from ttrl.runs.interrupts import RunInterrupted
from ttrl.runs.run import StepDone
from ttrl.runs.start import carry_out, place_order

SUMMARY = (
    "Improve a model on questions without labels (test-time reinforcement learning). "
    "Without options, train the embedded model on its embedded word problems."
)


class ConsoleWatcher:
    """Shows a run on standard error."""

    def say(self, text: str) -> None:
        """Prints a line."""
        from ttrl.recording.console import say

        say(text)

    @contextmanager
    def training(self, *, steps: int, done: int) -> Iterator[None]:
        """Shows a bar while steps are made."""
        from ttrl.recording.console import RunConsole

        with RunConsole(steps=steps, done=done) as self._console:
            yield

    def on_step(self, done: StepDone) -> None:
        """Prints a line, and moves the bar on."""
        self._console.step(done.step, done.metrics, skipped=done.skipped)


def run(arguments: Sequence[str]) -> int:
    """Carries out the whole of a run and returns its exit code."""
    started = time.perf_counter()
    order = place_order(read_layers(parse(make_parser("train", SUMMARY), arguments)))
    as_json = order.resolved.values.json_output
    if order.resolved.values.dry_run:
        return _dry_run(order.resolved, as_json=as_json) if order.is_first else EXIT_DONE
    watcher, code = ConsoleWatcher(), EXIT_DONE
    with Trackers(order.report_to) as trackers:
        try:
            result = carry_out(order, watcher=watcher, trackers=trackers, started=started)
        except RunInterrupted as stopped:
            code, result = EXIT_INTERRUPTED, None
            if order.is_first:
                watcher.say(f"\n{stopped}")
    if result is not None:
        from ttrl.runs.summary import summary_lines

        print("\n".join(summary_lines(result)), file=sys.stderr if as_json else sys.stdout)
        if as_json:
            print(json.dumps(result.to_json()))
        code = EXIT_GUARD if result.stopped_by_guard else code
    if trackers.stuck:
        end_with(code)
    return code


def _dry_run(resolved: ResolvedConfig, *, as_json: bool) -> int:
    from ttrl.runs.plan import make_plan

    plan = make_plan(resolved.values)
    if as_json:
        print("\n".join(plan.lines), file=sys.stderr)
        print(json.dumps({**plan.engine, "config": resolved.as_dict(), **plan.asked}))
    else:
        print(resolved.as_yaml())
        print("\n".join(plan.lines))
    return EXIT_DONE
