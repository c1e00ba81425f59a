"""Our side of `benchmarks.step`: `ttrl_step` as `ttrl train` calls it.

Its argument is a JSON object with the keys of a run's config and the answers to vote on; it speaks as
`benchmarks.workers` says.
"""

from __future__ import annotations

import json
import sys
import time
import zlib
from dataclasses import dataclass
from functools import partial

import torch

from benchmarks.machine import peak_bytes
from ttrl.answers.tasks import KeyedTask
from ttrl.config import RunConfig
from ttrl.consensus.rules import make_rule
from ttrl.engine.learner import Learner, make_learner
from ttrl.rl.algorithms.interface import Algorithm
from ttrl.rl.algorithms.registry import make_algorithm
from ttrl.runs.session import Session, open_session
from ttrl.training.loop import questions_of_step
from ttrl.training.step import ttrl_step
from ttrl.types import AnswerKey, Completion, Question, StepResult, Task


@dataclass(frozen=True, slots=True)
class HashedAnswers(KeyedTask):
    """A task as a user may write one: the answer is one of four, by the text's checksum.

    Random models have no answers; so every group has several, and none is left out for agreeing.
    """

    name = "hashed"
    instruction = ""

    def for_question(self, question: Question) -> Task:
        return self

    def extract(self, completion: Completion) -> str | None:
        return str(zlib.crc32(completion.text.encode()) % 4)

    def key(self, answer: str) -> AnswerKey | None:
        return ("hashed", answer)


@dataclass(slots=True, kw_only=True)
class Steps:
    """One step after the other on the questions of a config."""

    session: Session
    task: Task
    algorithm: Algorithm
    learner: Learner
    done: int = 0

    def __call__(self) -> StepResult:
        """The next step."""
        config = self.session.config
        result = ttrl_step(
            questions_of_step(self.session.training.questions, step=self.done, config=config),
            sampler=self.session.sampler,
            learner=self.learner,
            task=self.task,
            rule=make_rule(config),
            algorithm=self.algorithm,
            config=config,
            step=self.done,
        )
        self.done += 1
        return result


def make_steps(config: RunConfig, *, hashed: bool = False) -> Steps:
    """Everything that `ttrl train` makes before its first step."""
    session = open_session(config)
    algorithm = make_algorithm(config)
    return Steps(
        session=session,
        task=HashedAnswers() if hashed else session.task,
        algorithm=algorithm,
        learner=make_learner(session.model, algorithm, config),
    )


def main() -> None:
    """Steps until standard input ends."""
    spec = json.loads(sys.argv[1])
    steps = make_steps(RunConfig(**spec["config"]), hashed=spec["answer"] == "hashed")
    say = partial(print, flush=True)
    say(json.dumps({"threads": torch.get_num_threads(), "torch": torch.__version__}))
    while sys.stdin.readline():
        begin = time.perf_counter()
        result = steps()
        seconds = time.perf_counter() - begin
        say(json.dumps({"seconds": seconds, **_told(result, steps), "peak_bytes": peak_bytes()}))


def _told(result: StepResult, steps: Steps) -> dict[str, float]:
    """What was drawn and what had a gradient; worked out when the clock has stopped."""
    samples, _ = steps.algorithm.training_samples(result.scored, steps.learner)
    return {
        "generation": result.metrics["sample/seconds"],
        "sampled_tokens": sum(len(c.token_ids) for s in result.scored for c in s.group.completions),
        "trained_tokens": int(sum(s.weight * len(s.completion.token_ids) for s in samples)),
        "trained_completions": int(sum(s.weight for s in samples)),
        "with_gradient": int(sum(s.weight for s in samples if any(s.advantages))),
        "computed_tokens": result.metrics.get("train/tokens", 0.0),
    }


if __name__ == "__main__":
    main()
