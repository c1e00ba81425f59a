"""What every run does around its training, whatever trains: evaluations, records, result and report."""

from __future__ import annotations

import json
import resource
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttrl.cli.base_evaluations import borrow_base
from ttrl.cli.resume import check_same_inputs
from ttrl.config import ResolvedConfig
from ttrl.consensus.rules import ANSWER_KEY, make_rule
from ttrl.errors import EXIT_DONE, EXIT_INTERRUPTED, CheckpointError, ConfigError
from ttrl.evaluate.leakage import AnswerKeyReward
from ttrl.evaluate.sets import QuestionSet
from ttrl.recording.run_directory import RunDirectory
from ttrl.recording.trackers.fan_out import Trackers

if TYPE_CHECKING:
    from ttrl.cli.session import Session
    from ttrl.config import RunConfig
    from ttrl.types import Metrics, Observer, RewardRule


class RunFrame:
    """One run from its first evaluation to its report, but for the training in between.

    Args:
        directory: of the run that goes on; None makes a new one. Locked already where it is given.
        session: of which nothing is kept that holds a model.
        started: time.perf_counter() at the start of the command.
    """

    def __init__(
        self,
        resolved: ResolvedConfig,
        directory: RunDirectory | None,
        session: Session,
        trackers: Trackers,
        started: float,
    ) -> None:
        from ttrl.recording.manifest import make_manifest

        self.config, self.trackers = resolved.values, trackers
        self.rule = rule_of(self.config, session.sets[0])
        self.spent, self._started = Spent(), started
        self._task, self._answers = session.task, session.sets[0].answers
        manifest = make_manifest(
            command="train",
            model_fingerprint=session.source.fingerprint(),
            questions=[q for s in session.sets for q in s.questions],
            prompts=session.prompts,
            true_labels=(
                self.rule.answers.answers if isinstance(self.rule, AnswerKeyReward) else None
            ),
        )
        if directory is None:
            path = Path(str(self.config.out))
            directory = RunDirectory.create(path, config=resolved.as_yaml(), manifest=manifest)
            directory.lock()
            if self.config.base_evaluations is not None:
                borrow_base(self.config.base_evaluations, directory, resolved, session.evaluated)
        else:
            check_same_inputs(directory, manifest)
        self.directory = directory

    def start_records(self, resolved: ResolvedConfig, *, step: int) -> None:
        """Records go on after this step; what stands there of later ones is made again."""
        self.directory.forget_after(step)
        self.trackers.start(self.directory, resolved.as_dict(invocation=False), step=step)

    def observers(self) -> list[Observer]:
        """Comparisons with true labels, where there are any."""
        from ttrl.evaluate.diagnostics import LabelDiagnostics

        if self._answers is None:
            return []
        return [LabelDiagnostics(task=self._task, answers=self._answers)]

    def record(
        self, step: int, metrics: Metrics, votes: list[dict[str, Any]], skipped: str | None
    ) -> None:
        """Writes a step down."""
        self.spent.add(metrics)
        row: dict[str, Any] = {"step": step, **metrics}
        if skipped:
            row["skipped"] = skipped
        self.directory.append("metrics.jsonl", [row])
        self.directory.append("votes.jsonl", votes)
        self.trackers.log(step, metrics)

    def evaluations(
        self, session: Session, when: str, *, trained: bool
    ) -> dict[str, dict[str, Any]]:
        """What `evaluations/` holds of each set; what is there already is not made again.

        Args:
            session: with the weights to evaluate.
            trained: whether they are others than the base's.
        """
        from ttrl.cli.session import evaluate
        from ttrl.cli.summary import set_line
        from ttrl.recording.console import say

        found = {}
        for each in session.evaluated:
            name = f"evaluations/{when}-{each.name}.json"
            done = self.directory.read_json(name)
            if done is None and when == "base" and trained:
                raise CheckpointError(
                    f"{self.directory.path / name} is missing, and the weights are trained already: the "
                    "base cannot be evaluated any more. Put the file back, or start a new run."
                )
            if done is None:
                done = evaluate(session, each, when=when)
                self.directory.write_json(name, done)
            say(set_line(when, each.name, done["metrics"]))
            found[each.name] = done
        return found

    def clock(self) -> None:
        """Adds the time since the last call, or since the start, to what the run has cost."""
        now = time.perf_counter()
        self.spent.wall_seconds += now - self._started
        self._started = now

    def interrupted(self, step: int) -> int:
        """Says how to go on; returns the exit code."""
        from ttrl.recording.console import say

        say(
            f"\ninterrupted after step {step}; nothing is lost. "
            f"Go on with: ttrl train --resume {self.directory.path}"
        )
        return EXIT_INTERRUPTED

    def finish(
        self,
        base: dict[str, Any],
        final: dict[str, Any],
        *,
        steps: int,
        stopped: str,
        as_json: bool,
    ) -> int:
        """Result, report and summary; returns the exit code."""
        from ttrl.cli.summary import summary_lines
        from ttrl.evaluate.report.build import write_report

        result = self._result(base, final, steps=steps, stopped=stopped)
        self.directory.write_json("result.json", result)
        report = write_report(self.directory.path)
        self.trackers.finish(result)
        lines = [*summary_lines(result, base, final), f"report      {report}"]
        print("\n".join(lines), file=sys.stderr if as_json else sys.stdout)
        if as_json:
            print(json.dumps(result))
        return EXIT_DONE

    def last_checkpoint(self) -> str:
        """Its folder."""
        found = sorted(self.directory.checkpoints.glob("step-*"))
        return str(found[-1]) if found else "not made yet"

    def _result(
        self, base: dict[str, Any], final: dict[str, Any], *, steps: int, stopped: str
    ) -> dict[str, Any]:
        self.clock()
        config = self.config
        cost = {**vars(self.spent), "evaluation_seconds": 0.0}
        for done in (*base.values(), *final.values()):
            for key, value in done["cost"].items():
                cost[key] += value
        return {
            "name": self.directory.path.name,
            "ttrl_version": version("ttrl"),
            "model": config.model,
            "algorithm": config.algorithm,
            "engine": config.engine,
            "reward": config.reward,
            "seed": config.seed,
            "steps": steps,
            "stopped": stopped,
            "sets": {
                name: {"base": base[name]["metrics"], "final": final[name]["metrics"]}
                for name in base
            },
            **cost,
            "peak_rss_bytes": _peak_rss_bytes(),
            "weights": self.last_checkpoint(),
        }


class Spent:
    """Cost of training, and time, over all sittings of a run. Evaluations carry their own."""

    def __init__(self, **values: float) -> None:
        self.wall_seconds = values.get("wall_seconds", 0.0)
        self.sampled_tokens = int(values.get("sampled_tokens", 0))
        self.sampling_seconds = values.get("sampling_seconds", 0.0)
        self.training_seconds = values.get("training_seconds", 0.0)

    def add(self, metrics: Metrics) -> None:
        """Counts a step."""
        self.sampled_tokens += int(metrics["sample/tokens"])
        self.sampling_seconds += metrics["sample/seconds"]
        self.training_seconds += metrics.get("train/seconds", 0.0)


def rule_of(config: RunConfig, trained: QuestionSet) -> RewardRule:
    """The rule of a run, for the questions it trains on.

    Raises:
        ConfigError: the upper bound without true answers.
    """
    if config.reward != ANSWER_KEY:
        return make_rule(config)
    if trained.answers is None:
        raise ConfigError(
            "reward=answer-key needs true answers: name their column or file with --answers."
        )
    return AnswerKeyReward(answers=trained.answers, tie_seed=config.seed)


def _peak_rss_bytes() -> int:
    """Linux tells kibibytes, macOS bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
