"""Trains with the native engine, in one process on one device."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING

from ttrl.config import RunConfig
from ttrl.errors import NumericsError
from ttrl.recording.evaluations import When
from ttrl.recording.kept import KeptCheckpoint
from ttrl.recording.run_directory import RunDirectory
from ttrl.runs.candidates import Candidates
from ttrl.runs.interrupts import Interrupts
from ttrl.runs.plan import check_memory
from ttrl.runs.run import Run, Spent
from ttrl.runs.session import Session, open_session
from ttrl.runs.voters import make_teacher, open_sources

if TYPE_CHECKING:
    from ttrl.engine.checkpoint import Checkpoint
    from ttrl.engine.learner import Learner
    from ttrl.engine.teacher import Teacher
    from ttrl.rl.algorithms.interface import Algorithm


class NativeTraining:
    """The native engine's `ttrl.runs.run.Training`, for a new run or one that goes on.

    Args:
        directory: of a run that goes on from its last checkpoint, locked; None for a new one.
    """

    is_first = True

    def __init__(
        self, config: RunConfig, directory: RunDirectory | None, interrupts: Interrupts
    ) -> None:
        self._config, self._interrupts = config, interrupts
        self._found = _latest(directory)
        self._session = open_session(config, weights=self._found.weights if self._found else None)
        check_memory(self._session.model, config)
        from ttrl.training.loop import Progress

        self._progress = Progress(**self._found.state["progress"]) if self._found else Progress()
        self._algorithm: Algorithm
        self._learner: Learner
        self._teacher: Teacher | None = None
        self._candidates: Candidates | None = None
        self._is_over = False

    @property
    def steps(self) -> int:
        """Returns the number of steps done, in all sittings."""
        return self._progress.step

    @property
    def base_is_gone(self) -> bool:
        """Returns True after the first step, since the policy's weights are the only ones."""
        return self._progress.step > 0

    def plan_lines(self) -> Sequence[str]:
        """Returns nothing: the plan describes this engine itself."""
        return ()

    def session(self, when: When) -> Session:
        """Returns the one session there is, whose model is the one that is trained."""
        return self._session

    def begin(self, run: Run) -> None:
        """Makes the learner and restores its state from the checkpoint."""
        from ttrl.engine.learner import learner_from
        from ttrl.rl.algorithms.registry import make_algorithm

        session = self._session
        self._algorithm = make_algorithm(self._config)
        self._learner = learner_from(
            session.source,
            session.model,
            self._algorithm,
            self._config,
            guarded=self._config.guard != "off",
        )
        self._teacher = make_teacher(session)
        if self._found is not None:
            self._found.load_learner(self._learner)
            if self._teacher is not None:
                self._found.load_learner(self._teacher)
            run.spent = Spent(**self._found.state["spent"])
        if self._config.keep == "best":
            self._candidates = Candidates(run.directory, session)

    def train(self, run: Run | None) -> str:
        """Makes the remaining steps, saves the weights, chooses some, and returns why the run ended."""
        from ttrl.training.loop import reason_to_end

        assert run is not None  # there is one process
        self._make_steps(run)
        if self._candidates is not None:
            run.kept = self._candidates.choose(last=self.steps)
            self._take(run.kept, run)
        return str(reason_to_end(self._progress, self._config))

    def _make_steps(self, run: Run) -> None:
        """Makes and saves them. Nothing of it holds the model afterwards."""
        from ttrl.training.loop import train

        config, session, observers = self._config, self._session, run.observers()
        sources = open_sources(session, run.directory, teacher=self._teacher, step=self.steps)
        if not self.steps:
            self._add_candidate(run)
        # No callback goes in, so that nothing that is handed over leads to a true answer.
        steps = train(
            session.training.trained,
            config=config,
            sampler=session.voter,
            learner=self._learner,
            algorithm=self._algorithm,
            task=session.task,
            rule=run.rule,
            progress=self._progress,
            uninterrupted=self._interrupts.deferred(),
            sources=sources,
            base=self._learner.base_logprobs,
        )
        with run.watcher.training(steps=config.steps, done=self.steps), closing(steps):
            for report in steps:
                with self._interrupts.deferred():
                    self._progress, result = report.progress, report.result
                    metrics = report.metrics
                    for observer in observers:
                        metrics |= observer.on_step(result)
                    run.record(self.steps, metrics, report.votes, result.skipped)
                    if report.decision is not None:
                        run.record_decision(report.decision)
                    if self.steps % config.checkpoint_every == 0:
                        self._add_candidate(run)
                        self._save(run)
        self._add_candidate(run)
        self._save(run)

    def interrupt(self, run: Run) -> None:
        """Saves the steps that are done."""
        if self.steps and not self._is_over:
            self._save(run)

    def failed(self, error: NumericsError, run: Run) -> str:
        """Returns the message of a run that ends with this error."""
        return (
            f"step {self.steps + 1}: {error} The last checkpoint is {run.last_checkpoint()}; "
            "start a new run from it or from the base."
        )

    def _add_candidate(self, run: Run) -> None:
        if self._candidates is None:
            return
        sampler = self._session.sampler
        tokens, seconds = sampler.sampled_tokens, sampler.seconds
        state = {"progress": asdict(self._progress)}
        self._candidates.add(self._session, step=self.steps, state=state)
        run.spent.sampled_tokens += sampler.sampled_tokens - tokens
        run.spent.sampling_seconds += sampler.seconds - seconds

    def _take(self, kept: KeptCheckpoint, run: Run) -> None:
        """Replaces the weights and their optimizer by the chosen weights, to be evaluated."""
        self._is_over = True
        if kept.step == self.steps:
            return
        from ttrl.engine.checkpoint import verified

        found = verified(kept.path(run.directory.path))
        del self._session, self._learner  # first, so that the trained model makes room
        self._teacher = None
        self._session = open_session(self._config, weights=found.weights)

    def _save(self, run: Run) -> None:
        from ttrl.engine import checkpoint

        run.clock()
        checkpoint.save(
            run.directory.checkpoints,
            step=self.steps,
            model=self._session.model,
            tokenizer=self._session.tokenizer,
            learner=checkpoint.Together(
                [self._learner, *([self._teacher] if self._teacher is not None else [])]
            ),
            state={"progress": asdict(self._progress), "spent": dict(vars(run.spent))},
            prompt_template=self._session.prompt_template,
        )


def _latest(directory: RunDirectory | None) -> Checkpoint | None:
    """Returns the checkpoint to go on from, or None for a new run, which needs no torch to know it."""
    if directory is None:
        return None
    from ttrl.engine.checkpoint import latest

    return latest(directory.checkpoints)
