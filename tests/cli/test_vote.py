"""`ttrl vote` as a user calls it."""

import csv
import json

import pytest

ROWS = [
    {"id": "a", "completion": r"\boxed{0.5}"},
    {"id": "a", "completion": r"so \boxed{\frac12}"},
    {"id": "a", "completion": "no idea"},
    {"id": "a", "completion": r"\boxed{3}"},
    {"id": "b", "completion": "?"},
]


@pytest.fixture
def completions(tmp_path):
    """`completions(rows)`: a .jsonl file with them."""

    def write(rows=ROWS, name="c.jsonl"):
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    return write


def test_rows_of_completions_become_one_row_per_question(call, completions, tmp_path):
    done = call("vote", str(completions()), "--out", str(tmp_path / "v.jsonl"))
    assert done.code == 0 and "2 questions, 5 completions" in done.err
    first, second = map(json.loads, (tmp_path / "v.jsonl").read_text().splitlines())
    assert first == {
        "id": "a", "pseudo_label": "0.5", "majority_ratio": 0.5, "tied": False,
        "answers": ["0.5", r"\frac12", None, "3"], "classes": [0, 0, None, 1], "counts": [2, 1],
        "rewards": [1.0, 1.0, 0.0, 0.0],
    }  # fmt: skip
    assert second["pseudo_label"] is None and second["rewards"] == [0.0]


def test_without_a_file_the_rows_go_to_standard_output(call, completions):
    done = call("vote", str(completions()), "--reward", "soft")
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert [row["rewards"] for row in rows] == [[0.5, 0.5, 0.0, 0.25], [0.0]]


def test_csv_holds_lists_as_json_and_no_label_as_an_empty_cell(call, completions, tmp_path):
    rows = [*ROWS, {"id": "c", "completion": "\\boxed{\ud800\x00}"}]
    done = call("vote", str(completions(rows)), "--out", str(tmp_path / "v.csv"), "--json")
    assert done.code == 0 and done.json["questions"] == 3 and done.json["without_label"] == 1
    with open(tmp_path / "v.csv", newline="") as stream:
        read = list(csv.DictReader(stream))
    assert json.loads(read[0]["classes"]) == [0, 0, None, 1]
    assert read[1]["pseudo_label"] == "" and read[2]["pseudo_label"] == "\\ud800\x00"


def test_tasks_and_options_may_stand_in_the_rows(call, completions):
    rows = [
        {
            "id": 1,
            "task": "choice",
            "options": ["cat", "dog"],
            "completions": ["The answer is B", "dog"],
        },
        {"id": 2, "task": "label", "options": ["spam", "ham"], "completions": ["Spam", "eggs"]},
        {"id": 3, "completions": [r"\boxed{1}"]},
    ]
    done = call("vote", str(completions(rows)))
    found = [json.loads(line) for line in done.out.splitlines()]
    assert [row["pseudo_label"] for row in found] == ["B", "spam", "1"]
    assert [row["classes"] for row in found] == [[0, 0], [0, None], [0]]


def test_a_pipe_is_read_and_written(ttrl, completions):
    done = ttrl("vote", "-", stdin=completions().read_text())
    assert done.code == 0 and len(done.out.splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["missing.jsonl"], 3, "missing.jsonl: cannot be read"),
        ([], 2, "FILE"),
        (["FILE", "--task", "maths"], 2, "task='maths'"),
        (["FILE", "--reward", "majorty"], 2, "Did you mean majority?"),
        (["FILE", "--reward", "answer-key"], 2, "needs true answers"),
        (
            ["FILE", "--reward", "confidence"],
            3,
            "question 'a', completion 0: reward=confidence needs",
        ),
        (["FILE", "--out", "v.txt"], 2, "ends in .jsonl or .csv"),
        (["FILE", "--out", "FILE"], 2, "exists already"),
        (["FILE", "--out", "no/such/folder/v.jsonl"], 2, "cannot be written"),
        (["FILE", "--steps", "3"], 2, "It is an option of ttrl train"),
    ],
)
def test_wrong_calls_are_told_in_one_message(call, completions, arguments, code, message):
    file = str(completions())
    done = call("vote", *(file if a == "FILE" else a for a in arguments))
    assert done.code == code and message in done.err and "Traceback" not in done.err


def test_a_broken_row_leaves_no_half_written_file(call, completions, tmp_path):
    path = completions()
    path.write_bytes(path.read_bytes() + b"{broken\n")
    done = call("vote", str(path), "--out", str(tmp_path / "v.jsonl"))
    assert done.code == 3 and "c.jsonl line 6: broken JSON" in done.err
    assert [p.name for p in tmp_path.iterdir()] == ["c.jsonl"]
