"""Log-probabilities of given tokens, and entropies, from hidden states, without a block of all logits.

A vocabulary of 150,000 makes 0.6 MB of float32 logits for each token. They are made for a few tokens at a
time, reduced to what is needed, and made again for the gradient.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

CHUNK_ELEMENTS = 1 << 24
"""Logits at one time: 64 MiB in float32."""

_LEAST_LOGPROB = -200.0
"""Its exp is 0 in float32. Less is cut here for entropies: p log p is then 0, never 0 times infinity."""


def scale_of(temperature: float) -> float:
    """Returns 1 / temperature, by which logits are multiplied in sampling and in training alike.

    Greedy decoding (temperature 0) has its log-probabilities at temperature 1.
    """
    return 1.0 if temperature == 0 else 1.0 / temperature


def token_logprobs(
    hidden: Tensor, head: Tensor, bias: Tensor | None, row: Tensor, token: Tensor, *, scale: float
) -> Tensor:
    """Returns log-probabilities of given tokens under softmax(scale (hidden head^T + bias)), float32.   [E]

    Args:
        hidden: [N, H]
        head: [V, H]
        bias: [V]
        row: of `hidden`, for each of the tokens; ascending.   [E]
        token: [E]
        scale: 1 / temperature.
    """
    found: Tensor
    found, _ = _TokenLogprobs.apply(hidden, head, bias, row, token, scale, False)  # type: ignore[no-untyped-call]
    return found


def token_logprobs_and_entropy(
    hidden: Tensor, head: Tensor, bias: Tensor | None, row: Tensor, token: Tensor, *, scale: float
) -> tuple[Tensor, Tensor]:
    """Returns log-probabilities and the entropy of each token's distribution, in nats.   [E], [E]

    The entropy, -sum_j p_j log p_j over the vocabulary, is in nats and float32; both have gradients.
    Tokens of one row have the same entropy.

    Args:
        hidden: [N, H]
        head: [V, H]
        bias: [V]
        row: of `hidden`, for each of the tokens; ascending.   [E]
        token: [E]
        scale: 1 / temperature.
    """
    both: tuple[Tensor, Tensor] = _TokenLogprobs.apply(hidden, head, bias, row, token, scale, True)  # type: ignore[no-untyped-call]
    return both


class _TokenLogprobs(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        head: Tensor,
        bias: Tensor | None,
        row: Tensor,
        token: Tensor,
        scale: float,
        with_entropy: bool,
    ) -> tuple[Tensor, Tensor | None]:
        totals = torch.empty(hidden.shape[0], device=hidden.device)
        entropies = torch.empty_like(totals) if with_entropy else None
        found = torch.empty(len(row), device=hidden.device)
        for part, edges in _chunks(hidden, head, row):
            logits = _logits(hidden[part], head, bias, scale)
            totals[part] = torch.logsumexp(logits, dim=-1)
            found[edges] = logits[row[edges] - part.start, token[edges]]
            if entropies is not None:
                logprobs = logits.sub_(totals[part, None]).clamp_(min=_LEAST_LOGPROB)
                entropies[part] = -logprobs.exp().mul_(logprobs).sum(-1)
        ctx.save_for_backward(hidden, head, bias, row, token, totals, entropies)
        ctx.scale = scale
        return found - totals[row], None if entropies is None else entropies[row]

    @staticmethod
    def backward(ctx: Any, grad: Tensor, entropy_grad: Tensor | None) -> tuple[Tensor | None, ...]:
        hidden, head, bias, row, token, totals, entropies = ctx.saved_tensors
        by_row = torch.zeros_like(totals).index_add_(0, row, grad)
        entropy_by_row = None
        if entropy_grad is not None:
            entropy_by_row = torch.zeros_like(totals).index_add_(0, row, entropy_grad)
        dhidden = torch.empty_like(hidden)
        dhead = torch.zeros_like(head, dtype=torch.float32) if ctx.needs_input_grad[1] else None
        dbias = torch.zeros_like(bias, dtype=torch.float32) if ctx.needs_input_grad[2] else None
        for part, edges in _chunks(hidden, head, row):
            dlogits = _logits(hidden[part], head, bias, ctx.scale)
            dlogits.sub_(totals[part, None])
            factor = -by_row[part, None]
            if entropy_by_row is not None:
                # d entropy / d logit_j = -p_j (log p_j + entropy)
                excess = dlogits.clamp_(min=_LEAST_LOGPROB) + entropies[part, None]
                factor = excess.mul_(-entropy_by_row[part, None]).add_(factor)
            dlogits.exp_().mul_(factor)
            dlogits.index_put_(
                (row[edges] - part.start, token[edges]), grad[edges], accumulate=True
            )
            dlogits *= ctx.scale
            if dbias is not None:
                dbias += dlogits.sum(0)
            dlogits = dlogits.to(hidden.dtype)
            dhidden[part] = dlogits @ head
            if dhead is not None:
                dhead += dlogits.T @ hidden[part]
        return (
            dhidden,
            None if dhead is None else dhead.to(head.dtype),
            None if dbias is None else dbias.to(bias.dtype),
            None,
            None,
            None,
            None,
        )


def _logits(hidden: Tensor, head: Tensor, bias: Tensor | None, scale: float) -> Tensor:
    return torch.nn.functional.linear(hidden, head, bias).float() * scale


def _chunks(hidden: Tensor, head: Tensor, row: Tensor) -> list[tuple[slice, slice]]:
    """Returns the rows of `hidden` that are done at once, with the tokens that belong to them."""
    size = max(1, CHUNK_ELEMENTS // head.shape[0])
    starts = torch.arange(0, hidden.shape[0] + size, size, device=row.device)
    edges = torch.searchsorted(row, starts).tolist()
    return [
        (slice(start, min(start + size, hidden.shape[0])), slice(edges[i], edges[i + 1]))
        for i, start in enumerate(range(0, hidden.shape[0], size))
    ]
