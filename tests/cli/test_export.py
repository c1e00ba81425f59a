"""What `ttrl export` writes is what transformers and peft compute with the run's own files."""

import json
import shutil
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

PROMPTS = (
    "Tom has 8 apples. He buys 15 on Monday and loses 3 on Tuesday. How many apples does he have now?\n",
    "Anna has 41 coins. She sells 12 on Friday. How many coins does she have now?\n",
    "What is 17 + 26?\n",
)
STEPS = ("--steps", "3", "--checkpoint-every", "1", "--warmup-steps", "0", "--samples", "1")
KEYS = {"out", "kind", "run", "step", "base_model", "lora", "dtype", "parameters", "bytes"}


@pytest.fixture(scope="module")
def lora_run(call, tiny, tmp_path_factory, folder_of):
    """Three steps with a learning rate that moves the model far from its base."""
    run = folder_of(tmp_path_factory.mktemp("lora") / "run")
    options = (*STEPS, "--lora", "4", "--learning-rate", "0.05")
    assert call("train", *tiny, *options, "--out", run.path).code == 0
    assert any("train/grad_norm" in row for row in run.metrics), "no gradient: tests are vacuous"
    return run


@pytest.fixture(scope="module")
def full_run(call, tiny, tmp_path_factory, folder_of):
    run = folder_of(tmp_path_factory.mktemp("full") / "run")
    assert call("train", *tiny, *STEPS, "--out", run.path).code == 0
    assert any("train/grad_norm" in row for row in run.metrics), "no gradient: tests are vacuous"
    return run


@pytest.fixture(scope="module")
def merged(call, lora_run, tmp_path_factory):
    """The outcome of an export with --json, and its folder."""
    folder = tmp_path_factory.mktemp("merged") / "deep" / "folder"
    return call("export", lora_run.path, "--out", folder, "--json"), folder


@pytest.fixture
def copied(lora_run, tmp_path, folder_of):
    """The LoRA run in a folder that a test may break."""
    return folder_of(shutil.copytree(lora_run.path, tmp_path / "run"))


def plain(folder):
    """As anybody would load it."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    return model, AutoTokenizer.from_pretrained(folder)


def answers(model, tokenizer):
    """Greedy tokens and the prompt's logits, for each prompt."""
    found = []
    for prompt in PROMPTS:
        given = tokenizer(prompt, return_tensors="pt", add_special_tokens=False)
        ids = {"input_ids": given["input_ids"], "attention_mask": given["attention_mask"]}
        with torch.no_grad():
            tokens = model.generate(**ids, do_sample=False, max_new_tokens=60)[0].tolist()
            found.append((tokens, model(**ids).logits))
    return found


def test_the_merged_model_answers_as_base_and_adapter_and_not_as_the_base(
    merged, lora_run, embedded_folder
):
    from peft import PeftModel

    outcome, folder = merged
    assert outcome.code == 0
    base, tokenizer = plain(embedded_folder)
    before = answers(base, tokenizer)
    adapted = PeftModel.from_pretrained(base, lora_run.last_checkpoint / "adapter").eval()
    expected, found = answers(adapted, tokenizer), answers(*plain(folder))
    for (tokens, logits), (own, own_logits) in zip(expected, found, strict=True):
        assert own == tokens
        torch.testing.assert_close(own_logits, logits, rtol=0, atol=1e-4)
    gaps = [float((a - b).abs().max()) for (_, a), (_, b) in zip(before, found, strict=True)]
    assert min(gaps) > 0.1, "the adapter hardly matters: vacuous"
    assert [tokens for tokens, _ in before] != [tokens for tokens, _ in found]


def test_the_merged_folder_is_complete_and_stands_alone(merged, snapshot):
    _, folder = merged
    assert set(snapshot(folder)) == {
        "config.json", "generation_config.json", "model.safetensors", "tokenizer.json",
        "tokenizer_config.json", "ttrl.json",
    }  # fmt: skip
    assert [path.name for path in folder.parent.iterdir()] == ["folder"]
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {
        folder.stat().st_mode & 0o666
    }
    assert not any("lora" in name for name in load_file(folder / "model.safetensors"))


def test_standard_output_is_one_json_object(merged, lora_run):
    outcome, folder = merged
    assert len(outcome.out.splitlines()) == 1 and set(outcome.json) == KEYS
    told, model = outcome.json, load_file(folder / "model.safetensors")
    assert told["out"] == str(folder) and told["run"] == str(lora_run.path)
    assert (told["kind"], told["step"], told["lora"]) == ("merged", 3, 4)
    assert (told["base_model"], told["dtype"]) == ("ttrl-tiny", "float32")
    assert told["parameters"] == sum(tensor.numel() for tensor in model.values())
    assert told["bytes"] == sum(path.stat().st_size for path in folder.iterdir())


def test_eval_asks_the_export_as_the_run_asked(merged, call, tiny):
    _, folder = merged
    options = ("--limit", "4", "--difficulty", "5", "--dry-run", "--json")
    asked = call("eval", *options, "--model", folder).json["first_prompt"]
    assert asked == call("eval", *options).json["first_prompt"]


def test_a_template_of_the_runs_own_goes_along(call, tiny, tmp_path):
    run, folder, template = tmp_path / "run", tmp_path / "export", "Q: {question}\nA: "
    options = ("--lora", "2", "--steps", "0", "--samples", "1", "--prompt-template", template)
    assert call("train", *tiny, *options, "--out", run).code == 0
    assert call("export", run, "--out", folder).code == 0
    assert json.loads((folder / "ttrl.json").read_text()) == {"prompt_template": template}
    asked = call("eval", "--limit", "4", "--dry-run", "--json", "--model", folder)
    assert asked.json["first_prompt"].startswith("Q: ")


def test_several_chat_templates_of_a_tokenizer_go_along(call, tiny, model_copy, tmp_path, snapshot):
    (model_copy / "ttrl.json").unlink()
    (model_copy / "chat_template.jinja").write_text("{{ messages[0]['content'] }} ->")
    (model_copy / "additional_chat_templates").mkdir()
    (model_copy / "additional_chat_templates" / "rag.jinja").write_text("rag")
    run, folder = tmp_path / "run", tmp_path / "export"
    options = ("--model", model_copy, "--lora", "2", "--steps", "0", "--samples", "1")
    assert call("train", *tiny, *options, "--out", run).code == 0
    assert call("export", run, "--out", folder).code == 0
    assert {"chat_template.jinja", "additional_chat_templates/rag.jinja"} <= set(snapshot(folder))
    asked = call("eval", "--limit", "4", "--dry-run", "--json", "--model", folder)
    assert asked.json["first_prompt"].endswith(" ->")


def test_a_merge_in_bfloat16_is_rounded_once(call, tiny, tmp_path, folder_of, embedded_folder):
    run, folder = folder_of(tmp_path / "run"), tmp_path / "export"
    options = (*STEPS, "--lora", "2", "--learning-rate", "0.05", "--dtype", "bfloat16")
    assert call("train", *tiny, *options, "--out", run.path).code == 0
    assert call("export", run.path, "--out", folder).code == 0
    base, found = (load_file(f / "model.safetensors") for f in (embedded_folder, folder))
    adapter = load_file(run.last_checkpoint / "adapter" / "adapter_model.safetensors")
    changed = 0
    for name, tensor in found.items():
        assert tensor.dtype == torch.bfloat16
        expected, key = base[name].bfloat16(), f"base_model.model.{name.removesuffix('.weight')}"
        if f"{key}.lora_A.weight" in adapter:
            delta = adapter[f"{key}.lora_B.weight"] @ adapter[f"{key}.lora_A.weight"]
            expected = (expected.float() + 2 * delta).bfloat16()
            changed += int((expected != base[name].bfloat16()).sum())
        assert torch.equal(tensor, expected), name
    assert changed > 1000


def test_the_whole_model_of_a_full_run_is_its_checkpoint_byte_for_byte(
    call, full_run, tmp_path, snapshot
):
    outcome = call("export", full_run.path, "--out", tmp_path / "export", "--json")
    assert outcome.code == 0 and outcome.json["kind"] == "full" and outcome.json["lora"] == 0
    assert snapshot(tmp_path / "export") == snapshot(full_run.last_checkpoint / "model")
    found, expected = (
        dict(plain(folder)[0].named_parameters())
        for folder in (tmp_path / "export", full_run.last_checkpoint / "model")
    )
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_the_adapter_alone_is_that_of_the_checkpoint_and_peft_loads_it(
    call, lora_run, tmp_path, embedded_folder
):
    from peft import PeftModel

    folder = tmp_path / "export"
    outcome = call("export", lora_run.path, "--out", folder, "--adapter", "--json")
    assert outcome.code == 0 and outcome.json["kind"] == "adapter"
    assert {path.name for path in folder.iterdir()} == {
        "adapter_config.json", "adapter_model.safetensors", "tokenizer.json",
        "tokenizer_config.json", "ttrl.json",
    }  # fmt: skip
    tensors = load_file(folder / "adapter_model.safetensors")
    kept = load_file(lora_run.last_checkpoint / "adapter" / "adapter_model.safetensors")
    assert tensors.keys() == kept.keys() and all(tensors[n].equal(kept[n]) for n in kept)
    assert outcome.json["parameters"] == sum(tensor.numel() for tensor in kept.values())
    PeftModel.from_pretrained(plain(embedded_folder)[0], folder)


@pytest.mark.parametrize("spelled", ["path", "dot"])
def test_one_checkpoint_of_a_run_is_exported_by_its_folder(
    call, full_run, tmp_path, snapshot, monkeypatch, spelled
):
    older = full_run.path / "checkpoints" / "step-000002"
    if spelled == "dot":
        monkeypatch.chdir(older)
    given = older if spelled == "path" else "."
    outcome = call("export", given, "--out", tmp_path / "export", "--json")
    assert outcome.code == 0 and outcome.json["step"] == 2
    assert snapshot(tmp_path / "export") == snapshot(older / "model")
    assert snapshot(older / "model") != snapshot(full_run.last_checkpoint / "model")


def test_without_json_one_line_tells_what_was_written(call, lora_run, tmp_path):
    outcome = call("export", lora_run.path, "--out", tmp_path / "export")
    assert outcome.code == 0 and outcome.err == ""
    (line,) = outcome.out.splitlines()
    for part in (str(tmp_path / "export"), "LoRA of rank 4 merged into ttrl-tiny", "after step 3"):
        assert part in line


def test_the_help_is_told_without_torch():
    """Which takes seconds to import."""
    command = (
        "import sys; from ttrl.cli.main import main\n"
        "try: main(['export', '--help'])\n"
        "finally: print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and done.stdout.endswith("False\n")
    assert "usage: ttrl export RUN --out FOLDER" in done.stdout and "--adapter" in done.stdout


@pytest.fixture
def nothing_written(tmp_path, snapshot):
    """Afterwards there is no folder of an export, hidden ones included."""
    yield
    left = {path.name for path in tmp_path.iterdir()}
    assert not {name for name in left if "export" in name}


@pytest.mark.parametrize("taken", ["folder", "empty folder", "file", "dangling link"])
def test_what_exists_is_refused_and_stays_as_it_is(
    call, refused, lora_run, tmp_path, snapshot, taken
):
    out = tmp_path / "mine"
    if taken == "file":
        out.write_text("mine")
    elif taken == "dangling link":
        out.symlink_to(tmp_path / "nowhere")
    else:
        out.mkdir()
        if taken == "folder":
            (out / "notes.txt").write_text("mine")
    before = snapshot(tmp_path)
    refused(call("export", lora_run.path, "--out", out), 2, str(out), "exists already")
    assert snapshot(tmp_path) == before


USAGE = {
    "no run": (["--out", "export"], "RUN"),
    "no folder": (["run"], "--out"),
    "two runs": (["run", "run", "--out", "export"], "'run'"),
    "unknown option": (["run", "--out", "export", "--adaptr"], "--adapter"),
    "option of a run": (["run", "--out", "export", "--lora", "4"], "option of ttrl train"),
}


@pytest.mark.parametrize("kind", USAGE)
@pytest.mark.usefixtures("nothing_written")
def test_bad_usage_ends_with_2(call, refused, copied, tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    arguments, told = USAGE[kind]
    refused(call("export", *arguments), 2, told)


@pytest.mark.parametrize("name", ["nothing-there", "x" * 300, "run/checkpoints", "run/config.yaml"])
@pytest.mark.usefixtures("nothing_written")
def test_what_is_no_run_ends_with_4(call, refused, copied, tmp_path, name):
    outcome = call("export", tmp_path / name, "--out", tmp_path / "export")
    refused(outcome, 4, name, "not a run directory")


@pytest.mark.usefixtures("nothing_written")
def test_the_folder_of_an_evaluation_is_no_run(call, refused, tmp_path):
    options = ("--limit", "2", "--samples", "1", "--eval-limit", "1", "--out", tmp_path / "out")
    assert call("eval", *options).code == 0
    outcome = call("export", tmp_path / "out", "--out", tmp_path / "export")
    refused(outcome, 4, str(tmp_path / "out"), "not a training run")


@pytest.mark.usefixtures("nothing_written")
def test_a_run_without_a_checkpoint_ends_with_4_and_the_command_that_makes_one(
    call, refused, copied, tmp_path
):
    shutil.rmtree(copied.path / "checkpoints")
    outcome = call("export", copied.path, "--out", tmp_path / "export")
    refused(outcome, 4, "no checkpoint yet", f"ttrl train --resume {copied.path}")


@pytest.mark.usefixtures("nothing_written")
def test_a_checkpoint_that_was_let_go_ends_with_4_and_names_those_there_are(
    call, refused, copied, tmp_path
):
    gone = copied.path / "checkpoints" / "step-000001"
    outcome = call("export", gone, "--out", tmp_path / "export")
    refused(outcome, 4, str(gone), "no such checkpoint", "step-000002, step-000003")


@pytest.mark.parametrize("options", [(), ("--adapter",)], ids=["merged", "adapter"])
@pytest.mark.usefixtures("nothing_written")
def test_one_flipped_bit_of_a_checkpoint_ends_with_4_and_the_name_of_the_file(
    call, refused, copied, tmp_path, options
):
    file = copied.last_checkpoint / "adapter" / "adapter_model.safetensors"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    outcome = call("export", copied.path, "--out", tmp_path / "export", *options)
    refused(outcome, 4, str(copied.last_checkpoint), "damaged", "adapter/adapter_model.safetensors")


@pytest.mark.usefixtures("nothing_written")
def test_a_damaged_config_of_the_run_ends_with_4(call, refused, copied, tmp_path):
    (copied.path / "config.yaml").write_text("steps: [1\n")
    refused(call("export", copied.path, "--out", tmp_path / "export"), 4, "config.yaml", "damaged")


@pytest.mark.usefixtures("nothing_written")
def test_the_adapter_of_a_full_run_ends_with_2_and_what_to_leave_out(
    call, refused, full_run, tmp_path
):
    outcome = call("export", full_run.path, "--out", tmp_path / "export", "--adapter")
    refused(outcome, 2, str(full_run.path), "trained every weight", "Leave --adapter out")


@pytest.fixture
def own_base(call, tiny, model_copy, tmp_path, folder_of):
    """A run of a model folder that the test may change."""
    run = folder_of(tmp_path / "run")
    options = ("--model", model_copy, "--lora", "2", "--steps", "0", "--samples", "1")
    assert call("train", *tiny, *options, "--out", run.path).code == 0
    return run, model_copy


def test_a_base_that_is_gone_ends_with_4_and_the_adapter_needs_none(
    call, refused, own_base, tmp_path
):
    run, model = own_base
    shutil.rmtree(model)
    outcome = call("export", run.path, "--out", tmp_path / "export")
    refused(outcome, 4, str(run.path), str(model), "no such file or folder", "--adapter")
    assert not [path for path in tmp_path.iterdir() if "export" in path.name]
    assert call("export", run.path, "--out", tmp_path / "export", "--adapter").code == 0


@pytest.mark.usefixtures("nothing_written")
def test_another_base_than_that_of_the_start_ends_with_4(call, refused, own_base, tmp_path):
    run, model = own_base
    with (model / "model.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x01")
    outcome = call("export", run.path, "--out", tmp_path / "export")
    refused(outcome, 4, str(run.path), str(model), "another one than the run was started on")


@pytest.mark.parametrize("kind", ["merged", "adapter", "full"])
@pytest.mark.usefixtures("nothing_written")
def test_a_full_disk_ends_with_4_one_message_and_nothing_left(
    ttrl, refused, lora_run, full_run, tmp_path, snapshot, kind
):
    run = full_run if kind == "full" else lora_run
    before = snapshot(run.path)
    options = ("--adapter",) if kind == "adapter" else ()
    outcome = ttrl("export", run.path, "--out", tmp_path / "export", *options, largest_file=60_000)
    refused(outcome, 4, str(tmp_path / "export"), "cannot be written", "Nothing is left")
    assert snapshot(run.path) == before


@pytest.mark.usefixtures("nothing_written")
def test_a_place_that_cannot_be_written_ends_with_4(call, refused, lora_run, tmp_path):
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file" / "export", tmp_path / ("export" * 50)):
        refused(call("export", lora_run.path, "--out", out), 4, str(out), "cannot be written")


@pytest.mark.usefixtures("nothing_written")
def test_an_interrupt_leaves_nothing(call, lora_run, tmp_path, signal_at):
    from ttrl import files

    signal_at(files, "sync", 2)
    outcome = call("export", lora_run.path, "--out", tmp_path / "export")
    assert outcome.code == 130 and "interrupted" in outcome.err


def test_a_folder_that_holds_an_adapter_names_the_command_that_merges_it(call, refused, lora_run):
    model = lora_run.last_checkpoint / "adapter"
    refused(call("eval", "--model", model), 4, "LoRA adapter", "ttrl export RUN", "peft")


@pytest.fixture
def gguf_file(embedded_folder, tmp_path):
    """The embedded model as a GGUF file of 8-bit blocks."""
    import gguf

    config = json.loads((embedded_folder / "config.json").read_text())
    tokenizer = json.loads((embedded_folder / "tokenizer.json").read_text())
    path, heads = tmp_path / "tiny.gguf", config["num_attention_heads"]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(heads)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    tokens = sorted(tokenizer["model"]["vocab"], key=tokenizer["model"]["vocab"].get)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([3, 3] + [1] * (len(tokens) - 2))
    writer.add_token_merges([" ".join(pair) for pair in tokenizer["model"]["merges"]])
    writer.add_eos_token_id(0)
    names = {
        "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm", "model.layers": "blk", "model.norm": "output_norm",
        "model.embed_tokens": "token_embd",
    }  # fmt: skip
    for name, tensor in load_file(embedded_folder / "model.safetensors").items():
        array = tensor.numpy()
        if name.endswith(("q_proj.weight", "k_proj.weight")):  # GGUF has rotated pairs side by side
            array = array.reshape(heads, 2, -1, array.shape[1]).swapaxes(1, 2).reshape(array.shape)
        for old, new in names.items():
            name = name.replace(old, new)
        if array.ndim == 2:
            kind = gguf.GGMLQuantizationType.Q8_0
            writer.add_tensor(name, gguf.quantize(array, kind), raw_dtype=kind)
        else:
            writer.add_tensor(name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_the_adapter_of_a_gguf_base_is_merged_into_its_dequantised_weights(
    call, tiny, tmp_path, folder_of, gguf_file
):
    from peft import PeftModel

    from ttrl.engine.models import find_model, load_model

    run, folder = folder_of(tmp_path / "run"), tmp_path / "export"
    options = ("--model", gguf_file, "--prompt-template", "{question}\n", "--lora", "4")
    learning = (*STEPS, "--learning-rate", "0.05")
    assert call("train", *tiny, *options, *learning, "--out", run.path).code == 0
    assert any("train/grad_norm" in row for row in run.metrics), "no gradient: vacuous"
    assert call("export", run.path, "--out", folder).code == 0
    loaded = load_model(find_model(str(gguf_file)), dtype="float32", device=torch.device("cpu"))
    adapted = PeftModel.from_pretrained(loaded.model, run.last_checkpoint / "adapter").eval()
    expected, found = answers(adapted, loaded.tokenizer), answers(*plain(folder))
    for (tokens, logits), (own, own_logits) in zip(expected, found, strict=True):
        assert own == tokens
        torch.testing.assert_close(own_logits, logits, rtol=0, atol=1e-4)
