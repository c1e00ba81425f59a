"""The arithmetic of docs/scaling.md, by hand and against the code that it speaks of."""

import importlib
import re
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from peft import get_peft_model
from transformers import Qwen2Config, Qwen2ForCausalLM

from ttrl.config import resolve
from ttrl.engine.models import lora_settings
from ttrl.rl.logprobs import CHUNK_ELEMENTS
from ttrl.runs.plan import standing_memory

ROOT = Path(__file__).parent.parent


@pytest.fixture
def estimates(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "recipes"))
    return importlib.import_module("scaling_estimates")


def named(estimates: ModuleType, name: str) -> Any:
    return next(model for model in estimates.QWEN if model.name == name)


def test_the_tables_of_the_page_are_what_the_recipe_prints(
    estimates: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (ROOT / "docs" / "scaling.md").read_text("utf-8")
    block = re.compile(r"<!-- estimates: \w+ -->\n(?:\|.*\n)+")
    estimates.main()
    printed = block.findall(capsys.readouterr().out)
    assert len(printed) == 7 and block.findall(page) == printed


def test_shapes_have_the_parameters_that_transformers_and_peft_count(
    estimates: ModuleType,
) -> None:
    for model in (*estimates.QWEN, estimates.MEASURED):
        config = Qwen2Config(
            vocab_size=model.vocabulary, hidden_size=model.hidden, intermediate_size=model.mlp,
            num_hidden_layers=model.layers, num_attention_heads=model.heads,
            num_key_value_heads=model.kv_heads, tie_word_embeddings=model.tied,
        )  # fmt: skip
        with torch.device("meta"):
            built = Qwen2ForCausalLM(config)
            assert sum(p.numel() for p in built.parameters()) == model.parameters
            adapted = get_peft_model(built, lora_settings(16))
        trained = sum(p.numel() for p in adapted.parameters() if p.requires_grad)
        assert trained == model.adapter


def test_a_cache_holds_keys_and_values_of_every_layer(estimates: ModuleType) -> None:
    seven = named(estimates, "Qwen2.5-7B")
    assert seven.cache == 28 * 2 * 4 * 128 * 2 == 57_344  # layers, K and V, heads, size, bytes
    assert estimates.votes_cache(seven) == 57_344 * (64 * 3072 + 1024)


def test_native_bytes_are_those_that_a_run_reckons_with(estimates: ModuleType) -> None:
    kept, count = estimates.KEPT["native"], 1000
    weights = torch.nn.Parameter(torch.zeros(count, dtype=torch.bfloat16))
    model: Any = SimpleNamespace(parameters=lambda: [weights])
    paper = resolve({"config": ["paper"]}, environment={}).values
    assert sum(standing_memory(model, paper).values()) == count * (kept.trained + kept.reference)
    assert (kept.trained, kept.reference) == (18, 2)
    assert estimates.LOGITS_AT_ONCE == CHUNK_ELEMENTS


def test_sharded_training_of_32_b_is_the_sum_of_its_parts(estimates: ModuleType) -> None:
    model = named(estimates, "Qwen2.5-32B")
    head, layer = 152_064 * 5120, 5120 * (2 * 5120 + 2 * 1024 + 3 * 27_648 + 3) + 2 * 1024
    standing = 16 * 32_763_876_352 / 16
    inputs = 8192 * 64 * 5120 * 4
    again = 8192 * (8 * 5120 + 2 * 1024 + 4 * 27_648) * 4
    passing = inputs + again + 4096 * 32_768 * 2 + 4 * head + 8 * layer + 4 * head
    found = estimates.peak(model, "trl-fsdp2", 16, lora=False, reference=False)
    assert found == pytest.approx(standing + passing)
    # With a reference all of it is gathered, beside 4 more bytes a weight and without gradients.
    found = estimates.peak(model, "trl-fsdp2", 16, lora=False, reference=True)
    assert found == pytest.approx(standing + 2 * 32_763_876_352 + again)


def test_what_fits_only_with_lora_says_so(estimates: ModuleType) -> None:
    seven = named(estimates, "Qwen2.5-7B")
    # 2 bytes a weight, 16 an adapter's less its gradients, and the cache of 64 votes.
    lora = 2 * 7_615_616_512 + 12 * 40_370_176 + 57_344 * (64 * 3072 + 1024)
    assert estimates.peak(seven, "native", 1, lora=True, reference=True) == lora
    assert round(lora / 1e9) == 27
    assert estimates.verdict(seven, "native", 1, reference=True) == "with LoRA: 27 (183)"


def test_a_run_on_math_500_costs_what_its_tokens_cost(estimates: ModuleType) -> None:
    run, model = estimates.RUNS[0], named(estimates, "Qwen2.5-7B")
    assert run.sampled == 150 * 32 * 64 * 3072 == 943_718_400 and run.trained == run.sampled // 2
    multiplied = 7_615_616_512 - 152_064 * 3584
    assert estimates.training_flops(model, run.trained) == 12 * multiplied * run.trained
    seconds = 12 * multiplied * run.trained / (0.4 * 989e12)
    assert estimates.training_hours(model, run.trained) == pytest.approx(seconds / 3600)
    # A pass of 64 rows reads 14.1 GB of weights and 5.6 GB of cache at 1.675 TB/s: 11.8 ms.
    passes = run.sampled / 64
    taken = passes * (2 * multiplied + 64 * 1536 * 57_344) / 1.675e12
    assert estimates.drawing_hours(model, run.sampled) == pytest.approx(taken / 3600)
    assert round(taken / 3600) == 48 and round(seconds / 3600) == 28
