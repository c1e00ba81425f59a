"""Wraps a causal language model for training: completions in, one number per token out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from types import MethodType
from typing import Any

import torch
from torch import Tensor
from torch.backends import cuda
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.checkpoint import checkpoint
from transformers import Cache, PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer

from ttrl.engine.fast.training import can_train, hidden_states
from ttrl.engine.fast.weights import base_of, is_supported
from ttrl.errors import ModelError
from ttrl.rl.batch import Batch, Layout, micro_batches
from ttrl.rl.logprobs import scale_of, token_logprobs, token_logprobs_and_entropy
from ttrl.types import Completion, TrainingSample

_ATTENTION: tuple[tuple[SDPBackend, Callable[[], bool]], ...] = (
    (SDPBackend.FLASH_ATTENTION, cuda.flash_sdp_enabled),
    (SDPBackend.EFFICIENT_ATTENTION, cuda.mem_efficient_sdp_enabled),
    (SDPBackend.CUDNN_ATTENTION, cuda.cudnn_sdp_enabled),
    (SDPBackend.MATH, cuda.math_sdp_enabled),
)


def can_recompute(model: PreTrainedModel) -> bool:
    """Returns whether transformers marks the model's layers as able to run a second time."""
    return any(isinstance(module, GradientCheckpointingLayer) for module in model.modules())


def recompute_layers(model: PreTrainedModel) -> None:
    """Makes each layer keep only its input for the backward pass from now on, in every mode.

    Calls without gradients, and calls that fill a cache of keys and values, are as before.

    Raises:
        ModelError: no layer of the model can run a second time.
    """
    if not can_recompute(model):
        raise ModelError(
            f"gradient_checkpointing: {type(model).__name__} has no layers that transformers can run a "
            "second time. Leave gradient_checkpointing out, or lower micro_batch_tokens to save memory."
        )
    for module in model.modules():
        if isinstance(module, GradientCheckpointingLayer):
            # A bound method, unlike a closure, follows its layer into a deep copy of the model.
            module.forward = MethodType(_forward, module)


def _forward(layer: GradientCheckpointingLayer, *args: Any, **kwargs: Any) -> Any:
    plain = partial(type(layer).forward, layer, **kwargs)
    # A second run would write its keys and values into the cache once more.
    cached = any(isinstance(value, Cache) for value in (*args, *kwargs.values()))
    if cached or not torch.is_grad_enabled():
        return plain(*args)
    return checkpoint(
        plain,
        *args,
        use_reentrant=False,
        context_fn=_same_attention,
        preserve_rng_state=layer.training,  # evaluation mode draws nothing
    )


def _same_attention() -> tuple[AbstractContextManager[object], AbstractContextManager[object]]:
    """Gives the second run, which the caller's choice does not reach, the same attention as the first."""
    return nullcontext(), sdpa_kernel([kind for kind, enabled in _ATTENTION if enabled()])


_LOGIT_ELEMENTS = 1 << 27
"""Logits of one micro-batch where all are made at once: half a GiB in float32."""

_TREE_FAMILIES = {"llama", "qwen2", "qwen3", "gemma", "gpt2", "gpt_neox", "opt", "phi3"}


class TokenModel:
    """A model with the forward pass over micro-batches that training uses.

    Args:
        temperature: the sampler's; log-probabilities are compared at the same one.
        token_budget: tokens in one forward pass.
        recompute: make activations again in the backward pass instead of keeping them.
        without_adapter: look through the model's LoRA adapter at its base.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        temperature: float,
        token_budget: int,
        recompute: bool = False,
        without_adapter: bool = False,
    ) -> None:
        self.model = model
        self._scale = scale_of(temperature)
        self._token_budget = tokens_at_once(model, token_budget)
        self._layout = layout_for(model)
        self._recompute = recompute
        if recompute and self._layout != "packed":  # whose layers are not the model's own code
            recompute_layers(model)
        self._without_adapter = without_adapter

    def batches(
        self, samples: Sequence[TrainingSample], shares: Sequence[float]
    ) -> Iterator[Batch]:
        """Cuts samples into micro-batches that fit the budget.

        Args:
            shares: the weight of each token of each sample in the loss.
        """
        # Evaluation mode: dropout would make the log-probabilities others than the sampler's.
        self.model.eval()  # type: ignore[no-untyped-call]
        return micro_batches(
            samples,
            shares,
            token_budget=self._token_budget,
            layout=self._layout,
            device=self.model.device,
        )

    def logprobs(self, batch: Batch) -> Tensor:
        """Returns the log-probability of each token of each completion; 0 after its end.   [N, C]"""
        return self._predict(batch, with_entropy=False)[0]

    def logprobs_and_entropy(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Returns log-probabilities and the entropy over the vocabulary in nats.   [N, C], [N, C]"""
        logprobs, entropy = self._predict(batch, with_entropy=True)
        assert entropy is not None
        return logprobs, entropy

    def hidden(self, batch: Batch) -> Tensor:
        """Returns the last hidden state before each token of each completion.   [E, H]

        `batch.paths` reads them off for completions.
        """
        return self._hidden(batch)[batch.edge_node]

    def of_each(
        self, completions: Sequence[Completion], read: Callable[[Batch], Tensor]
    ) -> list[tuple[float, ...]]:
        """Returns what `read` gives for the tokens of each completion, without gradient.

        Args:
            read: from a batch to [N, C].
        """
        samples = [TrainingSample(completion=c, reward=0.0, weight=1.0) for c in completions]
        found: list[tuple[float, ...]] = [()] * len(samples)
        with torch.no_grad():
            for batch in self.batches(samples, [0.0] * len(samples)):
                rows = read(batch).float().cpu()
                for place, row in zip(batch.order, rows, strict=True):
                    found[place] = tuple(row[: len(completions[place].token_ids)].tolist())
        return found

    def _predict(self, batch: Batch, *, with_entropy: bool) -> tuple[Tensor, Tensor | None]:
        node, row = torch.unique_consecutive(batch.edge_node, return_inverse=True)
        entropies = None
        if batch.chains is None and not _has_plain_head(self.model):
            logits = self._forward(self.model, batch).logits.flatten(0, 1)[node]
            logprobs = torch.log_softmax(logits.float() * self._scale, dim=-1)
            edges = logprobs[row, batch.edge_token]
            if with_entropy:
                entropies = -(logprobs.exp() * logprobs.clamp(min=-1e30)).sum(-1)[row]
        else:
            head = base_of(self.model).lm_head
            about = (self._hidden(batch)[node], head.weight, head.bias, row, batch.edge_token)
            if with_entropy:
                edges, entropies = token_logprobs_and_entropy(*about, scale=self._scale)
            else:
                edges = token_logprobs(*about, scale=self._scale)
        if entropies is not None:
            entropies = entropies[batch.paths] * batch.mask
        return edges[batch.paths] * batch.mask, entropies

    def _hidden(self, batch: Batch) -> Tensor:
        """Returns the last hidden state of every place.   [R * T, H]"""
        if batch.chains is not None:
            with self._adapter():
                return hidden_states(self.model, batch, recompute=self._recompute)
        states: Tensor = self._forward(base_of(self.model).base_model, batch).last_hidden_state
        return states.flatten(0, 1)

    def _forward(self, model: Any, batch: Batch) -> Any:
        with _sound_attention(batch.input_ids.device), self._adapter():
            return model(
                input_ids=batch.input_ids,
                position_ids=batch.position_ids,
                attention_mask=batch.attention_mask,
                use_cache=False,
            )

    def _adapter(self) -> AbstractContextManager[object]:
        adapted: Any = self.model
        return adapted.disable_adapter() if self._without_adapter else nullcontext()


def _has_plain_head(model: PreTrainedModel) -> bool:
    """Whether logits are one matrix times the last hidden states, and nothing else."""
    return is_supported(model) and isinstance(base_of(model).lm_head, torch.nn.Linear)


def _sound_attention(device: torch.device) -> AbstractContextManager[object]:
    """Leaves cuDNN out on CUDA, whose backward pass of masked attention in bfloat16 may give NaN.

    Seen with torch 2.11 on an H100: same loss as the other kernels, 114 gradients not finite.
    """
    if device.type != "cuda":
        return nullcontext()
    kernels = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]
    return sdpa_kernel(kernels)


def tokens_at_once(model: PreTrainedModel, budget: int) -> int:
    """Returns the largest micro-batch in tokens: the budget, or less if all its logits are made at once."""
    if _has_plain_head(model):
        return budget
    vocabulary = int(model.config.get_text_config().vocab_size)
    return max(1, min(budget, _LOGIT_ELEMENTS // vocabulary))


def layout_for(model: PreTrainedModel) -> Layout:
    """Returns the layout of completions in the model's micro-batches: packed trees, masked trees or rows.

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
