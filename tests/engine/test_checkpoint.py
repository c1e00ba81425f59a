import copy

import pytest
import torch

from ttrl.config import RunConfig
from ttrl.engine import checkpoint
from ttrl.engine.learner import make_learner
from ttrl.errors import CheckpointError
from ttrl.rl.algorithms.registry import make_algorithm
from ttrl.types import TrainingSample


@pytest.fixture
def parts(embedded):
    model = copy.deepcopy(embedded.model)
    config = RunConfig()
    return {
        "model": model,
        "tokenizer": embedded.tokenizer,
        "learner": make_learner(model, make_algorithm(config), config),
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


FILES = {
    "grpo": {"optimizer"},
    "ppo": {"optimizer", "critic", "critic-optimizer"},
    "prime": {"optimizer", "implicit-reward", "implicit-reward-optimizer"},
}


@pytest.mark.parametrize("algorithm", FILES)
def test_all_that_an_algorithm_trains_comes_back(tmp_path, parts, make_group, algorithm):
    config = RunConfig(algorithm=algorithm, learning_rate=1e-3)
    rule = make_algorithm(config)
    completions = make_group(["12", "3"]).completions
    samples = [
        TrainingSample(
            completion=c, reward=r, weight=1.0, **dict.fromkeys(
                ("advantages", "values", "returns"), (r,) * len(c.token_ids)
            )
        )
        for c, r in zip(completions, (1.0, 0.0), strict=True)
    ]  # fmt: skip

    def step(learner):
        if algorithm == "prime":
            learner.implicit_rewards(samples)
        learner.update(samples, rule)

    base = copy.deepcopy(parts["model"])
    learner = make_learner(parts["model"], rule, config, load_base=lambda: copy.deepcopy(base))
    step(learner)
    path = checkpoint.save(tmp_path, step=1, **(parts | {"learner": learner}))
    assert {f.stem for f in path.glob("*.safetensors")} == FILES[algorithm]
    again = make_learner(
        copy.deepcopy(learner.model), rule, config, load_base=lambda: copy.deepcopy(base)
    )
    checkpoint.latest(tmp_path).load_learner(again)
    step(learner)
    step(again)
    expected, found = learner.state(), again.state()
    for file, tensors in expected.items():
        assert found[file].keys() == tensors.keys()
        assert all(torch.equal(found[file][name], tensors[name]) for name in tensors), file
    weights = dict(again.model.named_parameters())
    assert all(torch.equal(p, weights[n]) for n, p in learner.model.named_parameters())


def test_a_checkpoint_of_another_algorithm_is_refused(tmp_path, parts):
    checkpoint.save(tmp_path, step=1, **parts)
    config = RunConfig(algorithm="ppo")
    learner = make_learner(parts["model"], make_algorithm(config), config)
    with pytest.raises(CheckpointError, match="of another model"):
        checkpoint.latest(tmp_path).load_learner(learner)


# What another engine has trained -------------------------------------------------------------


@pytest.fixture
def foreign(tmp_path):
    """A folder as TRL saves it, with a pickle in it."""
    folder = tmp_path / "trained"
    (folder / "deeper").mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "config.json").write_text("{}")
    (folder / "deeper" / "note.txt").write_text("kept")
    (folder / "training_args.bin").write_bytes(b"a pickle")
    return folder


def save_weights(folder, weights, *, step=3, template="{question}\n"):
    return checkpoint.save_weights(
        folder, step=step, weights=weights, state={"stopped": "all steps done"}, prompt_template=template
    )  # fmt: skip


def test_weights_of_another_engine_are_a_checkpoint_without_an_optimizer(tmp_path, foreign):
    path = save_weights(tmp_path / "checkpoints", foreign)
    found = checkpoint.latest(tmp_path / "checkpoints")
    assert found.path == path and found.weights == path / "model"
    assert found.state == {"stopped": "all steps done", "foreign": True}
    files = {p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file()}
    assert files == {
        "model/model.safetensors", "model/config.json", "model/deeper/note.txt", "model/ttrl.json",
        "state.json", "manifest.json",
    }  # fmt: skip


def test_an_adapter_of_another_engine_is_kept_as_one(tmp_path, foreign):
    (foreign / "adapter_config.json").write_text("{}")
    found = save_weights(tmp_path / "checkpoints", foreign, template=None)
    assert checkpoint.latest(tmp_path / "checkpoints").weights == found / "adapter"
    assert not (found / "adapter" / "ttrl.json").exists()


def test_what_the_other_engine_saved_stays_where_it_is(tmp_path, foreign):
    before = {p.name: p.read_bytes() for p in foreign.rglob("*") if p.is_file()}
    save_weights(tmp_path / "checkpoints", foreign)
    assert before == {p.name: p.read_bytes() for p in foreign.rglob("*") if p.is_file()}


@pytest.mark.parametrize("name", ["model/model.safetensors", "model/ttrl.json", "state.json"])
def test_one_changed_byte_of_them_is_found_and_named_alone(tmp_path, foreign, name):
    file = save_weights(tmp_path / "checkpoints", foreign) / name
    data = bytearray(file.read_bytes())
    data[-3] ^= 1
    file.write_bytes(bytes(data))
    with pytest.raises(CheckpointError, match=rf"step-000003 is damaged \({name}\)"):
        checkpoint.latest(tmp_path / "checkpoints")


def test_a_checkpoint_of_ours_cannot_do_without_its_optimizer(tmp_path, parts):
    import json

    path = checkpoint.save(tmp_path, step=1, **parts)
    (path / "optimizer.safetensors").unlink()
    manifest = json.loads((path / "manifest.json").read_text())
    del manifest["optimizer.safetensors"]
    (path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match=r"is damaged \(optimizer\.safetensors\)"):
        checkpoint.latest(tmp_path)


def test_weights_that_are_not_there_leave_no_checkpoint(tmp_path):
    with pytest.raises(CheckpointError, match="step-000003 cannot be written"):
        save_weights(tmp_path / "checkpoints", tmp_path / "missing")
    assert list((tmp_path / "checkpoints").iterdir()) == []
