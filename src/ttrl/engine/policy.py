"""The trained model: gradients over micro-batches, one optimizer update, metrics."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import PreTrainedModel

from ttrl.engine.fast.training import can_train, hidden_states
from ttrl.engine.fast.weights import base_of, is_supported
from ttrl.engine.optimizer import MasterAdamW
from ttrl.errors import NumericsError
from ttrl.rl.algorithms import Algorithm
from ttrl.rl.batch import Batch, Layout, micro_batches
from ttrl.rl.logprobs import token_logprobs
from ttrl.rl.temperature import scale_of
from ttrl.types import Metrics, TrainingSample

_LOGIT_ELEMENTS = 1 << 27
"""Logits of one micro-batch where all are made at once: half a GiB in float32."""

_TREE_FAMILIES = {"llama", "qwen2", "qwen3", "gemma", "gpt2", "gpt_neox", "opt", "phi3"}


class Policy:
    """Shares its weights with the sampler; owns the optimizer.

    Args:
        reference: a frozen copy of the base model for the KL term; with LoRA leave it out, the base is
            then the model under its disabled adapter.
        temperature: the sampler's; log-probabilities are compared at the same one.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        temperature: float,
        token_budget: int,
        clip_norm: float,
        beta2: float,
        weight_decay: float,
        reference: PreTrainedModel | None = None,
    ) -> None:
        self.model = model
        self.optimizer = MasterAdamW(
            model.named_parameters(), beta2=beta2, weight_decay=weight_decay
        )
        self._reference = reference
        self._temperature = temperature
        self._token_budget = tokens_at_once(model, token_budget)
        self._clip_norm = clip_norm
        self._layout = layout_for(model)

    def update(
        self, samples: Sequence[TrainingSample], algorithm: Algorithm, *, learning_rate: float
    ) -> Metrics:
        """One optimizer update on all the samples.

        Raises:
            NumericsError: a loss or gradient that is not finite; the weights are as before.
        """
        loss = clipped = kl = 0.0
        tokens = 0
        # Evaluation mode: dropout would make the log-probabilities others than the sampler's.
        self.model.eval()  # type: ignore[no-untyped-call]
        for batch in micro_batches(
            samples,
            token_budget=self._token_budget,
            layout=self._layout,
            device=self.model.device,
        ):
            logprobs = self._logprobs(self.model, batch)
            part = algorithm.loss(batch, logprobs, self._reference_logprobs(batch, algorithm))
            part.value.backward()  # type: ignore[no-untyped-call]
            loss += part.value.item()
            clipped += part.clipped.item()
            kl += part.kl.item()
            tokens += batch.input_ids.numel()
        norm = self.optimizer.clip(self._clip_norm).item()
        if not (math.isfinite(loss) and math.isfinite(norm)):
            self.optimizer.zero_grad()
            raise NumericsError(
                f"loss {loss} and gradient norm {norm}: not finite, so no update was made. "
                "Lower learning_rate or use dtype: float32."
            )
        self.optimizer.step(learning_rate)
        return {
            "train/loss": loss,
            "train/grad_norm": norm,
            "train/clip_fraction": clipped,
            "train/kl": kl,
            "train/tokens": float(tokens),
        }

    def _reference_logprobs(self, batch: Batch, algorithm: Algorithm) -> Tensor | None:
        if not algorithm.needs_reference:
            return None
        with torch.no_grad(), self._as_reference() as reference:
            return self._logprobs(reference, batch)

    @contextmanager
    def _as_reference(self) -> Iterator[PreTrainedModel]:
        if self._reference is not None:
            yield self._reference
        else:
            adapted: Any = self.model
            with adapted.disable_adapter():
                yield self.model

    def _logprobs(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        """Log-probability of each token of each completion; 0 after its end.   [N, C]"""
        node, row = torch.unique_consecutive(batch.edge_node, return_inverse=True)
        scale = scale_of(self._temperature)
        if batch.chains is None and not _has_plain_head(model):
            logits = _forward(model, batch).logits.flatten(0, 1)[node].float() * scale
            edges = logits[row, batch.edge_token] - torch.logsumexp(logits, dim=-1)[row]
        else:
            if batch.chains is not None:
                hidden = hidden_states(model, batch)
            else:
                hidden = _forward(base_of(model).model, batch).last_hidden_state.flatten(0, 1)
            head = base_of(model).lm_head
            edges = token_logprobs(
                hidden[node], head.weight, head.bias, row, batch.edge_token, scale=scale
            )
        found: Tensor = edges[batch.paths] * (batch.token_weights > 0)
        return found


def _forward(model: Any, batch: Batch) -> Any:
    with _sound_attention(batch.input_ids.device):
        return model(
            input_ids=batch.input_ids,
            position_ids=batch.position_ids,
            attention_mask=batch.attention_mask,
            use_cache=False,
        )


def _has_plain_head(model: PreTrainedModel) -> bool:
    """Whether logits are one matrix times the last hidden states, and nothing else."""
    return is_supported(model) and isinstance(base_of(model).lm_head, torch.nn.Linear)


def _sound_attention(device: torch.device) -> AbstractContextManager[object]:
    """On CUDA without cuDNN, whose backward pass of masked attention in bfloat16 may give NaN.

    Seen with torch 2.11 on an H100: same loss as the other kernels, 114 gradients not finite.
    """
    if device.type != "cuda":
        return nullcontext()
    kernels = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]
    return sdpa_kernel(kernels)


def tokens_at_once(model: PreTrainedModel, budget: int) -> int:
    """The largest micro-batch: the budget, less where all its logits are made at once."""
    if _has_plain_head(model):
        return budget
    vocabulary = int(model.config.get_text_config().vocab_size)
    return max(1, min(budget, _LOGIT_ELEMENTS // vocabulary))


def layout_for(model: PreTrainedModel) -> Layout:
    """How the model's micro-batches hold their completions.

    Trees need attention that follows the given mask and positions and nothing else, which is checked
    (tests/engine) for the families named here. Sliding windows, local layers and ALiBi do not qualify.
    """
    if can_train(model) and _has_plain_head(model):
        return "packed"
    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or {"full_attention"})
    window = getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True)
    plain = config.model_type not in _TREE_FAMILIES or kinds != {"full_attention"} or window
    if plain or config._attn_implementation not in {"sdpa", "eager"}:
        return "rows"
    return "trees"
