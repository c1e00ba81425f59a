"""verl's synchronous trainer with a vote in it: `trainer.v1.trainer_mode=ttrl`.

Importing this file registers the trainer, and takes the seconds that verl's own trainer takes.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import transfer_queue as tq
from omegaconf import OmegaConf
from tensordict import TensorDict
from verl.trainer.ppo.v1 import PPOTrainerSync, register_trainer

from ttrl.consensus.summary import step_record
from ttrl.errors import DataError
from ttrl.overlays.pins import VERL
from ttrl.overlays.verl.batch_vote import Asked, Session, sessions_by_prompt, vote_on_batch
from ttrl.overlays.verl.checks import TRAINER, check_config
from ttrl.overlays.verl.rows import question_of_row
from ttrl.overlays.voting import completion
from ttrl.types import Completion, Question


@register_trainer(TRAINER)
class TTRLTrainer(PPOTrainerSync):  # type: ignore[misc]  # verl has no types
    """Votes over all M completions of each question, then trains on K of them.

    The vote comes before any forward pass of training: only the K are balanced over GPUs, get
    log-probabilities and advantages. Whatever is not overridden here is verl's.

    Raises:
        ConfigError: verl, its config or the block `ttrl` do not allow a vote.
    """

    def __init__(self, config: Any) -> None:
        VERL.check()
        plain: Any = OmegaConf.to_container(config, resolve=True)
        self.voter = check_config(plain)
        self.labels: dict[str, str | None] = {}  # a resumed run starts without any
        self.with_logprobs = "logprobs" in self.voter.rule.needs
        super().__init__(config)

    def _build_replay_buffer(self) -> Any:
        # verl takes every mode of another name than sync for an asynchronous one: it would refill single
        # prompts and drop stale ones. This trainer samples a step, trains on it, and goes on.
        self.trainer_mode = "sync"
        return super()._build_replay_buffer()

    def _balance_batch(self, batch: Any, metrics: dict[str, Any], **options: Any) -> Any:
        """The first thing that verl does with all samples of a step."""
        self._check_all_there(batch)
        return super()._balance_batch(self.vote(batch, metrics), metrics, **options)

    def _check_all_there(self, batch: Any) -> None:
        """A question of which every session failed has no key in the batch, and verl goes on without it."""
        found, wanted = len(sessions_by_prompt(batch.keys)), self.config.data.train_batch_size
        if found != wanted:
            raise DataError(
                f"verl, step {self.global_steps}: completions of {found} questions, wanted those of "
                f"data.train_batch_size={wanted}: of the others every session failed. See the agent loop's "
                "error, and resume from the last checkpoint (trainer.resume_mode=auto); or have others drawn "
                "instead: trainer.v1.sampler.sync_refill_failed_groups=True"
            )

    def vote(self, batch: Any, metrics: dict[str, Any]) -> Any:
        """Votes, writes rewards, takes out what is not trained on.

        Args:
            batch: the keys of all samples of a step.
            metrics: of the step; those of docs/metrics.md are added.

        Returns:
            The keys that are trained on.

        Raises:
            DataError: a group that is not whole, or a row without its question.
        """
        begin, partition = time.perf_counter(), batch.partition_id
        prompts = sessions_by_prompt(batch.keys)
        last = [session.keys[-1] for sessions in prompts.values() for session in sessions]
        samples = read_samples(last, partition=partition, with_logprobs=self.with_logprobs)
        stops = frozenset(self.tokenizer.all_special_ids)
        asked = [self._asked(sessions, samples, stops) for sessions in prompts.values()]
        step = self.global_steps - 1  # verl counts from 1
        voted = vote_on_batch(self.voter, asked, step=step)
        kept = [key for key in batch.keys if key in voted.rewards]
        tags = dict(zip(batch.keys, batch.tags, strict=True))
        write_rewards(
            {key: voted.rewards[key] for key in kept},
            partition=partition,
            lengths=[tags[key]["response_len"] for key in kept],
        )
        chosen = batch.select_keys(kept)
        drop(voted.dropped, partition=partition)
        record = step_record(voted.scored, step=step, task=self.voter.task, previous=self.labels)
        self.labels |= record.labels
        metrics |= {**record.metrics, **self.voter.measure()}
        metrics["consensus/seconds"] = time.perf_counter() - begin
        return chosen

    def _asked(
        self,
        sessions: tuple[Session, ...],
        samples: dict[str, StoredSample],
        stops: frozenset[int],
    ) -> Asked:
        first = samples[sessions[0].keys[-1]]
        question, votes = question_of_row(first.extra_info, place="verl's batch")
        found = [samples[session.keys[-1]] for session in sessions]
        completions = tuple(self._completion(question, sample, stops) for sample in found)
        return Asked(question=question, votes=votes, sessions=sessions, completions=completions)

    def _completion(
        self, question: Question, sample: StoredSample, stops: frozenset[int]
    ) -> Completion:
        # Of how long it is nothing follows: servers cut at the model's own context too.
        ids = sample.token_ids
        stopped = bool(ids) and ids[-1] in stops
        return completion(
            question,
            self.tokenizer.decode(ids, skip_special_tokens=True),
            token_ids=ids,
            finish_reason="stop" if stopped else "length",
            logprobs=sample.logprobs,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSample:
    """An output of a session as it is stored."""

    token_ids: tuple[int, ...]
    """With the stop token.   [T]"""
    logprobs: tuple[float, ...]
    """Under the sampler; empty unless they were asked for.   [T]"""
    extra_info: object
    """The column of that name in its row."""


def read_samples(
    keys: Sequence[str], *, partition: str, with_logprobs: bool
) -> dict[str, StoredSample]:
    """Reads the samples of these keys from TransferQueue."""
    fields = ["responses", "extra_info", *(["rollout_log_probs"] if with_logprobs else [])]
    data = tq.kv_batch_get(keys=list(keys), partition_id=partition, select_fields=fields)
    tokens = [tuple(row.tolist()) for row in data["responses"].unbind()]
    logprobs: list[tuple[float, ...]] = [()] * len(keys)
    if with_logprobs:
        logprobs = [tuple(row.tolist()) for row in data["rollout_log_probs"].unbind()]
    rows = [getattr(row, "data", row) for row in data["extra_info"]]
    return {
        key: StoredSample(token_ids=ids, logprobs=logs, extra_info=row)
        for key, ids, logs, row in zip(keys, tokens, logprobs, rows, strict=True)
    }


def write_rewards(rewards: Mapping[str, float], *, partition: str, lengths: Sequence[int]) -> None:
    """Puts each reward on the last token of its sample, where verl looks for it.

    Args:
        rewards: by key.
        lengths: tokens of each sample, in the order of `rewards`.
    """
    rows = []
    for reward, length in zip(rewards.values(), lengths, strict=True):
        row = torch.zeros(length, dtype=torch.float32)
        row[-1:] = reward  # nothing of a sample without tokens
        rows.append(row)
    scores = torch.nested.as_nested_tensor(rows, layout=torch.jagged)
    fields: Any = TensorDict({"rm_scores": scores}, batch_size=len(rows))
    tq.kv_batch_put(keys=list(rewards), partition_id=partition, fields=fields)


def drop(keys: Sequence[str], *, partition: str) -> None:
    """Takes samples out of TransferQueue; verl clears only what it has trained on."""
    if keys:
        tq.kv_clear(keys=list(keys), partition_id=partition)
