import json

import pytest

from ttrl.answers.tasks import get_task
from ttrl.errors import ConfigError, DataError
from ttrl.overlays.verl.checks import check_files
from ttrl.overlays.verl.rows import training_row, validation_row
from ttrl.types import Question

TASK = get_task("math")


@pytest.fixture
def check(tmp_path):
    """`check(train rows, validation rows or None)`, with K = 4."""

    def run(train, validation=None, **data):
        files = {"train": train, "val": validation or []}
        for name, rows in files.items():
            (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
        return check_files(
            {
                "data": {
                    "train_files": str(tmp_path / "train.jsonl"),
                    "val_files": [str(tmp_path / "val.jsonl")],
                    "train_batch_size": 1,
                    **data,
                },
                "trainer": {"val_before_train": validation is not None, "test_freq": -1},
                "actor_rollout_ref": {"rollout": {"n": 4}},
            }
        )

    return run


def train(id, votes=8):
    asked = Question(id=id, prompt="?")
    return training_row(asked, index=0, task=TASK, votes=votes, data_source="none")


def graded(id, answer):
    asked = Question(id=id, prompt="?")
    return validation_row(asked, index=0, task=TASK, data_source="none", answer=answer)


def test_our_own_files_pass(check):
    assert check([train("a"), train("b", votes=4)], [graded("a", "7")]) == []


def test_data_sets_of_the_hub_are_to_be_exported_first(check):
    with pytest.raises(ConfigError, match="ttrl export-data --format verl --questions hub:a/b"):
        check([train("a")], train_files="hub:a/b")


def test_files_that_are_not_local_are_left_to_the_run():
    config = {
        "data": {"train_files": "hdfs://a/train.parquet", "val_files": ["s3://b/c"]},
        "trainer": {"val_before_train": False, "test_freq": -1},
        "actor_rollout_ref": {"rollout": {"n": 4}},
    }
    assert check_files(config) == []


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([train("a"), train("a")], "train.jsonl row 1 too, wanted distinct ids"),
        ([train("a", votes=3)], "question 'a' gets 3 votes, fewer than the 4"),
        ([train("a") | {"__rollout_n__": None}], "column __rollout_n__ is None, wanted 8"),
        ([train("a") | {"__rollout_n__": 4}], "column __rollout_n__ is 4, wanted 8"),
        ([train("a") | {"extra_info": None}], "extra_info is None"),
        ([{"prompt": "x"}], "extra_info is None"),
    ],
)
def test_rows_that_cannot_vote_are_told(check, rows, told):
    with pytest.raises(DataError) as error:
        check(rows)
    assert told in str(error.value) and "train.jsonl row" in str(error.value)


def test_a_label_is_said_and_not_shown(check):
    row = train("a")
    row["reward_model"]["ground_truth"] = "secret"
    (note,) = check([row, train("b")])
    assert "1 of 2 rows carry a label" in note and "secret" not in note


def test_a_validation_without_answers_or_of_rows_that_vote_is_refused(check):
    with pytest.raises(ConfigError, match=r"val\.jsonl line 2: no answer.*--answers"):
        check([train("a")], [graded("a", "7"), graded("b", "")])
    with pytest.raises(ConfigError, match=r"line 1: a row that votes.*val_before_train=False"):
        check([train("a")], [train("a")])


def test_an_id_is_a_questions_own_over_all_files(check, tmp_path):
    """Rows are numbered where a file has no ids, so two files have the same ones."""
    other = tmp_path / "other.jsonl"
    other.write_text(json.dumps(train("a")) + "\n")
    files = [str(other), str(tmp_path / "train.jsonl")]
    with pytest.raises(DataError, match=r"train\.jsonl row 2: the id 'a' is .*other\.jsonl row 1"):
        check([train("b"), train("a")], train_files=files)


def test_fewer_questions_than_a_step_has_are_told(check):
    """verl leaves out what does not fill a step, and then divides by its number of steps, 0."""
    rows = [train("a"), train("b")]
    assert check(rows, train_batch_size=2) == []
    with pytest.raises(
        ConfigError, match=r"train_batch_size=3: data\.train_files has 2 questions.*at most 2"
    ):
        check(rows, train_batch_size=3)
    with pytest.raises(ConfigError, match=r"has 1 questions"):
        check(rows, train_batch_size=2, train_max_samples=1)
    elsewhere = ["hdfs://more.parquet"]
    assert check(rows, train_batch_size=3, train_files=elsewhere) == []


def test_verl_loads_the_validation_file_that_it_does_not_use(check, tmp_path):
    with pytest.raises(ConfigError, match=r"gone\.parquet: no such file.*train_files will do"):
        check([train("a")], val_files=f"{tmp_path}/gone.parquet")
    assert check([train("a")], val_files=f"{tmp_path}/train.jsonl") == []


@pytest.mark.parametrize("key", ["train_files", "val_files"])
@pytest.mark.parametrize("value", [None, []])
def test_no_file_at_all_is_told(check, key, value):
    with pytest.raises(ConfigError, match=rf"data\.{key} names no file"):
        check([train("a")], **{key: value})
