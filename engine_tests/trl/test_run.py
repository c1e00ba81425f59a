"""`ttrl train --engine trl`: alone, under torchrun, with LoRA, resumed, and refused."""

import importlib.resources
import json
import shutil
from pathlib import Path

import pytest

EMBEDDED = str(importlib.resources.files("ttrl") / "embedded" / "ttrl-tiny")


def change(file: Path, **given: object) -> None:
    values = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps(values | given), "utf-8")


@pytest.fixture(scope="module")
def alone(tmp_path_factory, train, run_of):
    out = tmp_path_factory.mktemp("alone") / "run"
    outcome = train(out, "--updates-per-step", 2)
    assert outcome.code == 0, outcome.err
    return run_of(out)


@pytest.fixture(scope="module")
def together(tmp_path_factory, train, run_of):
    out = tmp_path_factory.mktemp("together") / "run"
    outcome = train(out, processes=2)
    assert outcome.code == 0, outcome.err
    return run_of(out)


@pytest.mark.parametrize("kind", ["alone", "together"])
def test_every_step_votes_on_all_questions_with_all_votes(kind, request) -> None:
    run = request.getfixturevalue(kind)
    steps = run.rows("metrics.jsonl")
    votes = run.rows("votes.jsonl")
    assert [row["step"] for row in steps] == [1, 2, 3, 4]
    for step in (1, 2, 3, 4):
        own = [vote for vote in votes if vote["step"] == step]
        assert len({vote["question"] for vote in own}) == 4
        assert all(sum(vote["counts"]) + vote["abstained"] == 8 for vote in own)
        ratios = [vote["majority_ratio"] for vote in own]
        assert steps[step - 1]["consensus/majority_ratio"] == pytest.approx(sum(ratios) / 4)


@pytest.mark.parametrize("kind", ["alone", "together"])
def test_a_run_leaves_what_a_native_run_leaves(kind, request) -> None:
    run = request.getfixturevalue(kind)
    assert run.result["engine"] == "trl" and run.result["steps"] == 4
    for name in ("config.yaml", "manifest.json", "report.html", "figure.svg"):
        assert (run.path / name).stat().st_size > 0
    assert {p.name for p in (run.path / "evaluations").iterdir()} == {
        f"{when}-{name}.json"
        for when in ("base", "final")
        for name in ("unlabeled", "heldout", "out_of_prior")
    }
    rows = run.rows("metrics.jsonl")
    assert rows[-1]["train/learning_rate"] == pytest.approx(0.002)
    assert all(row["train/loss"] == row["train/loss"] for row in rows)
    spent = json.loads((run.path / "trl" / "progress.json").read_text("utf-8"))["spent"]
    assert sum(row["sample/tokens"] for row in rows) == spent["sampled_tokens"]
    assert spent["sampled_tokens"] < run.result["sampled_tokens"]  # evaluations count there too


def test_flips_are_told_from_the_second_visit_on(together) -> None:
    votes = together.rows("votes.jsonl")
    seen: set[str] = set()
    for vote in votes:
        assert (vote["flipped"] is None) == (vote["question"] not in seen)
        seen.add(vote["question"])
    assert len(seen) == 8


def test_a_killed_run_goes_on_to_the_weights_of_an_uninterrupted_one(
    alone, tmp_path, command, run_of
) -> None:
    half = run_of(Path(shutil.copytree(alone.path, tmp_path / "half")))
    shutil.rmtree(half.path / "trl" / "checkpoint-8")
    shutil.rmtree(half.path / "checkpoints" / "step-000004")
    for path in [half.path / "result.json", *half.path.glob("evaluations/final-*")]:
        path.unlink()
    outcome = command("-m", "ttrl", "train", "--resume", half.path)
    assert outcome.code == 0, outcome.err
    assert [row["step"] for row in half.rows("metrics.jsonl")] == [1, 2, 3, 4]
    assert half.weights == alone.weights
    assert half.rows("votes.jsonl") == alone.rows("votes.jsonl")


def test_a_finished_run_is_not_trained_again(alone, tmp_path, command, run_of) -> None:
    copy = run_of(Path(shutil.copytree(alone.path, tmp_path / "copy")))
    before = copy.weights
    outcome = command("-m", "ttrl", "train", "--resume", copy.path)
    assert outcome.code == 0, outcome.err
    assert copy.weights == before and "step 1/4" not in outcome.err


def test_lora_trains_the_adapter_alone_and_is_exported_with_its_base(
    tmp_path, train, command, run_of
) -> None:
    out = tmp_path / "run"
    outcome = train(out, "--lora", 4, "--kl-coefficient", 0.01, processes=2)
    assert outcome.code == 0, outcome.err
    adapter = next((out / "checkpoints").glob("step-*/adapter"))
    assert {p.name for p in adapter.glob("*.safetensors")} == {"adapter_model.safetensors"}
    rows = run_of(out).rows("metrics.jsonl")
    assert rows[-1]["train/kl"] > 0  # the base under the adapter is the reference
    merged = tmp_path / "merged"
    done = command("-m", "ttrl", "export", out, "--out", merged, "--json")
    assert done.code == 0 and json.loads(done.out.splitlines()[-1])["kind"] == "merged"


def test_a_chat_model_that_transformers_would_not_save_with_two_ends_and_no_padding_is_trained(
    tmp_path, train, run_of
) -> None:
    model = tmp_path / "model"
    shutil.copytree(EMBEDDED, model)
    (model / "ttrl.json").unlink()
    change(
        model / "tokenizer_config.json",
        pad_token=None,
        chat_template="{% for m in messages %}{{ m['content'] }}{% endfor %}",
    )
    # top_k without do_sample is loaded, and refused where a model is saved; a vote's top_k is ours
    ends = [0, 2]
    change(model / "generation_config.json", eos_token_id=ends, top_k=1)
    out = tmp_path / "run"
    outcome = train(out, "--model", model, "--steps", 2)
    assert outcome.code == 0, outcome.err
    run = run_of(out)
    assert any(len(vote["labels"]) > 1 for vote in run.rows("votes.jsonl"))
    saved = next((out / "checkpoints").glob("step-*/model/generation_config.json"))
    assert json.loads(saved.read_text("utf-8"))["eos_token_id"] == ends


def test_what_trl_refuses_itself_is_one_message(tmp_path, train) -> None:
    outcome = train(tmp_path / "run", "--trl", "sync_ref_model=true")
    assert outcome.code == 2 and "Traceback" not in outcome.err
    assert "TRL refuses its arguments: You passed `sync_ref_model=True`" in outcome.err


def test_a_run_tells_one_json_object_and_nothing_else(tmp_path, train) -> None:
    """With several passes and updates of a step, one completion at a time."""
    settings = "--steps 2 --passes-per-step 2 --updates-per-step 2 --micro-batch-tokens 10"
    outcome = train(tmp_path / "run", "--json", *settings.split(), processes=2)
    assert outcome.code == 0, outcome.err
    (line,) = outcome.out.splitlines()
    assert json.loads(line)["steps"] == 2


def test_a_study_compares_runs_under_trl(tmp_path, tiny, command) -> None:
    out = tmp_path / "study"
    settings = [*tiny, "--seeds", 0, "--arms", "ttrl", "random", "--steps", 1]
    outcome = command("-m", "ttrl", "study", *settings, "--out", out, "--json")
    assert outcome.code == 0, outcome.err
    runs = [json.loads(file.read_text("utf-8")) for file in out.rglob("result.json")]
    engines = [run["engine"] for run in runs if "engine" in run]
    assert engines == ["trl", "trl"] and len(runs) > 2  # beside the evaluations of the base


def test_rules_that_read_logprobs_and_entropies_get_them(tmp_path, train, run_of) -> None:
    for reward in ("confidence", "selective"):
        out = tmp_path / reward
        outcome = train(out, "--reward", reward, "--steps", 1)
        assert outcome.code == 0, outcome.err
        row = run_of(out).rows("metrics.jsonl")[0]
        assert row["sample/entropy"] > 0


def test_questions_that_do_not_divide_are_refused_before_a_model_loads(tmp_path, train) -> None:
    outcome = train(tmp_path / "run", "--questions-per-step", 3, "--model", "no/model", processes=2)
    assert outcome.code != 0 and not (tmp_path / "run").exists()
    assert "Set questions_per_step to 2 or 4" in outcome.err


def test_vllm_without_a_gpu_is_refused_before_a_model_loads(tmp_path, train) -> None:
    outcome = train(tmp_path / "run", "--vllm", "colocate", "--model", "no/model")
    assert outcome.code == 2 and "no GPU is visible" in outcome.err


def test_an_option_that_trl_does_not_know_is_refused_with_the_nearest(tmp_path, train) -> None:
    outcome = train(tmp_path / "run", "--trl", "vllm_gpu_memory_utilisation=0.3")
    assert outcome.code == 2
    assert "Did you mean vllm_gpu_memory_utilization?" in outcome.err


def test_a_dry_run_tells_trls_arguments_and_writes_nothing(tmp_path, train) -> None:
    outcome = train(tmp_path / "run", "--dry-run", "--json")
    assert outcome.code == 0 and not (tmp_path / "run").exists()
    told = json.loads(outcome.out.splitlines()[-1])
    assert told["trl"]["num_generations"] == 4 and told["trl"]["max_steps"] == 4
