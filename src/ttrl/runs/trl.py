"""Trains under TRL, in one process or in each process of a torchrun.

The first process reads, evaluates and records as in any run; the others only train with it.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttrl.config import RunConfig
from ttrl.consensus.summary import labels_of
from ttrl.data.questions import equal_steps
from ttrl.errors import NumericsError
from ttrl.overlays.trl.rollout import RolloutStep, updates_of_step
from ttrl.recording.evaluations import When
from ttrl.recording.results import GUARD_PREFIX
from ttrl.recording.run_directory import RunDirectory
from ttrl.runs.interrupts import Interrupts
from ttrl.runs.run import Run, Spent, rule_of
from ttrl.runs.session import Session, open_session
from ttrl.runs.trl_setup import open_trl
from ttrl.training.guard import GuardState, decide, state_after
from ttrl.training.loop import end_of_silence
from ttrl.training.signals import vote_signals
from ttrl.types import StepResult

if TYPE_CHECKING:
    from ttrl.engine.checkpoint import Checkpoint
    from ttrl.overlays.trl.training import TrlModel

PROGRESS = "trl/progress.json"
TRAINED = "trained"
"""The name of the final weights, in the folder of TRL's own checkpoints."""


class TrlTraining:
    """TRL's `ttrl.runs.run.Training`, for a new run or one that goes on.

    What TRL would refuse late is refused as this is made, before a model loads.

    Args:
        directory: of a run that goes on, locked on the first process; None for a new one.
    """

    base_is_gone = False

    def __init__(
        self, config: RunConfig, directory: RunDirectory | None, interrupts: Interrupts
    ) -> None:
        from ttrl.engine.checkpoint import latest

        self._config, self._interrupts = config, interrupts
        self._setup = open_trl(config)
        self.is_first = self._setup.rank == 0
        self._base: Session | None = None
        self._trained: Checkpoint | None = latest(Path(str(config.out)) / "checkpoints")
        """The checkpoint at the end of training. Every process knows it if it exists at the start."""

    @property
    def steps(self) -> int:
        """Returns the number of steps done. TRL's checkpoints may be gone once training is over."""
        from ttrl.overlays.trl.training import latest_checkpoint

        if self._trained is not None:
            return int(self._trained.state["progress"]["step"])
        found = latest_checkpoint(self._setup.folder)
        return found[1] // updates_of_step(self._config) if found else 0

    def plan_lines(self) -> Sequence[str]:
        """Returns lines with TRL's version and how a step is spread over processes."""
        return self._setup.lines()

    def session(self, when: When) -> Session:
        """Opens one session before training and another one after it: in between TRL needs the memory."""
        if when == "final":
            assert self._trained is not None
            weights = self._trained.weights
            return open_session(self._config, weights=weights, sets=self._setup.sets)
        if self._base is None:
            self._base = open_session(self._config, sets=self._setup.sets)
        return self._base

    def begin(self, run: Run) -> None:
        """Restores what the run has spent, and makes the folder of TRL's checkpoints."""
        known = self._trained.state if self._trained is not None else self._progress()
        run.spent = Spent(**known.get("spent", {}))
        self._setup.folder.mkdir(exist_ok=True)

    def train(self, run: Run | None) -> str:
        """Trains in every process; the first one saves the weights as a checkpoint of the run."""
        self._base = None
        if self._trained is None:
            with self._interrupts.deferred():
                self._train(run)
        return str(self._trained.state["stopped"]) if self._trained is not None else ""

    def interrupt(self, run: Run) -> None:
        """Does nothing, since TRL has saved what is done."""

    def failed(self, error: NumericsError, run: Run) -> str:
        """Returns the message of a run that ends with this error."""
        return (
            f"{error} The weights have changed already; TRL's last checkpoint is in {self._setup.folder}. "
            "Start a new run."
        )

    def _train(self, run: Run | None) -> None:
        from ttrl.overlays.trl.rollout import VotingRollout
        from ttrl.overlays.trl.training import latest_checkpoint, train_with_trl
        from ttrl.overlays.voting import GroupVoter

        config, setup = self._config, self._setup
        training, prompt = setup.sets.training, setup.prompter.prompt
        steps = equal_steps(training.trained, per_step=setup.share.questions, seed=config.seed)
        voter = GroupVoter(config, rule=rule_of(config, setup.sets.labels[training.name]))
        found, done = latest_checkpoint(setup.folder), self.steps
        silent = [step for step in self._progress().get("silent", ()) if step <= done]
        records = TrlRecords(config, run, silent=silent, guard=self._guard(done))
        wanted = done if records.ends_at(done) else config.steps  # it was killed as it ended
        asked = [question for step in islice(steps, wanted) for question in step]
        hooks = VotingRollout(
            voter,
            setup.asked,
            seeded=True,
            rows_at_once=config.sampler_rows,
            labels=last_labels(run.directory.path / "votes.jsonl") if run else None,
            on_step=records.on_step,
            stop_requested=lambda: self._interrupts.pending,
        )
        with run.watcher.training(steps=config.steps, done=done) if run else nullcontext():
            updates = train_with_trl(
                self._model(),
                arguments={**setup.arguments, "max_steps": wanted * updates_of_step(config)},
                prompts=[prompt(question) for question in asked],
                hooks=hooks,
                on_log=records.on_log,
                processes=setup.processes,
                resume_from=found[0] if found else None,
                out=setup.folder / TRAINED,
            )
        if records.interrupted:
            raise KeyboardInterrupt
        if run is not None:
            self._keep(run, updates // updates_of_step(config), records.stopped)

    def _guard(self, done: int) -> GuardState:
        """Returns what the guard knew after step `done`, the same on every process."""
        if self._config.guard == "off":
            return GuardState()
        rows = json_lines(Path(str(self._config.out)) / "metrics.jsonl")
        return state_after([row for row in rows if row["step"] <= done], mode=self._config.guard)

    def _model(self) -> TrlModel:
        from ttrl.engine.models import (
            load_model,
            lora_settings,
            mend_generation_config,
            pick_device,
        )
        from ttrl.overlays.trl.training import TrlModel

        config, source = self._config, self._setup.source
        adapter = lora_settings(config.lora) if config.lora else None
        # Without an adapter bfloat16 weights would lose most updates: TRL's optimizer keeps no masters.
        dtype = config.dtype if config.lora else "float32"
        model: Any = source.path
        options: dict[str, Any] | None
        options = {"dtype": dtype, "use_safetensors": True, "device_map": None}
        if source.kind == "gguf":
            model, options = load_model(source, dtype=dtype, device=pick_device("cpu")).model, None
        elif source.revision:
            options["revision"] = source.revision
        return TrlModel(
            model=model,
            options=options,
            adapter=adapter,
            tokenizer=self._setup.tokenizer,
            mend=mend_generation_config,
        )

    def _keep(self, run: Run, step: int, stopped: str) -> None:
        from ttrl.engine import checkpoint

        run.clock()
        state = {
            "progress": {"step": step},
            "spent": dict(vars(run.spent)),
            "stopped": stopped,
        }
        path = checkpoint.save_weights(
            run.directory.checkpoints,
            step=step,
            weights=self._setup.folder / TRAINED,
            state=state,
            prompt_template=self._setup.template,
        )
        self._trained = checkpoint.Checkpoint(path=path, state=state)
        shutil.rmtree(self._setup.folder / TRAINED, ignore_errors=True)  # the checkpoint has them

    def _progress(self) -> dict[str, Any]:
        """Reads what was recorded beside TRL's checkpoints."""
        return RunDirectory(Path(str(self._config.out))).read_json(PROGRESS) or {}


class TrlRecords:
    """Records a run under TRL: votes come with the rollout of a step, training metrics with TRL's log.

    On every process it counts silent steps; on the first it writes everything down.

    Args:
        run: of the first process, None on the others.
        silent: steps without a gradient of the sittings before this one, on every process.
        guard: what the guard knows of them.
    """

    def __init__(
        self,
        config: RunConfig,
        run: Run | None,
        *,
        silent: Sequence[int] = (),
        guard: GuardState | None = None,
    ) -> None:
        from ttrl.rl.algorithms.policy_gradient import no_group_differs  # brings torch

        self._config, self._run = config, run
        self._nothing_to_learn = no_group_differs
        self._observers = run.observers() if run is not None else []
        self._rollout: RolloutStep | None = None
        self._begin = 0.0
        self._silent = list(silent)
        self._guard = guard or GuardState()
        self.stopped = "all steps done"
        self.interrupted = False
        """Whether some process was asked to stop; all of them learn of it at the same step."""

    def on_step(self, rollout: RolloutStep) -> None:
        """Takes the votes of a step, before its updates."""
        self._rollout, self._begin = rollout, time.perf_counter()

    def on_log(self, global_step: int, learned: dict[str, float]) -> bool:
        """Takes the metrics of a step's updates and returns whether to save and end."""
        rollout = self._rollout
        assert rollout is not None  # TRL logs after the updates of a rollout
        step = rollout.step + 1
        if self._nothing_to_learn(rollout.scored):
            self._silent.append(step)
        decision, seen = None, dict[str, float]()
        if self._config.guard != "off":
            seen = vote_signals(rollout.scored, self._config)
            self._guard, decision = decide(
                self._guard, {**rollout.metrics, **seen}, step=step, mode=self._config.guard
            )
        if self._run is not None:
            self._record(self._run, step, rollout, {**learned, **seen})
            if decision is not None:
                self._run.record_decision(decision)
        if self.ends_at(step):
            return True
        self.interrupted = rollout.stop
        return rollout.stop

    def ends_at(self, step: int) -> bool:
        """Returns whether the guard, or too many steps in a row without a gradient, end the run here."""
        if self._guard.stopped is not None:
            self.stopped = f"{GUARD_PREFIX}{self._guard.stopped}"
            return True
        row, silent = 0, set(self._silent)
        while step - row in silent:
            row += 1
        why = end_of_silence(row, self._nothing_to_learn(()), self._config)
        self.stopped = why or self.stopped
        return why is not None

    def _record(self, run: Run, step: int, rollout: RolloutStep, learned: dict[str, float]) -> None:
        metrics = {
            **rollout.metrics,
            **learned,
            "train/updates": float(updates_of_step(self._config)),
            "train/seconds": time.perf_counter() - self._begin,
        }
        result = StepResult(step=rollout.step, scored=rollout.scored, metrics=metrics)
        for observer in self._observers:
            metrics |= observer.on_step(result)
        run.record(step, metrics, rollout.votes, None)
        run.clock()
        progress = {"spent": dict(vars(run.spent)), "silent": self._silent}
        run.directory.write_json(PROGRESS, progress)


def last_labels(votes: Path) -> dict[str, str | None]:
    """Returns the last pseudo-label of each question in votes.jsonl."""
    return labels_of(json_lines(votes))


def json_lines(path: Path) -> list[dict[str, Any]]:
    """Returns the objects of a .jsonl file; none where there is no such file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]
