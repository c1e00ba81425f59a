"""How the losses of tokens become the loss of an update. One place; everything else is per token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ttrl.types import TrainingSample

Aggregation = Literal["token-mean", "sequence-mean", "constant", "sum"]


def token_shares(
    samples: Sequence[TrainingSample], aggregation: Aggregation, *, longest: int
) -> list[float]:
    """The weight of each token of each sample in the loss of an update, multiplicity included.

    token-mean: 1 / all tokens (the TTRL script, DAPO). Long completions weigh more.
    sequence-mean: 1 / (completions times own length) (GRPO as first published). Tokens of long
        completions weigh less.
    constant: 1 / (completions times `longest`) (Dr. GRPO, arXiv:2503.20783). No bias by length.
    sum: 1; the samples bring their own weights.

    All samples of an update are counted, those without a gradient too, so leaving the latter out of the
    forward pass does not change the gradient; and micro-batches do not matter.
    """
    weights = [sample.weight for sample in samples]
    lengths = [len(sample.completion.token_ids) for sample in samples]
    if aggregation == "sum":
        return weights
    if aggregation == "token-mean":
        tokens = sum(w * n for w, n in zip(weights, lengths, strict=True))
        return [w / tokens for w in weights]
    if aggregation == "constant":
        return [w / (sum(weights) * longest) for w in weights]
    return [w / (sum(weights) * n) for w, n in zip(weights, lengths, strict=True)]
