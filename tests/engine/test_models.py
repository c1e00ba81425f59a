import json

import pytest
import torch

from ttrl.engine.models import find_model, load_model, pick_device
from ttrl.errors import ConfigError, ModelError

CPU = torch.device("cpu")


def test_the_embedded_model_is_small_and_knows_how_it_is_asked(embedded):
    assert sum(p.numel() for p in embedded.model.parameters()) < 1_000_000
    assert embedded.prompt_template == "{question}\n"
    assert embedded.tokenizer.chat_template is None


def test_the_embedded_tokenizer_reads_any_text_and_splits_digits(embedded):
    for text in ("Tom has 123 apples.", "ünïcode 一 \\boxed{−5}\n\t"):
        ids = embedded.tokenizer.encode(text, add_special_tokens=False)
        assert embedded.tokenizer.decode(ids) == text
    assert len(embedded.tokenizer.encode("123", add_special_tokens=False)) == 3


def test_a_local_folder_wins_over_a_hub_id(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_model("org/name@v1").kind == "hub"
    assert find_model("org/name@v1").revision == "v1"
    folder = tmp_path / "org" / "name"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"")
    assert find_model("org/name").kind == "folder"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "no config.json"),
        (["adapter_config.json"], "LoRA adapter"),
        (["config.json"], r"no weights \(\*.safetensors\)"),
        (["config.json", "pytorch_model.bin"], "pickles"),
    ],
)
def test_a_folder_that_is_no_model_says_what_is_missing(tmp_path, files, message):
    for name in files:
        (tmp_path / name).write_text("{}")
    with pytest.raises(ModelError, match=message):
        find_model(str(tmp_path))


def test_broken_weights_are_one_message(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    (tmp_path / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_model(find_model(str(tmp_path)), dtype="float32", device=CPU)


def test_the_fingerprint_follows_the_weights(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"one")
    first = find_model(str(tmp_path)).fingerprint()
    assert find_model(str(tmp_path)).fingerprint() == first
    weights.write_bytes(b"two")
    assert find_model(str(tmp_path)).fingerprint() != first


def test_a_device_that_is_not_here_is_a_config_error():
    assert pick_device("cpu") == CPU
    with pytest.raises(ConfigError, match="device='warp'"):
        pick_device("warp")


def test_a_model_whose_sampling_settings_contradict_each_other_can_be_saved(tmp_path, embedded):
    """A temperature without do_sample: some published models have that, and transformers saves it not."""
    embedded.model.save_pretrained(tmp_path / "given")
    embedded.tokenizer.save_pretrained(tmp_path / "given")
    settings = tmp_path / "given" / "generation_config.json"
    content = json.loads(settings.read_text()) | {"do_sample": False, "temperature": 0.9}
    settings.write_text(json.dumps(content))
    found = load_model(find_model(str(tmp_path / "given")), dtype="float32", device=CPU)
    found.model.save_pretrained(tmp_path / "saved")
    saved = json.loads((tmp_path / "saved" / "generation_config.json").read_text())
    assert saved["temperature"] == 0.9 and saved["do_sample"] is True
