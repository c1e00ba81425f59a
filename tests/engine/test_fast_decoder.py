"""The fast decoder computes what the Hugging Face model computes, through splits, growth and padding."""

import subprocess
import sys

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PhiConfig,
    PhiForCausalLM,
)

from ttrl.engine.fast import decoder as fast
from ttrl.engine.fast import kernel
from ttrl.engine.fast.decoder import FastDecoder, can_decode
from ttrl.engine.general_decoder import GeneralDecoder

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
SIZES = {
    "vocab_size": 96, "hidden_size": 48, "intermediate_size": 80, "num_hidden_layers": 2,
    "num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 256,
}  # fmt: skip


def make(kind, dtype=torch.float32, device="cpu", **changes):
    torch.manual_seed(0)
    config = AutoConfig.for_model(kind, **(SIZES | changes))
    model = AutoModelForCausalLM.from_config(config).to(dtype).to(device).eval()
    for name, parameter in model.named_parameters():  # norms and biases start as ones and zeros
        if "norm" in name or "bias" in name:
            torch.nn.init.normal_(parameter, 1.0 if "norm" in name else 0.0, 0.3)
    return model


def adapted(model):
    """With adapters that do something."""
    torch.manual_seed(1)
    model = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules="all-linear"))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, 0.0, 0.1)
    return model.eval()


@pytest.fixture(autouse=True)
def compiler():
    if kernel.compiled() is None and not torch.cuda.is_available():
        pytest.skip("no C compiler here, so there is no fast decoder")


def logits_of(decoder, device):
    """Logits along one script: a prefill with padding, splits, a row left, and room to grow into."""
    ids = torch.tensor([[0, 0, 7, 8, 9], [3, 4, 5, 6, 7], [0, 1, 2, 3, 4]], device=device)
    mask = torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 1, 1], [0, 1, 1, 1, 1]], device=device)
    found = []
    with torch.inference_mode():
        found.append(decoder.prefill(ids, mask).clone())
        parents = torch.tensor([0, 1, 2, 0, 1, 1], device=device)
        decoder.copy_rows(
            torch.tensor([0, 1, 1], device=device), torch.tensor([3, 4, 5], device=device), 6
        )
        found.append(decoder.step(torch.arange(6, device=device), parents).clone())
        keep = torch.arange(6, device=device)
        for t in range(3):
            found.append(decoder.step(torch.arange(6, device=device) + 10 * t, keep).clone())
        # row 5 moves into the place of row 2, which has finished; then everybody doubles
        decoder.copy_rows(torch.tensor([5], device=device), torch.tensor([2], device=device), 5)
        parents = torch.tensor([0, 1, 5, 3, 4], device=device)
        found.append(decoder.step(torch.arange(5, device=device) + 20, parents).clone())
        sources = torch.arange(5, device=device)
        decoder.copy_rows(sources, sources + 5, 10)
        parents = torch.cat([sources, sources])
        for t in range(70):
            found.append(decoder.step(torch.arange(10, device=device) + t % 80, parents).clone())
            parents = torch.arange(10, device=device)
    return torch.cat([part.float().cpu() for part in found])


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", ["llama", "qwen2", "qwen3"])
def test_logits_are_those_of_the_model(kind, device):
    model = make(kind, device=device)
    assert can_decode(model)
    own = logits_of(FastDecoder(model, max_tokens=100), device)
    theirs = logits_of(GeneralDecoder(model, max_tokens=100), device)
    assert own.shape == theirs.shape and (own - theirs).abs().max() < 1e-4
    assert theirs.std() > 0.1


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    "changes",
    [
        {"num_key_value_heads": 6},
        {"num_key_value_heads": 1},
        {"head_dim": 10},
        {"attention_bias": True, "mlp_bias": True},
        {"tie_word_embeddings": True},
        {"rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 10000.0}},
    ],
    ids=str,
)
def test_every_shape_of_a_llama_is_read(changes, device):
    model = make("llama", device=device, **changes)
    own = logits_of(FastDecoder(model, max_tokens=100), device)
    theirs = logits_of(GeneralDecoder(model, max_tokens=100), device)
    assert (own - theirs).abs().max() < 1e-4


@pytest.mark.parametrize("device", DEVICES)
def test_adapters_count(device):
    base = make("qwen2", device=device)
    without = logits_of(FastDecoder(base, max_tokens=100), device)
    model = adapted(base)
    own = logits_of(FastDecoder(model, max_tokens=100), device)
    theirs = logits_of(GeneralDecoder(model, max_tokens=100), device)
    assert (own - theirs).abs().max() < 1e-4 and (own - without).abs().max() > 0.1


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("wrap", [lambda model: model, adapted], ids=["full", "LoRA"])
def test_bfloat16_is_as_near_to_float32_as_the_model_is(wrap, device):
    exact = logits_of(GeneralDecoder(wrap(make("llama", device=device)), max_tokens=100), device)
    model = wrap(make("llama", torch.bfloat16, device))
    own = logits_of(FastDecoder(model, max_tokens=100), device)
    theirs = logits_of(GeneralDecoder(model, max_tokens=100), device)
    assert (own - exact).abs().mean() < 1.5 * (theirs - exact).abs().mean()


def test_weights_are_read_anew_for_every_batch():
    model = make("llama")
    before = logits_of(FastDecoder(model, max_tokens=100), "cpu")
    with torch.no_grad():
        model.model.layers[0].self_attn.q_proj.weight.mul_(2)
    own = logits_of(FastDecoder(model, max_tokens=100), "cpu")
    theirs = logits_of(GeneralDecoder(model, max_tokens=100), "cpu")
    assert (own - theirs).abs().max() < 1e-4 < (own - before).abs().max()


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden_act": "gelu"},
        {"rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0}},
        {"head_dim": 258},
    ],
    ids=str,
)
def test_what_it_would_compute_wrongly_is_left_to_the_general_decoder(changes):
    assert not can_decode(make("llama", **changes))


def test_other_families_are_left_to_the_general_decoder():
    small = {"num_hidden_layers": 1, "vocab_size": 32, "hidden_size": 16, "num_attention_heads": 2}
    assert not can_decode(PhiForCausalLM(PhiConfig(**small, intermediate_size=16)))
    sliding = make("qwen2", use_sliding_window=True, sliding_window=4, max_window_layers=0)
    assert not can_decode(sliding)


def test_without_a_compiler_the_general_decoder_is_taken(monkeypatch):
    monkeypatch.setattr(fast.kernel, "compiled", lambda: None)
    model = LlamaForCausalLM(LlamaConfig(**SIZES))
    assert not can_decode(model) and "no C compiler" in fast.decoder_note(model)


def test_the_kernel_is_compiled_once_into_a_folder_of_ones_own(tmp_path):
    code = (
        "from ttrl.engine.fast import kernel; import pathlib, sys;"
        "built = kernel.compiled() is not None; folder = pathlib.Path(sys.argv[1]);"
        "print(built, *(p.name for p in folder.rglob('*.so')))"
    )
    env = {"PATH": "/usr/bin:/bin", "XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path)}
    run = [sys.executable, "-c", code, str(tmp_path)]
    first, second = (
        subprocess.run(run, env=env, capture_output=True, text=True, check=True).stdout.split()
        for _ in range(2)
    )
    assert first == second
    if first[0] == "True":
        assert len(first) == 2 and (tmp_path / "ttrl").stat().st_mode & 0o077 == 0


def test_a_folder_that_others_may_write_to_is_not_trusted(tmp_path):
    (tmp_path / "ttrl").mkdir()
    (tmp_path / "ttrl").chmod(0o777)
    with pytest.raises(PermissionError, match="alone"):
        kernel._load(tmp_path / "ttrl" / "attention-x.so", b"", "cc")
