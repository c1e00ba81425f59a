"""Files of `ttrl export-data` through verl's own data set, and back to the same questions."""

from __future__ import annotations

import json

import pytest

from ttrl.overlays.verl.rows import question_of_row
from ttrl.types import Question


@pytest.fixture
def loaded(export, compose, small, tokenizer, tmp_path):
    """`loaded(rows, *options)`: the batch that verl's loader makes of all rows, and the folder."""
    from verl.trainer.ppo.utils import create_rl_dataset
    from verl.utils.dataset.rl_dataset import collate_fn

    def load(rows, *options, file="train.parquet"):
        path = tmp_path / "q.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        folder = export("--questions", str(path), *options)
        config = compose(*small).data
        data = create_rl_dataset(str(folder / file), config, tokenizer, None, max_samples=-1)
        return collate_fn([data[n] for n in range(len(data))]), folder

    return load


ROWS = [
    {"id": "a", "question": r"What is \frac{1}{2} + {x} in 數學?", "answer": "3"},
    {"id": "b", "question": "Which animal?", "kind": "choice", "choices": ["a cat", "a dog"], "answer": "A"},
]  # fmt: skip


def test_questions_come_back_as_they_were(loaded):
    options = ["--votes-per-question", "5", "--task-column", "kind", "--options-column", "choices"]
    batch, _ = loaded(ROWS, *options)
    found = [question_of_row(info, place="?") for info in batch["extra_info"]]
    listed = "Which animal?\n(A) a cat\n(B) a dog"
    assert found == [
        (Question(id="a", prompt=ROWS[0]["question"]), 5),
        (Question(id="b", prompt=listed, task="choice", options=("a cat", "a dog")), 5),
    ]
    assert list(batch["__rollout_n__"]) == [5, 5] and list(batch["index"]) == [0, 1]


def test_the_prompt_is_the_chat_that_the_native_engine_would_send(loaded, tokenizer):
    from ttrl.answers.tasks import get_task
    from ttrl.data.prompts import Prompter

    batch, _ = loaded(ROWS[:1])
    prompter = Prompter(tokenizer, template=None, task=get_task("math"))
    ours = prompter.render(Question(id="a", prompt=ROWS[0]["question"]))
    theirs = tokenizer.apply_chat_template(
        batch["raw_prompt"][0], add_generation_prompt=True, tokenize=False
    )
    assert ours == theirs


def test_training_rows_have_no_label_and_evaluation_rows_have(loaded):
    batch, folder = loaded(ROWS[:1], "--answers", "answer")
    assert [row["ground_truth"] for row in batch["reward_model"]] == [""]
    import pyarrow.parquet as parquet

    graded = parquet.read_table(folder / "evaluation.parquet").to_pylist()
    assert [row["reward_model"]["ground_truth"] for row in graded] == ["3"]
    assert "__rollout_n__" not in graded[0]  # verl's own number of samples holds for validation


def test_verls_length_filter_reads_our_prompts(export, compose, small, tokenizer, tmp_path):
    from verl.trainer.ppo.utils import create_rl_dataset

    path = tmp_path / "q.jsonl"
    rows = [{"question": "short?"}, {"question": "long " * 300}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    folder = export("--questions", str(path))
    config = compose(*small, "data.filter_overlong_prompts=True").data
    data = create_rl_dataset(str(folder / "train.parquet"), config, tokenizer, None, max_samples=-1)
    assert len(data) == 1
