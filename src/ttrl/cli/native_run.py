"""A run of the native engine: one process, one device."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from ttrl.cli.interrupts import Interrupts
from ttrl.cli.room import check_room
from ttrl.cli.run_frame import RunFrame, Spent
from ttrl.config import ResolvedConfig
from ttrl.errors import NumericsError
from ttrl.recording.run_directory import RunDirectory
from ttrl.recording.trackers.fan_out import Trackers

if TYPE_CHECKING:
    from ttrl.engine.checkpoint import Checkpoint
    from ttrl.engine.learner import Learner
    from ttrl.rl.algorithms.interface import Algorithm
    from ttrl.train.loop import Progress, StepReport


class NativeRun:
    """One run, wherever it starts. The arguments are those of `RunFrame`, before there is a session."""

    def __init__(
        self,
        resolved: ResolvedConfig,
        directory: RunDirectory | None,
        interrupts: Interrupts,
        trackers: Trackers,
        started: float,
    ) -> None:
        from ttrl.cli.session import open_session

        config = resolved.values
        self.config, self.interrupts = config, interrupts
        if directory is not None:
            directory.lock()  # before its checkpoint is read
        found = _latest(directory)
        self.session = open_session(config, weights=found.weights if found else None)
        check_room(self.session.model, config)
        self.frame = RunFrame(resolved, directory, self.session, trackers, started)
        from ttrl.rl.algorithms.registry import make_algorithm
        from ttrl.train.loop import Progress

        self.algorithm: Algorithm = make_algorithm(config)
        self.learner = self._learner()
        self.progress = Progress()
        if found is not None:
            found.load_learner(self.learner)
            self.progress = Progress(**found.state["progress"])
            self.frame.spent = Spent(**found.state["spent"])
        self.frame.start_records(resolved, step=self.progress.step)

    def go(self, *, as_json: bool) -> int:
        """Evaluates, trains, evaluates, reports; returns the exit code."""
        from ttrl.cli.plan import plan_lines
        from ttrl.recording.console import say

        for line in plan_lines(self.session):
            say(line)
        frame = self.frame
        try:
            base = frame.evaluations(self.session, "base", trained=self.progress.step > 0)
            stopped = self._train()
            self._save(self.progress)
            final = frame.evaluations(self.session, "final", trained=True)
        except KeyboardInterrupt:
            if self.progress.step:
                self._save(self.progress)
            return frame.interrupted(self.progress.step)
        except NumericsError as error:
            raise NumericsError(
                f"step {self.progress.step + 1}: {error} The last checkpoint is {frame.last_checkpoint()}; "
                "start a new run from it or from the base."
            ) from None
        return frame.finish(base, final, steps=self.progress.step, stopped=stopped, as_json=as_json)

    def close(self) -> None:
        """Lets others into the run directory."""
        self.frame.directory.unlock()

    def _train(self) -> str:
        from ttrl.recording.console import RunConsole
        from ttrl.train.loop import train

        with RunConsole(steps=self.config.steps, done=self.progress.step) as console:

            def on_step(report: StepReport) -> None:
                with self.interrupts.deferred():
                    self.progress = report.progress
                    step, skipped = report.progress.step, report.result.skipped
                    self.frame.record(step, report.metrics, report.votes, skipped)
                    console.step(step, report.metrics, skipped=skipped)
                    if step % self.config.checkpoint_every == 0:
                        self._save(report.progress)

            self.progress, stopped = train(
                self.session.sets[0].questions,
                config=self.config,
                sampler=self.session.voter,
                learner=self.learner,
                algorithm=self.algorithm,
                task=self.session.task,
                rule=self.frame.rule,
                observers=self.frame.observers(),
                progress=self.progress,
                on_step=on_step,
                uninterrupted=self.interrupts.deferred(),
            )
        return stopped

    def _learner(self) -> Learner:
        from ttrl.engine.learner import learner_from

        return learner_from(self.session.source, self.session.model, self.algorithm, self.config)

    def _save(self, progress: Progress) -> None:
        from ttrl.engine import checkpoint

        self.frame.clock()
        checkpoint.save(
            self.frame.directory.checkpoints,
            step=progress.step,
            model=self.session.model,
            tokenizer=self.session.tokenizer,
            learner=self.learner,
            state={"progress": asdict(progress), "spent": dict(vars(self.frame.spent))},
            prompt_template=self.session.prompt_template,
        )


def _latest(directory: RunDirectory | None) -> Checkpoint | None:
    """The checkpoint to go on from. A new run has none, and needs no torch to know it."""
    if directory is None:
        return None
    from ttrl.engine.checkpoint import latest

    return latest(directory.checkpoints)
