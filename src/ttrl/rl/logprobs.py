"""Log-probabilities of given tokens from hidden states, without a block of all logits.

A vocabulary of 150,000 makes 0.6 MB of float32 logits for each token. They are made for a few tokens at a
time, reduced to what is needed, and made again for the gradient.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

CHUNK_ELEMENTS = 1 << 24
"""Logits at one time: 64 MiB in float32."""


def token_logprobs(
    hidden: Tensor, head: Tensor, bias: Tensor | None, row: Tensor, token: Tensor, *, scale: float
) -> Tensor:
    """Of given tokens under softmax(scale (hidden head^T + bias)), in float32.   [E]

    Args:
        hidden: [N, H]
        head: [V, H]
        bias: [V]
        row: of `hidden`, for each of the tokens; ascending.   [E]
        token: [E]
        scale: 1 / temperature.
    """
    found: Tensor = _TokenLogprobs.apply(hidden, head, bias, row, token, scale)  # type: ignore[no-untyped-call]
    return found


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
    ) -> Tensor:
        totals = torch.empty(hidden.shape[0], device=hidden.device)
        found = torch.empty(len(row), device=hidden.device)
        for part, edges in _chunks(hidden, head, row):
            logits = _logits(hidden[part], head, bias, scale)
            totals[part] = torch.logsumexp(logits, dim=-1)
            found[edges] = logits[row[edges] - part.start, token[edges]]
        ctx.save_for_backward(hidden, head, bias, row, token, totals)
        ctx.scale = scale
        return found - totals[row]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        hidden, head, bias, row, token, totals = ctx.saved_tensors
        by_row = torch.zeros_like(totals).index_add_(0, row, grad)
        dhidden = torch.empty_like(hidden)
        dhead = torch.zeros_like(head, dtype=torch.float32) if ctx.needs_input_grad[1] else None
        dbias = torch.zeros_like(bias, dtype=torch.float32) if ctx.needs_input_grad[2] else None
        for part, edges in _chunks(hidden, head, row):
            dlogits = _logits(hidden[part], head, bias, ctx.scale)
            dlogits.sub_(totals[part, None]).exp_().mul_(-by_row[part, None])
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
        )


def _logits(hidden: Tensor, head: Tensor, bias: Tensor | None, scale: float) -> Tensor:
    return torch.nn.functional.linear(hidden, head, bias).float() * scale


def _chunks(hidden: Tensor, head: Tensor, row: Tensor) -> list[tuple[slice, slice]]:
    """Rows of `hidden` that are done at once, and the tokens that belong to them."""
    size = max(1, CHUNK_ELEMENTS // head.shape[0])
    starts = torch.arange(0, hidden.shape[0] + size, size, device=row.device)
    edges = torch.searchsorted(row, starts).tolist()
    return [
        (slice(start, min(start + size, hidden.shape[0])), slice(edges[i], edges[i + 1]))
        for i, start in enumerate(range(0, hidden.shape[0], size))
    ]
