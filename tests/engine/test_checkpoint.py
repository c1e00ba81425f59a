import copy

import pytest
import torch

from ttrl.engine import checkpoint
from ttrl.engine.optimizer import MasterAdamW
from ttrl.errors import CheckpointError


@pytest.fixture
def parts(embedded):
    model = copy.deepcopy(embedded.model)
    optimizer = MasterAdamW(model.named_parameters(), beta2=0.99, weight_decay=0.0)
    return {
        "model": model,
        "tokenizer": embedded.tokenizer,
        "optimizer": optimizer,
        "state": {"progress": {"step": 1}},
        "prompt_template": "{question}\n",
    }


def test_a_checkpoint_comes_back_with_its_state_and_weights(tmp_path, parts):
    from transformers import AutoModelForCausalLM

    path = checkpoint.save(tmp_path, step=7, **parts)
    found = checkpoint.latest(tmp_path)
    assert found.path == path == tmp_path / "step-000007"
    assert found.state == {"progress": {"step": 1}}
    loaded = AutoModelForCausalLM.from_pretrained(found.weights)
    expected = dict(parts["model"].named_parameters())
    assert all(torch.equal(p, expected[n]) for n, p in loaded.named_parameters())
    assert (found.weights / "ttrl.json").is_file()


def test_only_the_last_two_are_kept(tmp_path, parts):
    for step in (1, 2, 10):
        checkpoint.save(tmp_path, step=step, **parts)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-000002", "step-000010"]


def test_an_unfinished_folder_is_not_a_checkpoint(tmp_path, parts):
    checkpoint.save(tmp_path, step=1, **parts)
    (tmp_path / ".step-000002.tmp").mkdir()
    assert checkpoint.latest(tmp_path).path.name == "step-000001"
    assert checkpoint.latest(tmp_path / "nothing") is None


@pytest.mark.parametrize("name", ["model/model.safetensors", "optimizer.safetensors", "state.json"])
def test_one_changed_byte_is_found_and_named(tmp_path, parts, name):
    file = checkpoint.save(tmp_path, step=1, **parts) / name
    data = bytearray(file.read_bytes())
    data[-3] ^= 1
    file.write_bytes(bytes(data))
    with pytest.raises(CheckpointError, match=rf"step-000001 is damaged \({name}\)"):
        checkpoint.latest(tmp_path)


def test_a_disk_that_fills_up_leaves_the_earlier_checkpoint_and_nothing_else(
    tmp_path, parts, monkeypatch
):
    checkpoint.save(tmp_path, step=1, **parts)

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(
        CheckpointError, match=r"step-000002 cannot be written.*No space left.*--resume"
    ):
        checkpoint.save(tmp_path, step=2, **parts)
    assert [p.name for p in tmp_path.iterdir()] == ["step-000001"]
    assert checkpoint.latest(tmp_path) is not None
