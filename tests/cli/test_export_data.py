"""`ttrl export-data --format verl`: what stands in the files, and what never does."""

import json
import subprocess
import sys

import pyarrow.parquet as parquet
import pytest

ROWS = [
    {"id": f"q{n}", "question": f"What is {n} + {n}?", "answer": str(2 * n), "solution": "s"}
    for n in range(10)
]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder that commands run in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def export(call, here, write_rows):
    """`export(*options, rows=ROWS)`: the outcome, after writing the rows to q.jsonl."""

    def run(*options, rows=ROWS):
        write_rows(here / "q.jsonl", *rows)
        given = ("--format", "verl", "--out", "data", "--questions", "q.jsonl")
        return call("export-data", *given, *options)

    return run


def rows_of(path):
    return parquet.read_table(path).to_pylist()


def test_one_file_without_labels_whatever_the_questions_carry(export, here):
    outcome = export("--votes-per-question", "16")
    assert outcome.code == 0 and outcome.err == ""
    assert "train.parquet (10 rows); 16 votes a question" in outcome.out
    assert "left out of train.parquet: column 'answer', 'solution'" in outcome.out
    assert [path.name for path in (here / "data").iterdir()] == ["train.parquet"]
    rows = rows_of(here / "data" / "train.parquet")
    assert [row["extra_info"]["id"] for row in rows] == [f"q{n}" for n in range(10)]
    assert {row["__rollout_n__"] for row in rows} == {16}
    assert {row["reward_model"]["ground_truth"] for row in rows} == {""}


def test_no_label_stands_anywhere_in_the_training_file(export, here):
    rows = [{"question": f"Question {n}?", "answer": f"SECRET{n}"} for n in range(4)]
    assert export("--answers", "answer", rows=rows).code == 0
    assert "SECRET" not in json.dumps(rows_of(here / "data" / "train.parquet"))
    assert b"SECRET" not in (here / "data" / "train.parquet").read_bytes()


def test_named_answers_make_an_evaluation_file_of_the_same_questions(export, here):
    assert export("--answers", "answer").code == 0
    train, graded = (rows_of(here / "data" / f"{name}.parquet") for name in ("train", "evaluation"))
    assert [row["prompt"] for row in graded] == [row["prompt"] for row in train]
    assert [row["reward_model"]["ground_truth"] for row in graded] == [
        row["answer"] for row in ROWS
    ]
    assert "__rollout_n__" not in graded[0]


def test_questions_held_out_are_in_a_file_of_their_own(export, here):
    assert export("--holdout", "0.3", "--answers", "answer").code == 0
    train, held = (rows_of(here / "data" / f"{name}.parquet") for name in ("train", "heldout"))
    ids = [{row["extra_info"]["id"] for row in rows} for rows in (train, held)]
    assert len(held) == 3 and not ids[0] & ids[1] and ids[0] | ids[1] == {row["id"] for row in ROWS}
    true = {row["id"]: row["answer"] for row in ROWS}
    assert all(row["reward_model"]["ground_truth"] == true[row["extra_info"]["id"]] for row in held)


def test_held_out_questions_have_no_answers_unless_they_are_named(export, here):
    assert export("--holdout", "0.3").code == 0
    held = rows_of(here / "data" / "heldout.parquet")
    assert {row["reward_model"]["ground_truth"] for row in held} == {""}
    assert not (here / "data" / "evaluation.parquet").exists()


def test_evaluation_files_leave_out_questions_without_an_answer(export, here):
    rows = [{"question": "a", "answer": "1"}, {"question": "b", "answer": None}]
    assert export("--answers", "answer", rows=rows).code == 0
    assert len(rows_of(here / "data" / "train.parquet")) == 2
    assert len(rows_of(here / "data" / "evaluation.parquet")) == 1


def test_the_embedded_questions_need_no_file(call, here):
    options = ("--limit", "5", "--votes-per-question", "8", "--json")
    outcome = call("export-data", "--format", "verl", "--out", "data", *options)
    assert outcome.json == {
        "out": "data", "format": "verl", "votes_per_question": 8, "labels_left_out": [],
        "files": {"train.parquet": 5, "heldout.parquet": 5},
    }  # fmt: skip
    assert "train.parquet (5 rows)" in outcome.err


def test_tasks_options_and_limit_are_those_of_a_run(export, here):
    rows = [
        {"question": "Which?", "kind": "choice", "choices": ["a cat", "a dog"]},
        {"question": "How many?", "kind": None, "choices": None},
        {"question": "left out by --limit", "kind": None, "choices": None},
    ]
    options = [
        "--task",
        "number",
        "--task-column",
        "kind",
        "--options-column",
        "choices",
        "--limit",
        "2",
    ]
    assert export(*options, rows=rows).code == 0
    first, second = rows_of(here / "data" / "train.parquet")
    assert first["extra_info"]["task"] == "choice" and first["ability"] == "choice"
    assert first["extra_info"]["options"] == ["a cat", "a dog"]
    assert first["prompt"][0]["content"].startswith("Which?\n(A) a cat\n(B) a dog\n")
    assert second["ability"] == "number" and second["extra_info"]["task"] is None


def test_keys_come_from_files_and_variables_too(call, here, write_rows):
    write_rows(here / "q.jsonl", *ROWS)
    (here / "c.yaml").write_text("questions: q.jsonl\nvotes_per_question: 8\nlimit: 3\n")
    options = ("--format", "verl", "--out", "data", "--config", "c.yaml", "--json")
    told = call("export-data", *options, env={"TTRL_LIMIT": "2"}).json
    assert told["files"] == {"train.parquet": 2} and told["votes_per_question"] == 8


def test_sets_that_have_no_file_are_neither_read_nor_made(call, here, write_rows):
    """One config file serves a run and its export."""
    write_rows(here / "q.jsonl", *ROWS)
    (here / "c.yaml").write_text("questions: q.jsonl\ntransfer: [gone.jsonl]\nfresh: [gym:lcm]\n")
    options = ("--format", "verl", "--out", "data", "--config", "c.yaml", "--json")
    assert call("export-data", *options).json["files"] == {"train.parquet": 10}


def test_questions_in_every_script_with_braces_and_line_ends_stay_as_they_are(export, here):
    text = "數學: \\frac{1}{2}\u2028{question} \U0001f600\nnext"
    assert export(rows=[{"question": text}]).code == 0
    (row,) = rows_of(here / "data" / "train.parquet")
    assert row["extra_info"]["question"] == text and row["prompt"][0]["content"].startswith(text)


def test_the_data_source_is_what_the_user_says(export, here):
    assert export("--data-source", "openai/gsm8k").code == 0
    assert rows_of(here / "data" / "train.parquet")[0]["data_source"] == "openai/gsm8k"


def test_nothing_is_overwritten(export, refused, here):
    (here / "data").mkdir()
    (here / "data" / "mine.txt").write_text("mine")
    refused(export(), 2, "data", "exists already")
    assert [path.name for path in (here / "data").iterdir()] == ["mine.txt"]


BAD = {
    "one vote": (["--votes-per-question", "1"], 2, ["votes_per_question=1", "at least 2"]),
    "more votes than a number holds": (["--votes-per-question", "1" + "0" * 22], 2, ["at most"]),
    "no such format": (["--format", "trl"], 2, ["'trl'", "verl"]),
    "a key of training": (["--steps", "3"], 2, ["--steps", "ttrl train"]),
    "a misspelled key": (["--votes-per-qestion", "8"], 2, ["--votes-per-question"]),
    "no such file": (["--questions", "nope.jsonl"], 3, ["nope.jsonl", "no such file"]),
    "no such column": (["--question-column", "nope"], 3, ["'nope'", "id, question"]),
    "no such answers": (["--answers", "nope"], 3, ["answers=nope"]),
    "no share": (["--holdout", "2"], 2, ["between 0 and 1"]),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_ends_with_its_code_and_leaves_nothing(export, refused, here, kind):
    arguments, code, told = BAD[kind]
    refused(export(*arguments), code, *told)
    assert [path.name for path in here.iterdir()] == ["q.jsonl"]


@pytest.mark.parametrize("missing", ["--format", "--out"])
def test_format_and_folder_have_to_be_named(call, refused, missing):
    given = {"--format": "verl", "--out": "data"}
    given.pop(missing)
    refused(call("export-data", *next(iter(given.items()))), 2, missing)


def test_a_full_disk_leaves_nothing(ttrl, refused, here, write_rows):
    rows = [{"question": f"{n} " + "long " * 200 + str(n)} for n in range(400)]
    write_rows(here / "q.jsonl", *rows)
    options = ("--format", "verl", "--out", "data", "--questions", "q.jsonl")
    outcome = ttrl("export-data", *options, cwd=here, largest_file=2_000)
    refused(outcome, 2, "data", "cannot be written")
    assert [path.name for path in here.iterdir()] == ["q.jsonl"]


def test_neither_torch_nor_transformers_is_imported(here):
    command = (
        "import sys; from ttrl.cli.main import main; code = main(sys.argv[1:]);"
        "print(sorted({'torch', 'transformers'} & set(sys.modules))); sys.exit(code)"
    )
    options = ["export-data", "--format", "verl", "--out", "data", "--limit", "2", "--json"]
    done = subprocess.run(
        [sys.executable, "-c", command, *options], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_reads_well_and_imports_nothing_heavy(ttrl):
    outcome = ttrl("export-data", "--help", env={"COLUMNS": "100"})
    assert outcome.code == 0 and "usage: ttrl export-data --format verl --out FOLDER" in outcome.out
    for option in ("--questions", "--answers", "--votes-per-question", "--data-source", "--json"):
        assert option in outcome.out
    assert "--steps" not in outcome.out
    assert max(map(len, outcome.out.splitlines())) <= 100
