"""The scripts of recipes/verl that need no verl."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as parquet
import pytest

import ttrl

RECIPE = Path(__file__).parents[3] / "recipes" / "verl"


@pytest.fixture
def command(tmp_path):
    """A `ttrl` on the path that is this one."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "ttrl").write_text(f'#!/bin/sh\nexec {sys.executable} -m ttrl "$@"\n')
    (folder / "ttrl").chmod(0o755)
    path = os.pathsep.join([str(folder), os.environ["PATH"]])
    return {"PATH": path, "PYTHONPATH": str(Path(ttrl.__file__).parents[1])}


def test_the_data_script_writes_the_three_sets_with_64_votes(command, tmp_path):
    rows = [{"problem": f"{n}?", "answer": f"{n}.0"} for n in range(3)]
    (tmp_path / "q.json").write_text(json.dumps(rows))
    named = {name: "q.json" for name in ("AIME24", "AMC", "MATH500")}
    done = subprocess.run(
        ["bash", str(RECIPE / "data.sh"), "data"],
        cwd=tmp_path,
        env=dict(os.environ) | command | named,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for name in ("aime24", "amc", "math500"):
        train = parquet.read_table(tmp_path / "data" / name / "train.parquet").to_pylist()
        graded = parquet.read_table(tmp_path / "data" / name / "evaluation.parquet").to_pylist()
        assert [row["__rollout_n__"] for row in train] == [64] * 3
        assert [row["reward_model"]["ground_truth"] for row in graded] == ["0", "1", "2"]


@pytest.mark.parametrize("script", ["data.sh", "train.sh", "cluster.sh"])
def test_a_script_without_arguments_tells_its_usage(script):
    done = subprocess.run(
        ["bash", str(RECIPE / script)], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0 and f"usage: {script}" in done.stderr


def test_the_training_script_names_every_override_once():
    shown = dict(os.environ) | {"RUN": "printf %s\\n", "MODEL": "a/b c", "DATA": "d e"}
    done = subprocess.run(
        ["bash", str(RECIPE / "train.sh"), "amc"], env=shown, capture_output=True, text=True, check=True
    )  # fmt: skip
    keys = [line.partition("=")[0] for line in done.stdout.splitlines()]
    assert len(keys) == len(set(keys)) > 40
    assert "data.train_files=d e/amc/train.parquet" in done.stdout  # names with blanks stay whole
