"""`ttrl train`: evaluate, improve, evaluate again, report."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttrl.cli.base_evaluations import borrow_base
from ttrl.cli.interrupts import Interrupts
from ttrl.cli.options import make_parser, parse
from ttrl.cli.resume import check_same_inputs, resolve_resumed
from ttrl.cli.room import check_room
from ttrl.config import ResolvedConfig, RunConfig, read_layers, settle
from ttrl.consensus.rules import ANSWER_KEY, check_rule, make_rule
from ttrl.errors import (
    EXIT_DONE,
    EXIT_INTERRUPTED,
    CheckpointError,
    ConfigError,
    NumericsError,
)
from ttrl.evaluate.leakage import AnswerKeyReward
from ttrl.recording.run_directory import RunDirectory, refuse_existing
from ttrl.recording.trackers.fan_out import Trackers, end_with
from ttrl.recording.trackers.registry import wanted

if TYPE_CHECKING:
    from ttrl.cli.session import Session
    from ttrl.engine.checkpoint import Checkpoint
    from ttrl.engine.learner import Learner
    from ttrl.rl.algorithms.interface import Algorithm
    from ttrl.train.loop import Progress, StepReport
    from ttrl.types import Observer, RewardRule

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
        resolved = _with_out(settle(layers))
    check_rule(resolved.values)  # before minutes go into loading a model
    report_to = wanted(resolved.values.report_to)
    if named is None:
        refuse_existing(Path(str(resolved.values.out)))
    as_json = resolved.values.json_output
    if resolved.values.dry_run:
        return _dry_run(resolved, as_json=as_json)
    with Interrupts() as interrupts, Trackers(report_to) as trackers:
        run = _Run(resolved, run_directory, interrupts, trackers, started)
        try:
            code = run.go(as_json=as_json)
        finally:
            run.directory.unlock()
    if trackers.stuck:
        end_with(code)
    return code


def _with_out(resolved: ResolvedConfig) -> ResolvedConfig:
    values = resolved.values
    if values.out is None:
        name = Path(values.model.rstrip("/")).name.partition("@")[0]
        values = values.model_copy(update={"out": f"runs/{name}-{time.strftime('%Y%m%d-%H%M%S')}"})
    return replace(resolved, values=values)


def _dry_run(resolved: ResolvedConfig, *, as_json: bool) -> int:
    from ttrl.cli.plan import memory_estimate, plan_lines
    from ttrl.cli.session import open_session

    session = open_session(resolved.values)
    check_room(session.model, session.config)
    tokens = max(len(session.prompter.encode(q)) for q in session.sets[0].questions)
    lines = plan_lines(session.sets, session.prompts, session.config, session.model, tokens)
    if as_json:
        told = {
            "config": resolved.as_dict(),
            "first_prompt": session.prompts[0],
            "memory_bytes": memory_estimate(session.model, session.config, tokens),
            "questions": {s.name: len(s.questions) for s in session.sets},
        }
        print("\n".join(lines), file=sys.stderr)
        print(json.dumps(told))
    else:
        print(resolved.as_yaml())
        print("\n".join(lines))
    return EXIT_DONE


class _Run:
    """One run from its first evaluation to its report, wherever it starts."""

    def __init__(
        self,
        resolved: ResolvedConfig,
        directory: RunDirectory | None,
        interrupts: Interrupts,
        trackers: Trackers,
        started: float,
    ) -> None:
        from ttrl.cli.session import open_session
        from ttrl.recording.manifest import make_manifest

        config = resolved.values
        self.config, self.interrupts, self.started = config, interrupts, started
        if directory is not None:
            directory.lock()  # before its checkpoint is read
        found = _latest(directory)
        self.session: Session = open_session(config, weights=found.weights if found else None)
        check_room(self.session.model, config)
        rule = self._rule()
        manifest = make_manifest(
            command="train",
            model_fingerprint=self.session.source.fingerprint(),
            questions=[q for s in self.session.sets for q in s.questions],
            prompts=self.session.prompts,
            true_labels=rule.answers.answers if isinstance(rule, AnswerKeyReward) else None,
        )
        if directory is None:
            path = Path(str(config.out))
            directory = RunDirectory.create(path, config=resolved.as_yaml(), manifest=manifest)
            directory.lock()
            if config.base_evaluations is not None:
                borrow_base(config.base_evaluations, directory, resolved, self.session.evaluated)
        else:
            check_same_inputs(directory, manifest)
        from ttrl.rl.algorithms.registry import make_algorithm
        from ttrl.train.loop import Progress

        self.directory, self.rule = directory, rule
        self.algorithm: Algorithm = make_algorithm(config)
        self.learner = self._learner()
        self.progress, self.spent = Progress(), _Spent()
        if found is not None:
            found.load_learner(self.learner)
            self.progress = Progress(**found.state["progress"])
            self.spent = _Spent(**found.state["spent"])
        self.directory.forget_after(self.progress.step)
        self.trackers = trackers
        trackers.start(directory, resolved.as_dict(invocation=False), step=self.progress.step)

    def go(self, *, as_json: bool) -> int:
        from ttrl.cli.plan import plan_lines
        from ttrl.evaluate.report.build import write_report
        from ttrl.recording.console import say

        session = self.session
        tokens = max(len(session.prompter.encode(q)) for q in session.sets[0].questions)
        for line in plan_lines(session.sets, session.prompts, self.config, session.model, tokens):
            say(line)
        try:
            base = self._evaluations("base")
            stopped = self._train()
            self._save(self.progress)
            final = self._evaluations("final")
        except KeyboardInterrupt:
            if self.progress.step:
                self._save(self.progress)
            say(
                f"\ninterrupted after step {self.progress.step}; nothing is lost. "
                f"Go on with: ttrl train --resume {self.directory.path}"
            )
            return EXIT_INTERRUPTED
        except NumericsError as error:
            raise NumericsError(
                f"step {self.progress.step + 1}: {error} The last checkpoint is {self._last_checkpoint()}; "
                "start a new run from it or from the base."
            ) from None
        result = self._result(base, final, stopped)
        self.directory.write_json("result.json", result)
        report = write_report(self.directory.path)
        self.trackers.finish(result)
        from ttrl.cli.summary import summary_lines

        lines = [*summary_lines(result, base, final), f"report      {report}"]
        print("\n".join(lines), file=sys.stderr if as_json else sys.stdout)
        if as_json:
            print(json.dumps(result))
        return EXIT_DONE

    def _train(self) -> str:
        from ttrl.recording.console import RunConsole
        from ttrl.train.loop import train

        with RunConsole(steps=self.config.steps, done=self.progress.step) as console:

            def on_step(report: StepReport) -> None:
                with self.interrupts.deferred():
                    self.progress = report.progress
                    step, metrics = report.progress.step, report.metrics
                    self.spent.add(metrics)
                    row: dict[str, Any] = {"step": step, **metrics}
                    if report.result.skipped:
                        row["skipped"] = report.result.skipped
                    self.directory.append("metrics.jsonl", [row])
                    self.directory.append("votes.jsonl", report.votes)
                    self.trackers.log(step, metrics)
                    console.step(step, metrics, skipped=report.result.skipped)
                    if step % self.config.checkpoint_every == 0:
                        self._save(report.progress)

            self.progress, stopped = train(
                self.session.sets[0].questions,
                config=self.config,
                sampler=self.session.voter,
                learner=self.learner,
                algorithm=self.algorithm,
                task=self.session.task,
                rule=self.rule,
                observers=self._observers(),
                progress=self.progress,
                on_step=on_step,
                uninterrupted=self.interrupts.deferred(),
            )
        return stopped

    def _learner(self) -> Learner:
        from ttrl.engine.learner import make_learner
        from ttrl.engine.models.load import load_model

        session, dtype = self.session, self.config.dtype
        return make_learner(
            session.model,
            self.algorithm,
            self.config,
            load_base=lambda: (
                load_model(session.source, dtype=dtype, device=session.model.device).model
            ),
        )

    def _rule(self) -> RewardRule:
        if self.config.reward != ANSWER_KEY:
            return make_rule(self.config)
        answers = self.session.sets[0].answers
        if answers is None:
            raise ConfigError(
                "reward=answer-key needs true answers: name their column or file with --answers."
            )
        return AnswerKeyReward(answers=answers, tie_seed=self.config.seed)

    def _observers(self) -> list[Observer]:
        from ttrl.evaluate.diagnostics import LabelDiagnostics

        answers = self.session.sets[0].answers
        if answers is None:
            return []
        return [LabelDiagnostics(task=self.session.task, answers=answers)]

    def _evaluations(self, when: str) -> dict[str, dict[str, Any]]:
        """What `evaluations/` holds of each set; what is there already is not made again."""
        from ttrl.cli.session import evaluate
        from ttrl.cli.summary import set_line
        from ttrl.recording.console import say

        found = {}
        for each in self.session.evaluated:
            name = f"evaluations/{when}-{each.name}.json"
            done = self.directory.read_json(name)
            if done is None and when == "base" and self.progress.step:
                raise CheckpointError(
                    f"{self.directory.path / name} is missing, and the weights are trained already: the "
                    "base cannot be evaluated any more. Put the file back, or start a new run."
                )
            if done is None:
                done = evaluate(self.session, each, when=when)
                self.directory.write_json(name, done)
            say(set_line(when, each.name, done["metrics"]))
            found[each.name] = done
        return found

    def _save(self, progress: Progress) -> None:
        from ttrl.engine import checkpoint

        now = time.perf_counter()
        self.spent.wall_seconds += now - self.started
        self.started = now
        checkpoint.save(
            self.directory.checkpoints,
            step=progress.step,
            model=self.session.model,
            tokenizer=self.session.tokenizer,
            learner=self.learner,
            state={"progress": asdict(progress), "spent": dict(vars(self.spent))},
            prompt_template=self.session.prompt_template,
        )

    def _result(self, base: dict[str, Any], final: dict[str, Any], stopped: str) -> dict[str, Any]:
        from importlib.metadata import version

        self.spent.wall_seconds += time.perf_counter() - self.started
        config: RunConfig = self.config
        cost = {**vars(self.spent), "evaluation_seconds": 0.0}
        for done in (*base.values(), *final.values()):
            for key, value in done["cost"].items():
                cost[key] += value
        return {
            "name": self.directory.path.name,
            "ttrl_version": version("ttrl"),
            "model": config.model,
            "algorithm": config.algorithm,
            "reward": config.reward,
            "seed": config.seed,
            "steps": self.progress.step,
            "stopped": stopped,
            "sets": {
                name: {"base": base[name]["metrics"], "final": final[name]["metrics"]}
                for name in base
            },
            **cost,
            "peak_rss_bytes": _peak_rss_bytes(),
            "weights": self._last_checkpoint(),
        }

    def _last_checkpoint(self) -> str:
        found = sorted(self.directory.checkpoints.glob("step-*"))
        return str(found[-1]) if found else "not made yet"


def _peak_rss_bytes() -> int:
    """Linux tells kibibytes, macOS bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _latest(directory: RunDirectory | None) -> Checkpoint | None:
    """The checkpoint to go on from. A new run has none, and needs no torch to know it."""
    if directory is None:
        return None
    from ttrl.engine.checkpoint import latest

    return latest(directory.checkpoints)


class _Spent:
    """Cost of training, and time, over all sittings of a run. Evaluations carry their own."""

    def __init__(self, **values: float) -> None:
        self.wall_seconds = values.get("wall_seconds", 0.0)
        self.sampled_tokens = int(values.get("sampled_tokens", 0))
        self.sampling_seconds = values.get("sampling_seconds", 0.0)
        self.training_seconds = values.get("training_seconds", 0.0)

    def add(self, metrics: dict[str, float]) -> None:
        """Counts a step."""
        self.sampled_tokens += int(metrics["sample/tokens"])
        self.sampling_seconds += metrics["sample/seconds"]
        self.training_seconds += metrics.get("train/seconds", 0.0)
