"""The fast decoder computes what the Hugging Face model computes, through splits, growth and padding."""

import importlib.resources
import shutil
import subprocess
import sys

import numpy as np
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
from ttrl.engine.fast.decoder import can_decode
from ttrl.engine.fast.graph_decoder import GraphDecoder
from ttrl.engine.fast.native_decoder import NativeDecoder
from ttrl.engine.fast.training import can_train
from ttrl.engine.general_decoder import GeneralDecoder

DECODERS = {
    "native": (NativeDecoder, "cpu"),
    "graph, without a graph": (GraphDecoder, "cpu"),
    **({"graph": (GraphDecoder, "cuda")} if torch.cuda.is_available() else {}),
}
PROMPTS = [(7, 8, 9), (3, 4, 5, 6, 7), (1, 2, 3, 4)]
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


def adapted(model, **options):
    """With adapters that do something."""
    torch.manual_seed(1)
    options = {"target_modules": "all-linear", **options}
    model = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, **options))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, 0.0, 0.1)
    return model.eval()


@pytest.fixture(params=DECODERS)
def kind_of_decoder(request):
    if request.param == "native" and kernel.compiled() is None:
        pytest.skip("no C compiler here, so there are no native kernels")
    return DECODERS[request.param]


def general(model):
    return logits_of(GeneralDecoder(model, max_tokens=100))


def fast_logits(decoder, model):
    return logits_of(made(decoder, model, max_tokens=100))


def made(decoder, model, *, max_tokens, dtype=None):
    rows = {"rows": 10} if decoder is NativeDecoder else {}
    sizes = {"max_tokens": max_tokens, "longest_prompt": 5, "questions": 3}
    return decoder(model, **sizes, dtype=dtype or model.dtype, **rows)


def logits_of(decoder):
    """Logits along one script: a prefill with padding, splits, a row left, and room to grow into."""

    def indices(*values):
        return np.array(values, dtype=np.int64)

    found = []
    with torch.inference_mode():
        found.append(decoder.admit(np.arange(3), PROMPTS, after=0).clone())
        decoder.copy_rows(indices(0, 1, 1), indices(3, 4, 5), 6)
        found.append(decoder.step(np.arange(6), indices(0, 1, 2, 0, 1, 1)).clone())
        for t in range(3):
            found.append(decoder.step(np.arange(6) + 10 * t, np.arange(6)).clone())
        # row 5 moves into the place of row 2, which has finished; then everybody doubles
        decoder.copy_rows(indices(5), indices(2), 5)
        found.append(decoder.step(np.arange(5) + 20, indices(0, 1, 5, 3, 4)).clone())
        sources = np.arange(5)
        decoder.copy_rows(sources, sources + 5, 10)
        parents = np.concatenate([sources, sources])
        for t in range(70):
            found.append(decoder.step(np.arange(10) + t % 80, parents).clone())
            parents = np.arange(10)
    return torch.cat([part.float().cpu() for part in found])


@pytest.mark.parametrize("kind", ["llama", "qwen2", "qwen3"])
def test_logits_are_those_of_the_model(kind, kind_of_decoder):
    decoder, device = kind_of_decoder
    model = make(kind, device=device)
    assert can_decode(model)
    own, theirs = fast_logits(decoder, model), general(model)
    assert own.shape == theirs.shape and (own - theirs).abs().max() < 1e-4
    assert theirs.std() > 0.1


@pytest.mark.parametrize(
    "changes",
    [
        {"num_key_value_heads": 6},
        {"num_key_value_heads": 1},
        {"head_dim": 10},
        {"head_dim": 32},
        {"attention_bias": True, "mlp_bias": True},
        {"tie_word_embeddings": True},
        {"intermediate_size": 83, "hidden_size": 42, "vocab_size": 101},
        {"rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 10000.0}},
    ],
    ids=str,
)
def test_every_shape_of_a_llama_is_read(changes, kind_of_decoder):
    decoder, device = kind_of_decoder
    model = make("llama", device=device, **changes)
    assert (fast_logits(decoder, model) - general(model)).abs().max() < 1e-4


def test_adapters_count(kind_of_decoder):
    decoder, device = kind_of_decoder
    base = make("qwen2", device=device)
    without = fast_logits(decoder, base)
    model = adapted(base)
    own = fast_logits(decoder, model)
    assert (own - general(model)).abs().max() < 1e-4 and (own - without).abs().max() > 0.1


SOME_ADAPTERS = [
    {"target_modules": ["q_proj", "v_proj"]},
    {"target_modules": ["gate_proj"]},
    {"target_modules": ["up_proj", "down_proj"]},
    {"target_modules": ["q_proj", "o_proj", "gate_proj"], "layers_to_transform": [1]},
    {"target_modules": "all-linear", "rank_pattern": {r"layers\.1\..*": 16}},
]


@pytest.mark.parametrize("options", SOME_ADAPTERS, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_adapters_may_sit_on_some_modules_only(options, dtype, kind_of_decoder):
    decoder, device = kind_of_decoder
    exact = general(adapted(make("llama", device=device), **options))
    model = adapted(make("llama", dtype, device), **options)
    own, theirs = fast_logits(decoder, model), general(model)
    if dtype == torch.float32:
        assert (own - exact).abs().max() < 1e-4
    else:
        assert (own - exact).abs().mean() < 1.5 * (theirs - exact).abs().mean()


def test_adapters_that_are_more_than_a_product_are_left_to_the_model():
    for options in ({"lora_bias": True}, {"use_dora": True}):
        assert not can_decode(adapted(make("llama", attention_bias=True, mlp_bias=True), **options))
    merged = adapted(make("llama"))
    assert can_decode(merged)
    merged.merge_adapter()
    assert not can_decode(merged)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64], ids=str)
def test_types_that_the_kernels_do_not_know_are_left_to_the_model(dtype):
    model = make("llama", dtype)
    assert not can_decode(model) and not can_train(model)
    assert str(dtype) in fast.decoder_note(model)


def test_a_float32_model_may_be_decoded_in_bfloat16(kind_of_decoder):
    decoder, device = kind_of_decoder
    model = make("llama", device=device)
    found = logits_of(made(decoder, model, max_tokens=100, dtype=torch.bfloat16))
    assert 1e-4 < (found - general(model)).abs().mean() < 0.05


def test_kernels_compile_without_openmp_and_without_implicit_declarations(tmp_path):
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler here")
    source = importlib.resources.files("ttrl.engine.fast") / "kernels.c"
    strict = ["-std=c11", "-fsyntax-only", "-Wall", "-Werror=implicit-function-declaration"]
    for threads in ([], ["-fopenmp"]):
        subprocess.run([compiler, *strict, *threads, str(source)], check=True)


@pytest.mark.parametrize("wrap", [lambda model: model, adapted], ids=["full", "LoRA"])
@pytest.mark.parametrize(
    "changes", [{}, {"intermediate_size": 83, "attention_bias": True}], ids=str
)
def test_bfloat16_is_as_near_to_float32_as_the_model_is(wrap, changes, kind_of_decoder):
    decoder, device = kind_of_decoder
    exact = general(wrap(make("llama", device=device, **changes)))
    model = wrap(make("llama", torch.bfloat16, device, **changes))
    own, theirs = fast_logits(decoder, model), general(model)
    assert (own - exact).abs().mean() < 1.5 * (theirs - exact).abs().mean()


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_threads_share_rows_or_columns_and_change_nothing(dtype, threads, monkeypatch):
    if kernel.compiled() is None:
        pytest.skip("no C compiler here, so there are no native kernels")
    model = adapted(make("qwen3", dtype))
    before = torch.get_num_threads()
    expected = fast_logits(NativeDecoder, model)
    try:
        torch.set_num_threads(threads)
        assert torch.equal(fast_logits(NativeDecoder, model), expected)
        monkeypatch.setattr("ttrl.engine.fast.native._LARGE_WEIGHTS", 0)
        assert torch.equal(fast_logits(NativeDecoder, model), expected)
    finally:
        torch.set_num_threads(before)


def test_questions_enter_while_others_run(kind_of_decoder):
    decoder, device = kind_of_decoder
    model = make("llama", device=device)
    rows = np.arange(2)
    with torch.inference_mode():
        batch = made(decoder, model, max_tokens=80)
        batch.admit(np.array([2, 0]), PROMPTS[:2], after=0)
        for t in range(40):
            batch.step(rows + t, rows)
        entered = batch.admit(np.array([1]), PROMPTS[2:], after=1)  # the second one has ended
        together = [batch.step(rows + t, rows).clone() for t in range(30)]
        old, new = (GeneralDecoder(model, max_tokens=80) for _ in range(2))
        old.admit(np.zeros(1), PROMPTS[:1], after=0)
        assert (entered - new.admit(np.zeros(1), PROMPTS[2:], after=0)).abs().max() < 1e-4
        one = rows[:1]
        for t in range(40):
            old.step(one + t, one)
        for t in range(30):
            assert (together[t][:1] - old.step(one + t, one)).abs().max() < 1e-4
            assert (together[t][1:] - new.step(one + t + 1, one)).abs().max() < 1e-4


def test_weights_are_read_anew_for_every_batch(kind_of_decoder):
    decoder, device = kind_of_decoder
    model = make("llama", device=device)
    before = fast_logits(decoder, model)
    with torch.no_grad():
        model.model.layers[0].self_attn.q_proj.weight.mul_(2)
    own = fast_logits(decoder, model)
    assert (own - general(model)).abs().max() < 1e-4 < (own - before).abs().max()


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
        kernel._load(tmp_path / "ttrl" / "kernels-x.so", {}, "cc")
