"""Votes from TRL's own generation. The one file that uses names which TRL does not promise to keep.

They are GRPOTrainer's `_tokenize_prompts`, `_generate_single_turn`, `_get_per_token_logps_and_entropies`,
`_tokenizer` and `eos_token_ids`; engine_tests/trl/test_contract.py fails where one of them moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """The completions of one prompt, as TRL gives them."""

    prompt_ids: list[int]
    """As TRL sees them, special tokens included."""
    completion_ids: list[list[int]]
    """With the end token, if one was drawn.   [M][T]"""
    texts: list[str]
    """Without special tokens.   [M]"""
    ended: list[bool]
    """Whether it ends with an end token, and was not cut.   [M]"""
    sampler_logprobs: list[list[float]] | None
    """vLLM's; transformers gives none.   [M][T]"""
    logprobs: list[list[float]] | None
    """For rules that read them: nats, at the sampling temperature.   [M][T]"""
    entropy: list[list[float]] | None
    """For rules that read it: nats, at the sampling temperature.   [M][T]"""


def draw(
    trainer: Any, prompts: Sequence[Any], *, votes: int, rows_at_once: int | None, measured: bool
) -> list[Drawn]:
    """Draws `votes` completions of each prompt, by transformers or vLLM as the trainer is set up.

    Every process has to call this with as many prompts: vLLM and sharded models wait for each other.

    Args:
        prompts: texts, or lists of chat messages.
        rows_at_once: most completions that transformers draws side by side; None draws all.
        measured: compute log-probabilities and entropies too, by a forward pass over all of them.
    """
    prompt_ids, *_ = trainer._tokenize_prompts(list(prompts))
    rows = [list(ids) for ids in prompt_ids for _ in range(votes)]
    # vLLM queues by itself, and counts on whole groups.
    size = len(rows) if trainer.use_vllm or rows_at_once is None else rows_at_once
    completions: list[list[int]] = []
    sampler: list[list[float]] | None = []
    for first in range(0, len(rows), size):
        ids, logprobs = trainer._generate_single_turn(rows[first : first + size], None, {}, votes)
        completions += [list(row) for row in ids]
        sampler = None if sampler is None or logprobs is None else sampler + list(logprobs)
    texts = trainer._tokenizer.batch_decode(completions, skip_special_tokens=True)
    ends = {*trainer.eos_token_ids, trainer._tokenizer.pad_token_id}
    found, entropy = measure(trainer, rows, completions) if measured else (None, None)
    groups = []
    for place, ids in enumerate(prompt_ids):
        own = slice(place * votes, (place + 1) * votes)
        groups.append(
            Drawn(
                prompt_ids=list(ids),
                completion_ids=completions[own],
                texts=texts[own],
                ended=[bool(row) and row[-1] in ends for row in completions[own]],
                sampler_logprobs=None if sampler is None else sampler[own],
                logprobs=None if found is None else found[own],
                entropy=None if entropy is None else entropy[own],
            )
        )
    return groups


def measure(
    trainer: Any, prompts: Sequence[list[int]], completions: Sequence[list[int]]
) -> tuple[list[list[float]], list[list[float]]]:
    """Computes log-probabilities and entropies of all tokens, in nats, at the sampling temperature.   [M][T]

    In parts of `per_device_train_batch_size` rows, which is what fits in training.
    """
    import torch

    pad = trainer._tokenizer.pad_token_id
    left, right = max(map(len, prompts)), max(map(len, completions))
    ids = torch.full((len(prompts), left + right), pad)
    mask = torch.zeros_like(ids)
    for row, (before, after) in enumerate(zip(prompts, completions, strict=True)):
        ids[row, left - len(before) : left + len(after)] = torch.tensor(before + after)
        mask[row, left - len(before) : left + len(after)] = 1
    device = trainer.accelerator.device
    with torch.no_grad():
        logprobs, entropy, _ = trainer._get_per_token_logps_and_entropies(
            trainer.model,
            ids.to(device),
            mask.to(device),
            right,
            batch_size=trainer.args.per_device_train_batch_size,
            compute_entropy=True,
        )
    lengths = [len(row) for row in completions]
    return (
        [row[:n] for row, n in zip(logprobs.float().tolist(), lengths, strict=True)],
        [row[:n] for row, n in zip(entropy.float().tolist(), lengths, strict=True)],
    )
