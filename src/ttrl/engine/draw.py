"""Draws tokens from logits with temperature, top-k, top-p, and one uniform number per token."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor

from ttrl.engine.fast import kernel, native
from ttrl.rl.logprobs import scale_of
from ttrl.types import SamplingParams

_CHUNK_ELEMENTS = 1 << 24
"""Vocabulary entries handled at once, so that large vocabularies need no [rows, V] float64 block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One drawn token per sample, with its log-probability and entropy in nats."""

    tokens: Tensor
    """Token ids.   [S]"""
    logprobs: Tensor
    """Log-probabilities under softmax(logits / temperature), before top-k and top-p.   [S]"""
    entropy: Tensor
    """Entropies of the distributions drawn from, after top-k and top-p.   [S]"""


def draw(logits: Tensor, uniform: Tensor, row_of: Tensor, params: SamplingParams) -> Drawn:
    """Draws one token for each sample from its row by inverting the row's cumulative distribution.

    Args:
        logits: [R, V]
        uniform: numbers in [0, 1), one per sample; on the CPU, like everything returned.   [S]
        row_of: the row of each sample, ascending.   [S]
    """
    if logits.device.type == "cpu" and kernel.compiled() is not None:
        tokens, logprobs, entropy = native.draw(
            logits,
            uniform.numpy(),
            row_of.numpy(),
            scale=scale_of(params.temperature),
            greedy=params.temperature == 0,
            top_k=params.top_k,
            top_p=params.top_p,
        )
        return Drawn(tokens=tokens, logprobs=logprobs, entropy=entropy)
    return draw_by_torch(logits, uniform, row_of, params)


def draw_by_torch(logits: Tensor, uniform: Tensor, row_of: Tensor, params: SamplingParams) -> Drawn:
    """Draws as `draw` does, without compiled kernels; also on a GPU."""
    rows, vocabulary = logits.shape
    chunk = max(1, _CHUNK_ELEMENTS // vocabulary)
    if rows <= chunk:
        return _draw(logits, uniform, row_of, params)
    edges = torch.searchsorted(row_of, torch.arange(0, rows + chunk, chunk))
    bounds = edges.tolist()
    parts = [
        _draw(
            logits[i * chunk : (i + 1) * chunk],
            uniform[low:high],
            row_of[low:high] - i * chunk,
            params,
        )
        for i, (low, high) in enumerate(itertools.pairwise(bounds))
        if low < high
    ]
    return Drawn(
        tokens=torch.cat([p.tokens for p in parts]),
        logprobs=torch.cat([p.logprobs for p in parts]),
        entropy=torch.cat([p.entropy for p in parts]),
    )


def _draw(logits: Tensor, uniform: Tensor, row_of: Tensor, params: SamplingParams) -> Drawn:
    """Counting is done on the CPU, so that a GPU is waited for once: for the tokens."""
    device = logits.device
    counts = torch.bincount(row_of, minlength=logits.shape[0])
    place = (torch.arange(len(row_of)) - (counts.cumsum(0) - counts)[row_of]).to(device)
    most = int(counts.max())
    uniform, row_of = uniform.to(device), row_of.to(device)
    logprobs = torch.log_softmax(logits.float() * scale_of(params.temperature), dim=-1)
    if params.temperature == 0:
        best = logits.argmax(-1)[row_of]
        chosen = logprobs[row_of, best].cpu()
        return Drawn(tokens=best.cpu(), logprobs=chosen, entropy=torch.zeros_like(chosen))
    probs = truncate(logprobs.exp(), top_k=params.top_k, top_p=params.top_p)
    cumulative = probs.double().cumsum(-1)
    # Each row's samples side by side: one sorted search per row instead of one row per sample.
    wanted = uniform.new_zeros(logits.shape[0], most)
    wanted[row_of, place] = uniform
    wanted *= cumulative[:, -1:]
    found = torch.searchsorted(cumulative, wanted, right=True)
    # A product that rounds up to the total would point past the last token with any probability.
    last = (probs > 0).int().cumsum(-1).argmax(-1)
    tokens = torch.minimum(found, last.unsqueeze(-1))[row_of, place]
    kept = probs / probs.sum(-1, keepdim=True)
    entropy = -torch.xlogy(kept, kept).sum(-1)
    return Drawn(
        tokens=tokens.cpu(), logprobs=logprobs[row_of, tokens].cpu(), entropy=entropy[row_of].cpu()
    )


def truncate(probs: Tensor, *, top_k: int, top_p: float) -> Tensor:
    """Returns probabilities with zeros where top-k and top-p exclude a token, not normalised.   [R, V]

    top-p keeps the smallest set of likeliest tokens whose mass, after top-k, reaches top_p.
    """
    if 0 < top_k < probs.shape[-1]:
        smallest = probs.topk(top_k, dim=-1).values[:, -1:]
        probs = torch.where(probs >= smallest, probs, 0.0)
    if top_p < 1:
        ordered, order = probs.sort(dim=-1, descending=True, stable=True)
        mass = ordered.cumsum(-1)
        before = mass - ordered
        ordered = torch.where(before < top_p * mass[:, -1:], ordered, 0.0)
        probs = torch.zeros_like(probs).scatter(-1, order, ordered)
    return probs
