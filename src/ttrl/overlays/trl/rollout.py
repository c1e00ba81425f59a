"""TRL's `rollout_func` and reward function: vote with M, train with K.

TRL calls the rollout once per generation batch on each process, with the process's own rows; the reward is
called right after it, with the fields that the rollout returned.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ttrl.config import RunConfig
from ttrl.consensus.summary import step_record
from ttrl.errors import ConfigError
from ttrl.overlays.trl.draw import Drawn, draw
from ttrl.overlays.trl.questions import find_question
from ttrl.overlays.voting import GroupVoter, completion, rewards_of
from ttrl.seeding import derive_seed
from ttrl.types import Completion, Metrics, Question, ScoredGroup


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """The part of one step's completions that each process has."""

    questions: int
    """Questions of a step, on all processes together."""
    rows: int
    """Completions of a step that are trained on: whole groups."""
    rows_of_update: int


def share_of(config: RunConfig, *, questions: int, processes: int) -> Share:
    """Divides the completions of a step among the processes.

    Args:
        questions: how many there are to train on.

    Raises:
        ConfigError: the questions of a step, or the updates, do not divide evenly; the numbers that do are
            named.
    """
    per_step = min(config.questions_per_step, questions)
    k, updates = config.trained_per_question, config.updates_per_step
    if per_step % processes:
        fitting = _around(per_step, processes, largest=questions)
        if not fitting:
            raise ConfigError(
                f"{questions} questions for {processes} processes: each needs one at least, for the "
                f"completions of a question vote together. Start {_spelled(per_step)}."
            )
        raise ConfigError(
            f"questions_per_step={per_step} on {processes} processes: the completions of a question would be "
            "split over processes, and each part would vote on its own. Set questions_per_step to "
            f"{' or '.join(map(str, fitting))}, or start {_spelled(_divisor(per_step, processes))}."
        )
    rows = per_step // processes * k
    if rows % updates:
        raise ConfigError(
            f"updates_per_step={updates}: each process trains on {rows} completions in a step "
            f"({per_step // processes} questions x {k} completions), which that does not divide. "
            f"Set updates_per_step to {_divisor(rows, updates)}, or change trained_per_question."
        )
    return Share(questions=per_step, rows=rows, rows_of_update=rows // updates)


def check_whole_groups(*, per_device: int, steps_per_generation: int, num_generations: int) -> None:
    """Checks that a process's share of a generation batch is a multiple of the completions of a question.

    TRL itself asks this of the batch of all processes together, which may leave a group on two of them.

    Args:
        per_device: per_device_train_batch_size.
        num_generations: completions per question, K.

    Raises:
        ConfigError: groups would be split; the numbers that fit are named.
    """
    rows = per_device * steps_per_generation
    if rows % num_generations == 0:
        return
    steps = num_generations // math.gcd(per_device, num_generations)
    below, above = rows // num_generations, rows // num_generations + 1
    fitting = " or ".join(str(n * num_generations) for n in (below, above) if n)
    more = -(-steps_per_generation // steps) * steps
    divisors = [n for n in range(2, num_generations) if rows % n == 0]
    kept = f", or num_generations={divisors[-1]}" if divisors else ""
    raise ConfigError(
        f"per_device_train_batch_size={per_device} x steps_per_generation={steps_per_generation} = {rows} "
        f"completions on each process, and num_generations={num_generations} does not divide that: the "
        "completions of a question would be split over processes, and each part would vote on its own. Make "
        f"the product {fitting}: per_device_train_batch_size={per_device} with "
        f"steps_per_generation={more} fits (or gradient_accumulation_steps={more} where "
        f"steps_per_generation is not set){kept}."
    )


def check_whole_evaluations(*, per_device: int, num_generations: int) -> None:
    """Checks the same of a batch of TRL's own evaluation.

    Args:
        per_device: per_device_eval_batch_size.
        num_generations: num_generations_eval, or num_generations where that is not set.

    Raises:
        ConfigError: groups would be split; the numbers that fit are named.
    """
    if per_device % num_generations:
        fitting = -(-per_device // num_generations) * num_generations
        raise ConfigError(
            f"per_device_eval_batch_size={per_device} and {num_generations} completions of a question "
            "(num_generations_eval, else num_generations): those of a question would be split over processes "
            f"or batches, and each part would vote on its own. Set per_device_eval_batch_size={fitting}."
        )


def updates_of_step(config: RunConfig) -> int:
    """Returns the number of optimizer updates in a step, which TRL counts as its global steps."""
    return config.updates_per_step * config.passes_per_step


def _around(value: int, step: int, *, largest: int) -> list[int]:
    """The multiples of `step` next to a value, of those from `step` to `largest`."""
    low = value // step * step
    return [n for n in (low, low + step) if step <= n <= largest]


def _divisor(value: int, largest: int) -> int:
    """The largest divisor of a value that is not above `largest`."""
    return max(n for n in range(1, largest + 1) if value % n == 0)


def _spelled(processes: int) -> str:
    return f"{processes} process{'' if processes == 1 else 'es'}"


REWARD_FIELD = "ttrl_reward"


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutStep:
    """The outcome of the votes on one generation batch, over all processes."""

    step: int
    """Generation batches before this one."""
    scored: tuple[ScoredGroup, ...]
    """Without texts and tokens where there are several processes."""
    metrics: Metrics
    votes: list[dict[str, Any]]
    """As in votes.jsonl."""
    stop: bool
    """A process was asked to stop."""


class VotingRollout:
    """Draws M completions per question, votes, and hands K of them to TRL.

    Args:
        questions: by `prompt_key`.
        rows_at_once: most completions that transformers draws side by side.
        seeded: draw each step by a seed of its own, from the config's: a run that is resumed with as many
            processes then draws what it would have drawn. vLLM has seeds of its own.
        labels: last pseudo-label of each question, of a run that goes on.
        on_step: called on every process after each vote of training, with the same value.
        stop_requested: whether this process was asked to stop.
    """

    def __init__(
        self,
        voter: GroupVoter,
        questions: Mapping[str, Question],
        *,
        rows_at_once: int | None = None,
        seeded: bool = False,
        labels: Mapping[str, str | None] | None = None,
        on_step: Callable[[RolloutStep], object] | None = None,
        stop_requested: Callable[[], bool] = lambda: False,
    ) -> None:
        self._voter = voter
        self._questions = questions
        self._rows_at_once = rows_at_once
        self._seeded = seeded
        self._labels = dict(labels or {})
        self._on_step = on_step
        self._stop_requested = stop_requested
        self._metrics: Metrics = {}
        self._steps_before: int | None = None
        self._steps = 0

    def rollout(self, prompts: list[Any], trainer: Any) -> dict[str, Any]:
        """Votes on the prompts of this process and returns the kept rows: TRL's `rollout_func`.   [rows]

        Raises:
            ConfigError: rows that are no whole groups, or a trainer with other arguments than were checked.
        """
        training = bool(trainer.model.training)
        config = self._voter.config
        per_group = trainer.num_generations if training else trainer.num_generations_eval
        votes = config.votes_per_question if training else per_group
        asked = _whole_groups(prompts, per_group)
        if training and per_group != config.trained_per_question:
            raise ConfigError(
                f"the trainer has num_generations={per_group}, and the overlay was made for "
                f"{config.trained_per_question}. Give both the same GRPOConfig."
            )
        step = self._step(trainer) if training else 0
        if training and self._seeded:
            import torch

            process = trainer.accelerator.process_index
            torch.manual_seed(derive_seed(config.seed, "sample", step, process))
        begin = time.perf_counter()
        drawn = draw(
            trainer,
            asked,
            votes=votes,
            rows_at_once=self._rows_at_once,
            measured=self._measures(trainer),
        )
        drawn_at = time.perf_counter()
        voted = [
            self._vote(find_question(self._questions, prompt), group, step=step)
            for prompt, group in zip(asked, drawn, strict=True)
        ]
        if training:
            seconds = {
                "sample/seconds": drawn_at - begin,
                "consensus/seconds": time.perf_counter() - drawn_at,
            }
            self._record(step, voted, seconds, trainer)
            kept = [group.kept for group in voted]
        else:
            kept = [tuple(range(per_group))] * len(voted)
            self._metrics = {}
        return _rows(drawn, voted, kept)

    def reward(
        self, *, ttrl_reward: Sequence[float], log_metric: Any = None, **_: Any
    ) -> list[float]:
        """Hands on the rewards that `rollout` found and logs its metrics: TRL's reward function.   [rows]"""
        for key, value in self._metrics.items():
            if log_metric is not None:
                log_metric(key, value)
        self._metrics = {}
        return list(ttrl_reward)

    def _measures(self, trainer: Any) -> bool:
        """Whether the rule reads what the sampler does not give: entropies, and logprobs without vLLM."""
        rule = self._voter.rule
        read = rule.reads | rule.needs
        return "entropy" in read or ("logprobs" in read and not trainer.use_vllm)

    def _vote(self, question: Question, drawn: Drawn, *, step: int) -> ScoredGroup:
        nothing: list[list[float]] = [[]] * len(drawn.texts)
        logprobs = drawn.logprobs or drawn.sampler_logprobs or nothing
        completions = [
            completion(
                question,
                text,
                token_ids=ids,
                finish_reason="stop" if ended else "length",
                logprobs=own,
                entropy=entropy,
            )
            for text, ids, ended, own, entropy in zip(
                drawn.texts,
                drawn.completion_ids,
                drawn.ended,
                logprobs,
                drawn.entropy or nothing,
                strict=True,
            )
        ]
        return self._voter.vote(question, completions, step=step)

    def _record(self, step: int, voted: list[ScoredGroup], seconds: Metrics, trainer: Any) -> None:
        scored, stop = _of_all_processes(voted, self._stop_requested(), trainer)
        record = step_record(scored, step=step, task=self._voter.task, previous=self._labels)
        self._labels |= record.labels
        self._metrics = {**record.metrics, **self._voter.measure(), **seconds}
        if self._on_step is not None:
            self._on_step(
                RolloutStep(
                    step=step,
                    scored=tuple(scored),
                    metrics=self._metrics,
                    votes=record.votes,
                    stop=stop,
                )
            )

    def _step(self, trainer: Any) -> int:
        """Generation batches before this one, also those of a run that is resumed."""
        if self._steps_before is None:
            args = trainer.args
            per_batch = args.steps_per_generation * trainer.num_iterations
            updates = trainer.state.global_step * args.gradient_accumulation_steps
            self._steps_before = updates // per_batch
        self._steps += 1
        return self._steps_before + self._steps - 1


def _whole_groups(prompts: Sequence[Any], per_group: int) -> list[Any]:
    asked = list(prompts[::per_group])
    whole = len(prompts) == len(asked) * per_group
    if not whole or any(prompt != asked[row // per_group] for row, prompt in enumerate(prompts)):
        raise ConfigError(
            f"TRL gave this process {len(prompts)} rows that are no whole groups of {per_group}: completions "
            "of one question are on several processes, and each part would vote on its own. Make "
            "per_device_train_batch_size x steps_per_generation a multiple of num_generations, and "
            "per_device_eval_batch_size one of num_generations_eval."
        )
    return asked


def _rows(
    drawn: Sequence[Drawn], voted: Sequence[ScoredGroup], kept: Sequence[Sequence[int]]
) -> dict[str, Any]:
    rows: dict[str, Any] = {"prompt_ids": [], "completion_ids": [], REWARD_FIELD: []}
    logprobs: list[Any] | None = []
    for group, vote, chosen in zip(drawn, voted, kept, strict=True):
        rows["prompt_ids"] += [group.prompt_ids for _ in chosen]
        rows["completion_ids"] += [group.completion_ids[index] for index in chosen]
        rows[REWARD_FIELD] += rewards_of(vote, chosen)
        sampler = group.sampler_logprobs
        if logprobs is None or sampler is None:
            logprobs = None
        else:
            logprobs += [sampler[index] for index in chosen]
    return rows | {"logprobs": logprobs}


def _of_all_processes(
    voted: Sequence[ScoredGroup], stop: bool, trainer: Any
) -> tuple[list[ScoredGroup], bool]:
    if trainer.accelerator.num_processes == 1:
        return list(voted), stop
    from accelerate.utils import gather_object

    parts = gather_object([([_light(group) for group in voted], stop)])
    return [group for groups, _ in parts for group in groups], any(asked for _, asked in parts)


def _light(scored: ScoredGroup) -> ScoredGroup:
    """What metrics and records need of a group: lengths and sums instead of texts and tokens."""
    completions = tuple(_light_completion(c) for c in scored.group.completions)
    return replace(scored, group=replace(scored.group, completions=completions))


def _light_completion(whole: Completion) -> Completion:
    return replace(
        whole,
        token_ids=(0,) * len(whole.token_ids),
        logprobs=(),
        entropy=(math.fsum(whole.entropy),) if whole.entropy else (),
        text="",
    )
