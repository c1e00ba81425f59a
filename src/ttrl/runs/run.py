"""One run, whichever engine trains it: its folder, its records, its evaluations and its result."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ttrl.answers.tasks import make_task
from ttrl.config import ResolvedConfig, RunConfig
from ttrl.consensus.rules import ANSWER_KEY, make_rule
from ttrl.errors import CheckpointError, ConfigError, NumericsError
from ttrl.evaluation.answer_key import answer_key_rule
from ttrl.evaluation.labels import Labels
from ttrl.recording.evaluations import Evaluation, When
from ttrl.recording.kept import KeptCheckpoint
from ttrl.recording.results import RunResult
from ttrl.recording.run_directory import RunDirectory
from ttrl.recording.trackers.fan_out import Trackers
from ttrl.runs.resume import borrow_base, check_same_inputs
from ttrl.runs.session import Session, evaluate_one
from ttrl.runs.summary import set_line
from ttrl.runs.voters import peer_fingerprint
from ttrl.types import Metrics, RewardRule

if TYPE_CHECKING:
    from ttrl.training.guard import Decision
    from ttrl.types import Observer


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDone:
    """A step that is done and recorded."""

    step: int
    """The number of the step, from 1."""
    steps: int
    """The number of steps that the run is to make."""
    metrics: Metrics
    """The metrics of the step, as metrics.jsonl holds them."""
    skipped: str | None
    """Why nothing was learned, or None."""


class Watcher(Protocol):
    """Shows a run while it goes on."""

    def say(self, text: str) -> None:
        """Shows a line."""
        ...

    def training(self, *, steps: int, done: int) -> AbstractContextManager[object]:
        """Returns a context that is entered while steps are made; `done` of them were made before."""
        ...

    def on_step(self, done: StepDone) -> None:
        """Shows a step; only called inside that context."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Callbacks:
    """A watcher that calls functions; without a function nothing is shown."""

    on_message: Callable[[str], object] | None = None
    step: Callable[[StepDone], object] | None = None

    def say(self, text: str) -> None:
        """Calls `on_message`."""
        if self.on_message is not None:
            self.on_message(text)

    def training(self, *, steps: int, done: int) -> AbstractContextManager[object]:
        """Does nothing."""
        return nullcontext()

    def on_step(self, done: StepDone) -> None:
        """Calls `step`."""
        if self.step is not None:
            self.step(done)


class Training(Protocol):
    """An engine that trains a run."""

    is_first: bool
    """Whether this is the process that records; there may be others."""

    @property
    def steps(self) -> int:
        """Returns the number of steps done, in all sittings."""
        ...

    @property
    def base_is_gone(self) -> bool:
        """Returns whether only trained weights are left to evaluate."""
        ...

    def plan_lines(self) -> Sequence[str]:
        """Returns lines about the engine for the plan of the run; none for the native one."""
        ...

    def session(self, when: When) -> Session:
        """Returns a session with the weights to evaluate before or after training."""
        ...

    def begin(self, run: Run) -> None:
        """Restores what an earlier sitting has left, once the run's folder exists."""
        ...

    def train(self, run: Run | None) -> str:
        """Makes the remaining steps, saves the weights and returns why the run ended.

        Args:
            run: where steps are recorded; None on all processes but the first.
        """
        ...

    def interrupt(self, run: Run) -> None:
        """Saves what is done but not yet saved."""
        ...

    def failed(self, error: NumericsError, run: Run) -> str:
        """Returns the message of a run that ends with this error."""
        ...


class Run:
    """The folder of one run and all that is written into it. It keeps nothing that holds a model.

    Args:
        directory: of a run that goes on, locked; None makes a new one.
        session: whose inputs the folder's manifest records, or is compared with.
        started: time.perf_counter() at the start of this sitting.

    Raises:
        ConfigError: a reward by true labels without any, or a folder that exists already.
        CheckpointError: the folder cannot be written, or is that of a run with other inputs.
    """

    def __init__(
        self,
        resolved: ResolvedConfig,
        directory: RunDirectory | None,
        session: Session,
        *,
        trackers: Trackers,
        watcher: Watcher,
        started: float,
    ) -> None:
        from ttrl.recording.run_directory import make_manifest

        self.config, self.trackers, self.watcher = resolved.values, trackers, watcher
        self.spent, self._started = Spent(), started
        self.kept: KeptCheckpoint | None = None
        """The checkpoint chosen by `keep: best`, once it is; else the last one counts."""
        self._resolved, self._task = resolved, session.task
        labels = session.labels[session.training.name]
        self.rule, self._answers = rule_of(self.config, labels), labels.answers
        manifest = make_manifest(
            command="train",
            model_fingerprint=session.source.fingerprint(),
            questions=[q for each in session.sets for q in each.questions],
            prompts=session.prompts,
            true_labels=(
                labels.answers.answers
                if labels.answers is not None and self.config.reward == ANSWER_KEY
                else None
            ),
            peer_fingerprint=peer_fingerprint(self.config),
        )
        if directory is None:
            path = Path(str(self.config.out))
            directory = RunDirectory.create(path, config=resolved.as_yaml(), manifest=manifest)
            directory.lock()
            if (borrowed := self.config.base_evaluations) is not None:
                borrow_base(borrowed, directory, resolved, session.evaluated, session.labels)
        else:
            check_same_inputs(directory, manifest)
        self.directory = directory

    def start_records(self, *, step: int) -> None:
        """Opens the records after this step and drops those of later steps, which will be made again."""
        self.directory.forget_after(step)
        self.trackers.start(self.directory, self._resolved.as_dict(invocation=False), step=step)

    def observers(self) -> list[Observer]:
        """Returns the comparisons with true labels, if there are any labels."""
        from ttrl.evaluation.metrics import LabelDiagnostics

        if self._answers is None:
            return []
        return [LabelDiagnostics(task=self._task, answers=self._answers)]

    def record(
        self, step: int, metrics: Metrics, votes: list[dict[str, Any]], skipped: str | None
    ) -> None:
        """Records a step and shows it."""
        self.spent.add(metrics)
        row: dict[str, Any] = {"step": step, **metrics}
        if skipped:
            row["skipped"] = skipped
        self.directory.append("metrics.jsonl", [row])
        self.directory.append("votes.jsonl", votes)
        self.trackers.log(step, metrics)
        done = StepDone(step=step, steps=self.config.steps, metrics=metrics, skipped=skipped)
        self.watcher.on_step(done)

    def record_decision(self, decision: Decision) -> None:
        """Records what the guard decided after a step, and shows it."""
        self.directory.append("guard.jsonl", [decision.to_json()])
        self.watcher.say(decision.line)

    def evaluate(self, session: Session, when: When, *, trained: bool) -> dict[str, Evaluation]:
        """Evaluates each set that the config asks for, unless the folder has its evaluation already.

        Args:
            session: with the weights to evaluate.
            trained: whether they are others than the base's.

        Raises:
            CheckpointError: an evaluation of the base is missing, and the base is gone.
        """
        found = {}
        for each in session.evaluated:
            name = f"evaluations/{when}-{each.name}.json"
            written = self.directory.read_json(name)
            if written is None and when == "base" and trained:
                raise CheckpointError(
                    f"{self.directory.path / name} is missing, and the weights are trained already: the "
                    "base cannot be evaluated any more. Put the file back, or start a new run."
                )
            if written is None:
                done = evaluate_one(session, each, when=when)
                self.directory.write_json(name, done.to_json())
            else:
                done = Evaluation.from_json(written)
            self.watcher.say(set_line(when, each.name, done.metrics))
            found[each.name] = done
        return found

    def clock(self) -> None:
        """Adds the time since the last call, or since the start, to what the run has cost."""
        now = time.perf_counter()
        self.spent.wall_seconds += now - self._started
        self._started = now

    def finish(
        self,
        base: Mapping[str, Evaluation],
        final: Mapping[str, Evaluation],
        *,
        steps: int,
        stopped: str,
    ) -> RunResult:
        """Writes the result and the report."""
        from ttrl.evaluation.report.pages import write_report

        result = self._result(base, final, steps=steps, stopped=stopped)
        result.write(self.directory)
        write_report(self.directory.path)
        written = result.to_json()
        self.trackers.finish({key: written[key] for key in written if key != "version"})
        return result

    def last_checkpoint(self) -> str:
        """Returns the folder of the last checkpoint, for messages."""
        found = sorted(self.directory.checkpoints.glob("step-*"))
        return str(found[-1]) if found else "not made yet"

    def _result(
        self,
        base: Mapping[str, Evaluation],
        final: Mapping[str, Evaluation],
        *,
        steps: int,
        stopped: str,
    ) -> RunResult:
        self.clock()
        costs = {**vars(self.spent), "evaluation_seconds": 0.0}
        for done in (*base.values(), *final.values()):
            if (cost := done.cost) is not None:
                costs["sampled_tokens"] += cost.sampled_tokens
                costs["sampling_seconds"] += cost.sampling_seconds
                costs["evaluation_seconds"] += cost.evaluation_seconds
        return RunResult(
            name=self.directory.path.name,
            ttrl_version=version("ttrl"),
            model=self.config.model,
            algorithm=self.config.algorithm,
            engine=self.config.engine,
            reward=self.config.reward,
            seed=self.config.seed,
            steps=steps,
            stopped=stopped,
            metrics={
                name: {"base": base[name].metrics, "final": final[name].metrics} for name in base
            },
            evaluations={
                **{(name, "base"): done for name, done in base.items()},
                **{(name, "final"): done for name, done in final.items()},
            },
            costs={**costs, "peak_rss_bytes": _peak_rss_bytes()},
            weights=str(self.kept.path(self.directory.path))
            if self.kept
            else self.last_checkpoint(),
            kept_step=self.kept.step if self.kept else None,
            path=self.directory.path,
        )


class Spent:
    """The cost of training, and the time, over all sittings of a run. Evaluations have their own cost."""

    def __init__(self, **values: float) -> None:
        self.wall_seconds = values.get("wall_seconds", 0.0)
        self.sampled_tokens = int(values.get("sampled_tokens", 0))
        self.sampling_seconds = values.get("sampling_seconds", 0.0)
        self.training_seconds = values.get("training_seconds", 0.0)

    def add(self, metrics: Metrics) -> None:
        """Adds the cost of a step."""
        self.sampled_tokens += int(metrics["sample/tokens"])
        self.sampled_tokens += int(metrics.get("sample/further_tokens", 0))
        self.sampled_tokens += int(metrics.get("guard/tokens", 0))
        self.sampling_seconds += metrics["sample/seconds"]
        self.training_seconds += metrics.get("train/seconds", 0.0)


def rule_of(config: RunConfig, labels: Labels) -> RewardRule:
    """Makes the reward rule of a run.

    Args:
        labels: of the questions that are trained on. Only the upper bound looks at them.

    Raises:
        ConfigError: the upper bound without true answers.
    """
    if config.reward != ANSWER_KEY:
        return make_rule(config)
    if labels.answers is None:
        raise ConfigError(
            "reward=answer-key needs true answers: name their column or file with --answers."
        )
    return answer_key_rule(labels.answers, make_task(config))


def _peak_rss_bytes() -> int:
    """Returns the largest memory of this process so far; Linux counts it in kibibytes, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
