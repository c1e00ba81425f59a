"""The launcher: each bad input is told before Ray starts or a model is loaded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import ttrl
from ttrl.errors import ConfigError, DataError


@pytest.fixture
def data(export, tmp_path):
    path = tmp_path / "q.jsonl"
    rows = [{"id": f"q{n}", "question": f"{n}?", "answer": str(n)} for n in range(3)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = f"--questions {path} --answers answer --votes-per-question 8"
    return export(*options.split())


@pytest.fixture
def check(compose, small, data, monkeypatch):
    """`check(*overrides)`: what the launcher says of a config, on a machine that has the GPUs."""
    import torch

    from ttrl.overlays.verl.launch import check_run

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 8)

    def run(*overrides):
        files = (
            f"data.train_files={data}/train.parquet",
            f"data.val_files={data}/evaluation.parquet",
        )
        return check_run(compose(*small, *files, *overrides))

    return run


def test_a_good_config_passes_and_has_nothing_to_tell(check):
    assert check() == []


BAD = {
    "other trainer": (["trainer.v1.trainer_mode=sync"], "add trainer.v1.trainer_mode=ttrl"),
    "legacy trainer": (["trainer.use_v1=False"], "use_v1"),
    "grader of samples": (["reward.reward_manager.name=naive"], "NoTrainingReward"),
    "reward model": (["reward.reward_model.enable=True"], "the vote is the reward"),
    "remax": (["algorithm.adv_estimator=remax"], "greedy completion"),
    "no such estimator": (["algorithm.adv_estimator=grppo"], "choose one of"),
    "filtered groups": (["algorithm.filter_groups.enable=True"], "before the vote"),
    "one trained": (["actor_rollout_ref.rollout.n=1"], "at least 2"),
    "K > M": (["actor_rollout_ref.rollout.n=9"], "question 'q0' gets 8 votes, fewer than the 9"),
    "uneven updates": (["data.train_batch_size=3"], "no multiple of"),
    "uneven GPUs": (
        ["trainer.n_gpus_per_node=3", "data.train_batch_size=6"], "8 completions in an update, which 3",
    ),
    "key of verl": (["+ttrl.votes_per_question=64"], "__rollout_n__"),
    "rate of verl": (["+ttrl.learning_rate=1"], "actor_rollout_ref.actor.optim.lr"),
    "unknown key": (["+ttrl.taks=math"], "did you mean ttrl.task?"),
    "unknown task": (["+ttrl.task=maths"], "task='maths'"),
    "unknown reward": (["+ttrl.reward=majorty"], "majority"),
    "true answers": (["+ttrl.reward=answer-key"], "true answers"),
    "no log-probabilities": (
        ["+ttrl.reward=confidence", "actor_rollout_ref.rollout.calculate_log_probs=False"],
        "calculate_log_probs=True",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_config_is_told_with_what_mends_it(check, kind):
    overrides, told = BAD[kind]
    with pytest.raises((ConfigError, DataError)) as error:
        check(*overrides)
    assert told.lower() in str(error.value).lower()


def test_files_of_another_make_are_told(check, data, tmp_path):
    import pyarrow.parquet as parquet

    table = parquet.read_table(data / "train.parquet")
    parquet.write_table(table.drop_columns(["__rollout_n__"]), tmp_path / "no_votes.parquet")
    with pytest.raises(
        DataError, match=r"no_votes\.parquet row 1: the column __rollout_n__ is None"
    ):
        check(f"data.train_files={tmp_path}/no_votes.parquet")
    with pytest.raises(DataError, match=r"extra_info\.votes is None"):
        check(f"data.train_files={data}/evaluation.parquet")
    with pytest.raises(ConfigError, match="row 1: a row that votes"):
        check(f"data.val_files={data}/train.parquet")
    with pytest.raises(DataError, match="no such file"):
        check("data.train_files=nowhere.parquet")


def test_labels_in_a_training_file_are_said_to_be_ignored(check, data, tmp_path):
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    table = parquet.read_table(data / "train.parquet")
    rows = table.to_pylist()
    rows[1]["reward_model"]["ground_truth"] = "1"
    parquet.write_table(arrow.Table.from_pylist(rows, schema=table.schema), tmp_path / "l.parquet")
    notes = check(f"data.train_files={tmp_path}/l.parquet")
    assert len(notes) == 1 and "1 of 3 rows carry a label" in notes[0]


def test_without_gpus_the_run_is_refused(check, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(ConfigError, match=r"this machine has 0 GPUs.*RAY_ADDRESS"):
        check()
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")  # a cluster knows its own
    assert check() == []


def test_the_command_ends_with_the_code_and_one_message(small, data, tmp_path):
    files = [f"data.train_files={data}/train.parquet", "trainer.val_before_train=False"]
    command = [sys.executable, "-m", "ttrl.overlays.verl.main", *small, *files, "+ttrl.taks=math"]
    source = str(Path(ttrl.__file__).parents[1])
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
        env=dict(os.environ) | {"PYTHONPATH": source},
        timeout=900,
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("ttrl verl: ")]
    assert len(lines) == 1 and "ttrl.taks" in lines[0] and "ttrl.task" in lines[0]


def test_verls_own_runner_knows_our_trainer_in_a_process_of_ray(queue, compose, small):
    """Asked for another, it lists those it knows before it starts anything."""
    import ray

    from ttrl.overlays.verl.launch import TTRLTaskRunner

    runner = TTRLTaskRunner.remote()
    config = compose(*small, "trainer.v1.trainer_mode=nope")
    with pytest.raises(ValueError, match=r"Unknown trainer 'nope'.*sync, ttrl"):
        ray.get(runner.run.remote(config))


def test_an_error_of_the_run_is_told_as_one_message_and_not_as_rays_traceback(
    queue, check, compose, small, data, monkeypatch, capsys
):
    import ray

    from ttrl.overlays.verl import launch

    @ray.remote
    def fails() -> None:
        raise DataError("question 'q' has 3 completions, wanted 4.")

    monkeypatch.setattr(
        launch, "run_ppo", lambda config, task_runner_class: ray.get(fails.remote())
    )
    files = (f"data.train_files={data}/train.parquet", f"data.val_files={data}/evaluation.parquet")
    with pytest.raises(SystemExit) as end:
        launch.launch.__wrapped__(compose(*small, *files))
    assert end.value.code == 3
    assert capsys.readouterr().err.endswith(
        "ttrl verl: question 'q' has 3 completions, wanted 4.\n"
    )
