import json
import re
import shutil

import pytest

from ttrl.answers.tasks import get_task

SETS = ("unlabeled", "heldout", "out_of_prior")
ACCURACIES = ("avg@4", "avg@4_ci", "maj@4", "pass@4")
LABEL_FREE = ("entropy", "no_answer_rate", "mean_tokens")


@pytest.fixture(scope="module")
def finished(ttrl, tiny, tmp_path_factory, folder_of):
    """A run of the real command with --json, and what it wrote."""
    path = tmp_path_factory.mktemp("train") / "run"
    return ttrl("train", *tiny, "--json", "--out", path), folder_of(path)


def test_standard_output_is_one_json_object_and_progress_is_on_standard_error(finished):
    outcome, run = finished
    assert outcome.code == 0
    assert len(outcome.out.splitlines()) == 1
    assert outcome.json == run.result
    assert [line.split()[1] for line in outcome.err.splitlines() if line.startswith("step ")] == [
        "1/4", "2/4", "3/4", "4/4",
    ]  # fmt: skip


def test_the_result_holds_the_named_metrics_of_each_set_before_and_after(finished):
    outcome, _ = finished
    assert tuple(outcome.json["sets"]) == SETS
    for name in SETS:
        for when in ("base", "final"):
            metrics = outcome.json["sets"][name][when]
            assert set(ACCURACIES + LABEL_FREE) <= set(metrics)
            low, high = metrics["avg@4_ci"]
            assert 0 <= low <= metrics["avg@4"] <= high <= 1
            assert metrics["temperature"] == 0.6  # every accuracy names its temperature


def test_the_result_counts_every_sampled_token_and_the_cost(finished):
    outcome, run = finished
    trained = sum(row["sample/tokens"] for row in run.metrics)
    evaluated = sum(
        metrics["mean_tokens"] * metrics["questions"] * 4
        for pair in outcome.json["sets"].values()
        for metrics in pair.values()
    )
    assert outcome.json["sampled_tokens"] == pytest.approx(trained + evaluated, abs=0.01)
    assert 0 < outcome.json["sampling_seconds"] < outcome.json["wall_seconds"]
    assert outcome.json["peak_rss_bytes"] > 50 * 2**20


def test_a_run_directory_holds_config_manifest_metrics_votes_result_report_and_checkpoint(finished):
    _, run = finished
    for name in ("config.yaml", "manifest.json", "result.json", "report.html"):
        assert (run.path / name).stat().st_size > 0
    assert [row["step"] for row in run.metrics] == [1, 2, 3, 4]
    votes = [json.loads(line) for line in run.votes.splitlines()]
    assert [vote["step"] for vote in votes] == [1, 1, 2, 2, 3, 3, 4, 4]
    assert all(sum(v["counts"]) + v["abstained"] == 8 for v in votes)
    assert run.last_checkpoint.name == "step-000004"
    assert any("train/grad_norm" in row for row in run.metrics), "no gradient: tests are vacuous"
    assert not list(run.path.rglob("*.tmp"))


@pytest.mark.parametrize(
    ("votes", "told"),
    [
        ("fixed", "60 steps x 4 questions x 64 votes = 15,360 completions, at most 1,474,560"),
        (
            "adaptive",
            "60 steps x 4 questions x at most 64 votes = at most 15,360 completions, at most 1,474,560",
        ),
    ],
)
def test_the_plan_counts_votes_and_says_where_there_may_be_fewer(call, votes, told):
    outcome = call("train", "--limit", "4", "--votes", votes, "--dry-run")
    assert outcome.code == 0 and told in outcome.out


def test_the_stored_config_runs_again_to_the_same_bits(finished, call, tmp_path, folder_of, same):
    _, run = finished
    again = folder_of(tmp_path / "again")
    outcome = call("train", "--config", run.path / "config.yaml", "--out", again.path)
    assert outcome.code == 0
    assert again.same_bits(run) == same
    assert again.result["sets"] == run.result["sets"]


def test_the_trained_weights_are_a_model_that_eval_takes_and_that_answers_as_after_training(
    finished, call, tiny
):
    outcome, run = finished
    model = run.last_checkpoint / "model"
    evaluation = {"--limit", "--samples", "--eval-limit", "--difficulty", "--max-tokens"}
    options = [
        part
        for option, value in zip(tiny[::2], tiny[1::2], strict=True)
        for part in (option, value)
        if option in evaluation
    ]
    alone = call("eval", *options, "--model", model, "--json")
    for name in SETS:
        metrics, trained = alone.json["sets"][name]["base"], outcome.json["sets"][name]["final"]
        assert {k: metrics[k] for k in ACCURACIES} == {k: trained[k] for k in ACCURACIES}


def test_without_json_the_summary_on_standard_output_names_each_set_and_its_temperature(
    call, tiny, tmp_path
):
    outcome = call("train", *tiny, "--steps", "1", "--out", tmp_path / "run")
    assert outcome.code == 0
    for name in ("unlabeled", "held-out", "out-of-prior"):
        for when in ("base", "final"):
            line = next(x for x in outcome.out.splitlines() if x.startswith(when) and name in x)
            assert "avg@4" in line and "(temperature 0.6)" in line
    assert str(tmp_path / "run" / "report.html") in outcome.out


def test_the_summary_tells_each_level_before_and_after(call, tiny, tmp_path, write_rows, problems):
    rows = [{**row, "level": 1 + i % 2} for i, row in enumerate(problems)]
    file = write_rows(tmp_path / "q.jsonl", *rows)
    options = (
        "--questions",
        file,
        "--answers",
        "answer",
        "--steps",
        "1",
        "--out",
        tmp_path / "run",
    )
    outcome = call("train", *tiny, *options)
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    start = next(i for i, line in enumerate(lines) if line.split()[:2] == ["level", "questions"])
    assert [line.split()[:2] for line in lines[start + 1 : start + 3]] == [["1", "1"], ["2", "1"]]
    for line in lines[start + 1 : start + 3]:
        assert len(re.findall(r"\d\.\d{3} \[[^]]+\] -> \d\.\d{3} \[", line)) == 2


def test_a_file_without_answers_trains_and_says_that_there_is_no_accuracy(
    call, tiny, tmp_path, write_rows, problems, folder_of, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    write_rows(tmp_path / "q.jsonl", *({"question": row["question"]} for row in problems))
    outcome = call("train", *tiny, "--questions", "q.jsonl", "--json")
    assert outcome.code == 0
    (path,) = (tmp_path / "runs").iterdir()  # without --out: runs/<model>-<time>
    assert path.name.startswith("ttrl-tiny-")
    run = folder_of(path)
    for metrics in outcome.json["sets"]["unlabeled"].values():
        assert not [key for key in metrics if key.startswith(("avg@", "maj@", "pass@"))]
        assert set(LABEL_FREE) <= set(metrics)
    assert not [key for row in run.metrics for key in row if key.startswith("labels/")]
    assert any("train/grad_norm" in row for row in run.metrics)
    assert "no answer key" in run.report


def test_lora_trains_an_adapter_and_keeps_the_base_weights_out_of_the_checkpoint(
    call, tiny, tmp_path, folder_of
):
    from safetensors.torch import load_file

    run = folder_of(tmp_path / "run")
    assert call("train", *tiny, "--lora", "2", "--out", run.path).code == 0
    (file,) = run.last_checkpoint.glob("*/*.safetensors")
    assert file.parent.name == "adapter"
    tensors = load_file(file)
    assert all("lora_" in name for name in tensors)
    assert any(
        t.abs().sum() > 0 for name, t in tensors.items() if "lora_B" in name
    )  # B starts at 0


def test_the_kl_term_is_zero_at_the_base_model_and_positive_away_from_it(
    call, tiny, tmp_path, folder_of
):
    run = folder_of(tmp_path / "run")
    assert call("train", *tiny, "--kl-coefficient", "0.01", "--out", run.path).code == 0
    kl = [row["train/kl"] for row in run.metrics if "train/kl" in row]
    assert kl[0] == pytest.approx(0, abs=1e-6) and kl[-1] > 1e-6


def test_full_agreement_skips_steps_with_a_reason_and_ends_the_run_well(
    call, tiny, tmp_path, folder_of
):
    run = folder_of(tmp_path / "run")
    options = ("--temperature", "0.0001", "--steps", "6", "--stop-after-silent-steps", "2")
    outcome = call("train", *tiny, *options, "--out", run.path, "--json")
    assert outcome.code == 0
    assert [row["skipped"] for row in run.metrics] == ["no group has two different rewards"] * 2
    assert (
        "2 steps in a row without a gradient" in outcome.json["stopped"]
        and outcome.json["steps"] == 2
    )
    for pair in outcome.json["sets"].values():
        assert pair["base"] == pair["final"]  # nothing was learned


def test_no_steps_at_all_leave_the_model_as_it_was(
    call, tiny, tmp_path, folder_of, embedded_folder
):
    from safetensors.torch import load_file

    run = folder_of(tmp_path / "run")
    outcome = call("train", *tiny, "--steps", "0", "--out", run.path, "--json")
    assert outcome.code == 0 and outcome.json["steps"] == 0
    before = load_file(embedded_folder / "model.safetensors")
    after = load_file(run.last_checkpoint / "model" / "model.safetensors")
    assert all(before[name].equal(after[name]) for name in after)


def test_a_dry_run_tells_the_plan_and_writes_nothing(call, tiny, tmp_path, snapshot):
    outcome = call("train", *tiny, "--out", tmp_path / "run", "--dry-run")
    assert outcome.code == 0
    assert "steps: 4" in outcome.out  # the resolved config
    assert "4 steps x 2 questions x 8 votes = 64 completions" in outcome.out
    assert "GiB" in outcome.out and "prompt " in outcome.out
    assert snapshot(tmp_path) == {}


def test_a_dry_run_for_machines_ends_with_one_json_object(call, tiny, tmp_path, snapshot):
    outcome = call("train", *tiny, "--out", tmp_path / "run", "--dry-run", "--json")
    assert outcome.code == 0 and len(outcome.out.splitlines()) == 1
    assert outcome.json["config"]["steps"] == 4
    assert outcome.json["questions"] == {"unlabeled": 4, "heldout": 4, "out_of_prior": 4}
    assert outcome.json["memory_bytes"]["total"] > 0
    assert snapshot(tmp_path) == {}


def test_the_plan_counts_fewer_activations_where_they_are_made_again(call, tiny):
    plain = call("train", *tiny, "--dry-run", "--json").json["memory_bytes"]
    again = call("train", *tiny, "--gradient-checkpointing", "--dry-run", "--json")
    memory = again.json["memory_bytes"]
    assert again.json["config"]["gradient_checkpointing"] is True
    assert memory["training_activations"] < 0.5 * plain["training_activations"]
    assert memory["weights"] == plain["weights"]


def test_the_last_step_of_an_epoch_takes_the_questions_that_are_left(
    call, tiny, tmp_path, folder_of
):
    run = folder_of(tmp_path / "run")
    options = ("--limit", "5", "--questions-per-step", "3", "--samples", "1", "--eval-limit", "1")
    assert call("train", *tiny, *options, "--out", run.path).code == 0
    asked = [json.loads(line)["question"] for line in run.votes.splitlines()]
    assert len(asked) == 10  # 3 + 2, twice
    assert len(set(asked[:5])) == len(set(asked[5:])) == 5


def test_a_share_of_a_file_is_held_out_from_training_and_evaluated(
    call, tiny, tmp_path, write_rows, problems, folder_of
):
    file, run = write_rows(tmp_path / "q.jsonl", *problems), folder_of(tmp_path / "run")
    options = ("--questions", file, "--answers", "answer", "--holdout", "0.25", "--json")
    outcome = call("train", *tiny, *options, "--out", run.path)
    assert outcome.code == 0
    held = json.loads((run.path / "evaluations" / "base-heldout.json").read_text())["questions"]
    asked = {json.loads(line)["question"] for line in run.votes.splitlines()}
    assert len(held) == 1 and not asked & {row["id"] for row in held}
    assert "avg@4" in outcome.json["sets"]["heldout"]["final"]


def test_a_folder_of_a_chat_model_is_trained_through_its_chat_template(
    call, tiny, tmp_path, model_copy, write_rows, folder_of
):
    (model_copy / "ttrl.json").unlink()
    settings = json.loads((model_copy / "tokenizer_config.json").read_text())
    settings["chat_template"] = "{% for m in messages %}[{{ m['content'] }}]{% endfor %}"
    (model_copy / "tokenizer_config.json").write_text(json.dumps(settings))
    file = write_rows(tmp_path / "q.jsonl", {"question": "Tom has 3 eggs."})
    run = folder_of(tmp_path / "run")
    options = ("--model", model_copy, "--questions", file, "--steps", "1", "--max-tokens", "8")
    outcome = call("train", *tiny, *options, "--out", run.path)
    assert outcome.code == 0
    instruction = get_task("math").instruction
    assert repr(f"[Tom has 3 eggs.\n{instruction}]") in outcome.err
    shutil.rmtree(model_copy)  # what is saved stands alone
    saved = ("--model", run.last_checkpoint / "model", "--questions", file, "--max-tokens", "8")
    assert repr(f"[Tom has 3 eggs.\n{instruction}]") in call("eval", *saved, "--dry-run").out
