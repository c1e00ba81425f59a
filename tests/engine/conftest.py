"""Random models of three families with two layers, so that equality with transformers can be checked."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    GemmaConfig,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    OPTConfig,
    Phi3Config,
    Qwen2Config,
    Qwen3Config,
)

SIZES: dict[str, Any] = {
    "vocab_size": 97,
    "hidden_size": 48,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "eos_token_id": 1,
    "pad_token_id": 0,
    "bos_token_id": 2,
}
CONFIGS = {
    "llama": lambda: LlamaConfig(**SIZES),
    "qwen2": lambda: Qwen2Config(**SIZES, tie_word_embeddings=True),
    # softcapped logits and a sliding window shorter than the completions
    "gemma2": lambda: Gemma2Config(**SIZES, head_dim=12, sliding_window=8),
}


# Every family that is trained on token trees, and one (Gemma 2) that is not.
TREE_FAMILIES = {
    "gemma": lambda: GemmaConfig(**SIZES, head_dim=12),
    "gpt2": lambda: GPT2Config(
        vocab_size=97,
        n_embd=48,
        n_layer=2,
        n_head=4,
        n_positions=128,
        eos_token_id=1,
        bos_token_id=2,
    ),
    "gpt_neox": lambda: GPTNeoXConfig(**(SIZES | {"num_key_value_heads": 4})),
    "opt": lambda: OPTConfig(
        **(SIZES | {"ffn_dim": 96, "word_embed_proj_dim": 48, "num_key_value_heads": 4})
    ),
    "phi3": lambda: Phi3Config(**SIZES),
    "qwen3": lambda: Qwen3Config(**SIZES, head_dim=12),
}


def random_weights(config: Any) -> Any:
    """A model far from uniform, so that greedy choices are clear."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config)
        for parameter in model.parameters():
            if parameter.ndim == 2:
                torch.nn.init.normal_(parameter, std=0.3)
    return model.eval()


class CharTokenizer:
    """Token 3 + i is the i-th printable character; 1 ends."""

    eos_token_id = 1
    chat_template = None

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        return [3 + (ord(c) - 32) % 94 for c in text]

    def decode(self, ids: list[int], *, skip_special_tokens: bool) -> str:
        return "".join(chr(32 + i - 3) for i in ids if i >= 3)


@pytest.fixture(params=sorted(CONFIGS))
def random_model(request: pytest.FixtureRequest) -> Any:
    return random_weights(CONFIGS[request.param]())


@pytest.fixture(params=sorted(TREE_FAMILIES))
def tree_model(request: pytest.FixtureRequest) -> Any:
    return random_weights(TREE_FAMILIES[request.param]())


@pytest.fixture
def tokenizer() -> CharTokenizer:
    return CharTokenizer()
