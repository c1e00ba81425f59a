"""Trains, evaluates and reports from Python, as the commands of those names do.

The arguments of `train` and `evaluate` are the settings of a run under the names of their options, and
`config` names YAML files as there. TTRL_ variables are for commands: a call does not read them. Neither
does it choose how many threads compute, as commands do (OMP_NUM_THREADS, OMP_WAIT_POLICY).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ttrl.config import Layers, ResolvedConfig, settle
from ttrl.consensus.rules import check_rule
from ttrl.errors import ConfigError, NumericsError
from ttrl.recording.evaluations import Evaluation
from ttrl.recording.results import EvalResult, RunResult
from ttrl.recording.run_directory import RunDirectory, refuse_existing
from ttrl.recording.trackers.fan_out import Trackers
from ttrl.recording.trackers.registry import wanted
from ttrl.runs.calls import layers_of_call
from ttrl.runs.interrupts import Interrupts, RunInterrupted, check_processes
from ttrl.runs.plan import plan_lines
from ttrl.runs.resume import resolve_resumed
from ttrl.runs.run import Callbacks, Run, StepDone, Training, Watcher
from ttrl.runs.session import Session, evaluate_one, open_session
from ttrl.types import SIMILAR_TASKS


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A run that is asked for, checked as far as it can be without loading anything."""

    resolved: ResolvedConfig
    directory: RunDirectory | None
    """The folder of a run that goes on; None for a new run."""
    is_first: bool
    """Whether this is the process that records; there may be others."""
    report_to: tuple[str, ...]
    """The trackers that metrics are sent to."""


def train(
    *,
    on_step: Callable[[StepDone], object] | None = None,
    on_message: Callable[[str], object] | None = None,
    **settings: Any,
) -> RunResult:
    """Evaluates a model, improves it on questions without labels, evaluates it again and writes a report.

    Nothing is printed. Ctrl-C and SIGTERM save what is done and rise as a KeyboardInterrupt that says how to
    go on; outside the main thread signals are left alone. Where torchrun has started several processes,
    the result of all but the first is empty.

    Args:
        on_step: called after each step.
        on_message: called with each line that the command would show: the plan, then evaluations.
        **settings: those of `ttrl train`, such as model="ttrl-tiny", questions="q.jsonl", steps=20.

    Returns:
        The result, as `ttrl.recording.results.read_result` reads it from the run's folder.

    Raises:
        TtrlError: whatever ends the command with an error ends the call with the same one.
    """
    started = time.perf_counter()
    order = place_order(layers_of_call("train", settings))
    watcher = Callbacks(on_message=on_message, step=on_step)
    with Trackers(order.report_to) as trackers:
        result = carry_out(order, watcher=watcher, trackers=trackers, started=started)
    return result or RunResult(path=Path(str(order.resolved.values.out)))


def evaluate(*, on_message: Callable[[str], object] | None = None, **settings: Any) -> EvalResult:
    """Evaluates a model on questions; with `out` also writes a folder with the figures and the votes.

    Args:
        on_message: called with a line for each set, and with its note.
        **settings: those of `ttrl eval`, such as model="ttrl-tiny", questions="q.jsonl", samples=16.

    Raises:
        TtrlError: whatever ends the command with an error ends the call with the same one.
    """
    from ttrl.runs.summary import set_line

    resolved = settle(layers_of_call("eval", settings))
    session = open_evaluation(resolved)

    def show(done: Evaluation) -> None:
        if on_message is not None:
            on_message(set_line("eval", done.set, done.metrics))
            if done.note is not None:
                on_message(done.note)

    return evaluate_session(session, resolved, show=show)


def report(path: str | os.PathLike[str]) -> Path:
    """Writes the report of a finished run again and returns its path.

    Args:
        path: the run's folder.

    Raises:
        CheckpointError: there is no readable result.json, or a file cannot be written.
    """
    from ttrl.evaluation.report.pages import write_report

    return write_report(Path(path))


def place_order(layers: Layers) -> Order:
    """Settles the config of a new or resumed run.

    Raises:
        ConfigError: settings that contradict each other, a folder that exists already, or processes that
            the engine cannot use.
        CheckpointError: no run to resume, or one that was started with other settings.
    """
    named, directory = layers.merged.get("resume"), None
    if named is not None:
        directory = RunDirectory.open(Path(str(named)))
        resolved = resolve_resumed(layers, directory)
    else:
        resolved = settle(layers)
    is_first = check_processes(resolved.values)
    resolved = _with_out(resolved)
    check_rule(resolved.values)  # before minutes go into loading a model
    report_to = wanted(resolved.values.report_to) if is_first else ()
    if named is None and is_first:
        refuse_existing(Path(str(resolved.values.out)))
    return Order(
        resolved=resolved, directory=directory, is_first=is_first, report_to=tuple(report_to)
    )


def carry_out(
    order: Order, *, watcher: Watcher, trackers: Trackers, started: float
) -> RunResult | None:
    """Runs what was ordered, from the first evaluation to the report; None on all processes but the first.

    Args:
        started: time.perf_counter() when the work began, for the run's cost.

    Raises:
        RunInterrupted: a signal came; everything is saved.
        TtrlError: whatever stops a run.
    """
    directory = order.directory
    with Interrupts() as interrupts:
        try:
            if directory is not None and order.is_first:
                directory.lock()  # before its checkpoint is read
            training = _training(order, interrupts)
            if not training.is_first:
                _train_along(training)
                return None
            run = Run(
                order.resolved,
                directory,
                training.session("base"),
                trackers=trackers,
                watcher=watcher,
                started=started,
            )
            directory = run.directory
            training.begin(run)
            run.start_records(step=training.steps)
            for line in plan_lines(training.session("base"), training.plan_lines()):
                watcher.say(line)
            return _follow(run, training)
        finally:
            if directory is not None:
                directory.unlock()


def _follow(run: Run, training: Training) -> RunResult:
    """Evaluates, trains, evaluates again and reports."""
    try:
        base = run.evaluate(training.session("base"), "base", trained=training.base_is_gone)
        stopped = training.train(run)
        final = run.evaluate(training.session("final"), "final", trained=True)
    except KeyboardInterrupt:
        training.interrupt(run)
        raise RunInterrupted(
            f"interrupted after step {training.steps}; nothing is lost. "
            f"Go on with: ttrl train --resume {run.directory.path}"
        ) from None
    except NumericsError as error:
        raise NumericsError(training.failed(error, run)) from None
    return run.finish(base, final, steps=training.steps, stopped=stopped)


def _train_along(training: Training) -> None:
    """Trains along with the first process, which evaluates and records."""
    try:
        training.train(None)
    except KeyboardInterrupt:
        raise RunInterrupted from None


def _training(order: Order, interrupts: Interrupts) -> Training:
    config = order.resolved.values
    if config.engine == "trl":
        from ttrl.runs.trl import TrlTraining

        return TrlTraining(config, order.directory, interrupts)
    from ttrl.runs.native import NativeTraining

    return NativeTraining(config, order.directory, interrupts)


def open_evaluation(resolved: ResolvedConfig) -> Session:
    """Loads what an evaluation needs and checks that its folder is free.

    Raises:
        ConfigError: the folder for its files exists already.
    """
    values = resolved.values
    if _asks_views(resolved) and values.task in SIMILAR_TASKS:
        raise ConfigError(
            f"views={','.join(values.view_names)} in an evaluation with task={values.task}: its answers are "
            "similar and not equal, so there is no share of right votes. Leave views out."
        )
    if (out := values.out) is not None:
        refuse_existing(Path(out), command=None)
    return open_session(resolved.values)


def _asks_views(resolved: ResolvedConfig) -> bool:
    """Whether an evaluation is to ask views: named ones, since `auto` is for training."""
    views = resolved.values.views
    return bool(views) and "auto" not in views and "views" in resolved.given


def evaluate_session(
    session: Session, resolved: ResolvedConfig, *, show: Callable[[Evaluation], object]
) -> EvalResult:
    """Evaluates every set that the config asks for, and writes a folder if `out` names one.

    Args:
        show: called with each evaluation as soon as it is there.
    """
    evaluations = {}
    with_views = _asks_views(resolved)
    for each in session.evaluated:
        done = evaluate_one(session, each, when="base", with_views=with_views)
        evaluations[each.name] = done
        show(done)
    out = session.config.out
    result = EvalResult(
        model=session.config.model,
        seed=session.config.seed,
        evaluations=evaluations,
        sampled_tokens=session.sampler.sampled_tokens,
        sampling_seconds=session.sampler.seconds,
        path=None if out is None else Path(out),
    )
    if result.path is not None:
        result.write(_evaluation_folder(result.path, session, resolved))
    return result


def _evaluation_folder(path: Path, session: Session, resolved: ResolvedConfig) -> RunDirectory:
    from ttrl.recording.run_directory import make_manifest

    manifest = make_manifest(
        command="eval",
        model_fingerprint=session.source.fingerprint(),
        questions=[q for each in session.sets for q in each.questions],
        prompts=session.prompts,
        true_labels=None,
    )
    return RunDirectory.create(path, config=resolved.as_yaml(), manifest=manifest)


def _with_out(resolved: ResolvedConfig) -> ResolvedConfig:
    values = resolved.values
    if values.out is None:
        name = Path(values.model.rstrip("/")).name.partition("@")[0]
        values = values.model_copy(update={"out": f"runs/{name}-{time.strftime('%Y%m%d-%H%M%S')}"})
    return replace(resolved, values=values)
