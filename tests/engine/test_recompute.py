"""Activations that are made again: the same gradients from less memory, and nothing else changes."""

import copy
from contextlib import nullcontext

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import AutoConfig, AutoModelForCausalLM

from ttrl.engine.fast import kernel
from ttrl.engine.fast.training import can_train, hidden_states
from ttrl.engine.token_model import can_recompute, recompute_layers
from ttrl.errors import ModelError
from ttrl.rl.batch import micro_batches
from ttrl.types import Completion, TrainingSample

NATIVE = {
    "vocab_size": 96, "hidden_size": 48, "intermediate_size": 80, "num_hidden_layers": 4,
    "num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 8,
}  # fmt: skip


def tokens(rows=3, length=20):
    generator = torch.Generator().manual_seed(0)
    return torch.randint(3, 90, (rows, length), generator=generator)


def logits_of(model):
    ids = tokens()
    mask = torch.ones_like(ids)
    mask[0, 15:] = 0
    return model(input_ids=ids, attention_mask=mask, use_cache=False).logits


def adapted(model):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules="all-linear"))
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, 0.0, 0.1)
    return model.eval()


def gradients(model, forward):
    """Of a loss in which every value counts, and the bytes that were kept for the backward pass."""
    storages = {}
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            storages[storage.data_ptr()] = (
                storage,
                storage.nbytes(),
            )  # held, so that none is reused
        return tensor

    model.zero_grad()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        found = forward(model).float()
        loss = (found * torch.linspace(-1, 1, found.numel()).view_as(found)).sum()
    kept = sum(size for _, size in storages.values())
    loss.backward()
    return {n: p.grad for n, p in model.named_parameters() if p.grad is not None}, kept


def same(found, expected):
    assert found.keys() == expected.keys() and expected
    assert any(grad.abs().max() > 0 for grad in expected.values())
    for name, grad in expected.items():
        torch.testing.assert_close(found[name], grad, rtol=1e-6, atol=1e-6, msg=name)


def check_both_ways(model):
    expected, kept = gradients(model, logits_of)
    recompute_layers(model)
    found, less = gradients(model, logits_of)
    same(found, expected)
    assert 0 < less < 0.7 * kept
    assert not model.training


def test_gradients_are_the_same_and_fewer_bytes_are_kept(random_model):
    check_both_ways(random_model)


def test_so_they_are_in_the_families_that_are_trained_on_trees(tree_model):
    """Among them GPT-2 and OPT, whose dropout of a tenth would show if it were switched on."""
    check_both_ways(tree_model)


@pytest.mark.parametrize("first", ["adapters", "layers"])
def test_gradients_of_adapters_are_the_same_whichever_came_first(random_model, first):
    expected, kept = gradients(adapted(copy.deepcopy(random_model)), logits_of)
    if first == "layers":
        recompute_layers(random_model)
    model = adapted(random_model)
    if first == "adapters":
        recompute_layers(model)
    found, less = gradients(model, logits_of)
    same(found, expected)
    assert all("lora_" in name for name in found) and less < 0.7 * kept


def test_decoding_without_gradients_is_as_before(random_model):
    ids = tokens(rows=2, length=6)
    options = {"max_new_tokens": 12, "do_sample": False, "pad_token_id": 0}
    with torch.no_grad():
        expected = random_model.generate(ids, attention_mask=torch.ones_like(ids), **options)
        recompute_layers(random_model)
        found = random_model.generate(ids, attention_mask=torch.ones_like(ids), **options)
    assert torch.equal(found, expected)


def test_a_call_that_fills_a_cache_has_its_gradients_and_fills_it_once(tree_model):
    recompute_layers(tree_model)
    ids = tokens(rows=1, length=6)
    found = tree_model(input_ids=ids, use_cache=True)
    found.logits.sum().backward()
    assert found.past_key_values.get_seq_length() == 6


def test_asking_twice_is_asking_once(random_model):
    recompute_layers(random_model)
    expected, kept = gradients(random_model, logits_of)
    recompute_layers(random_model)
    found, again = gradients(random_model, logits_of)
    same(found, expected)
    assert again == kept


def test_a_copy_computes_with_its_own_weights(random_model):
    recompute_layers(random_model)
    before = logits_of(random_model)
    other = copy.deepcopy(random_model)
    with torch.no_grad():
        for layer in other.model.layers:
            for parameter in layer.parameters():
                parameter.mul_(0.5)
    assert torch.equal(logits_of(random_model), before)
    assert not torch.allclose(logits_of(other), before, atol=1e-2)


def test_saving_is_as_before(tmp_path, random_model):
    expected = random_model.state_dict()
    recompute_layers(random_model)
    random_model.save_pretrained(tmp_path)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path).state_dict()
    assert loaded.keys() == expected.keys() == random_model.state_dict().keys()
    assert all(torch.equal(loaded[name], expected[name]) for name in expected)


@pytest.mark.parametrize("chosen", [None, SDPBackend.MATH], ids=["free choice", "chosen"])
def test_the_second_run_has_the_attention_kernels_of_the_first(random_model, chosen):
    """The caller's choice is over when the backward pass runs, and another kernel rounds otherwise."""
    seen = []
    attention = random_model.model.layers[0].self_attn
    attention.register_forward_pre_hook(
        lambda *_: seen.append(
            (torch.backends.cuda.flash_sdp_enabled(), torch.backends.cuda.cudnn_sdp_enabled())
        )
    )
    recompute_layers(random_model)
    with nullcontext() if chosen is None else sdpa_kernel([chosen]):
        found = logits_of(random_model)
    found.sum().backward()
    first, second = seen
    assert first == second == ((False, False) if chosen else (True, True))
    assert torch.backends.cuda.flash_sdp_enabled()  # put back


def test_a_model_without_such_layers_is_refused_with_what_to_leave_out():
    class Plain(torch.nn.Module):
        pass

    assert not can_recompute(Plain())
    with pytest.raises(ModelError, match=r"Plain .* Leave gradient_checkpointing out"):
        recompute_layers(Plain())


def native(kind, dtype=torch.float32):
    if kernel.compiled() is None:
        pytest.skip("no C compiler here, so there are no native kernels")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = AutoConfig.for_model(kind, **NATIVE)
        model = AutoModelForCausalLM.from_config(config).to(dtype).eval()
    assert can_train(model)
    return model


def packed():
    """Two questions, with beginnings that are shared."""
    generator = torch.Generator().manual_seed(0)
    samples = []
    for length in (1, 30):
        prompt = torch.randint(2, 96, (length,), generator=generator).tolist()
        stem = torch.randint(2, 96, (10,), generator=generator).tolist()
        for extra in (1, 5, 40):
            own = torch.randint(2, 96, (extra,), generator=generator).tolist()
            completion = Completion(
                question_id=str(length), prompt_ids=tuple(prompt), token_ids=(*stem, *own),
                logprobs=(-4.5,) * (10 + extra), entropy=(0.0,) * (10 + extra),
                finish_reason="length", policy_version=0, text="",
            )  # fmt: skip
            samples.append(TrainingSample(completion=completion, reward=0.0, weight=1.0))
    (batch,) = micro_batches(
        samples,
        [1.0] * len(samples),
        token_budget=10_000,
        layout="packed",
        device=torch.device("cpu"),
    )
    return batch


@pytest.mark.parametrize("wrap", [lambda model: model, adapted], ids=["full", "LoRA"])
@pytest.mark.parametrize("kind", ["llama", "qwen2", "qwen3"])
def test_native_gradients_are_the_same_bits_and_fewer_bytes_are_kept(kind, wrap):
    model, batch = wrap(native(kind)), packed()
    expected, kept = gradients(model, lambda m: hidden_states(m, batch))
    found, less = gradients(model, lambda m: hidden_states(m, batch, recompute=True))
    assert found.keys() == expected.keys() and expected
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert 0 < less < 0.5 * kept


def test_native_gradients_in_bfloat16_are_the_same_bits():
    model, batch = native("llama", torch.bfloat16), packed()
    expected, _ = gradients(model, lambda m: hidden_states(m, batch))
    found, _ = gradients(model, lambda m: hidden_states(m, batch, recompute=True))
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_native_states_without_gradients_are_as_before():
    model, batch = native("llama"), packed()
    with torch.no_grad():
        expected = hidden_states(model, batch)
        found = hidden_states(model, batch, recompute=True)
    assert torch.equal(found, expected) and not found.requires_grad
