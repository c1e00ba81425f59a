import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from ttrl.data.tables import Table
from ttrl.errors import DataError
from ttrl.evaluation.answer_key import AnswerSheet, read_answers, resolve_answers


def table(*rows: dict[str, object]) -> Table:
    columns = tuple(dict.fromkeys(column for row in rows for column in row))
    return Table(name="t.json", rows=list(rows), columns=columns)


def answers_of(cells: Sequence[object], column: str = "answer") -> list[str | None]:
    ids = [str(i) for i in range(len(cells))]
    sheet = read_answers(table(*({column: cell} for cell in cells)), column=None, ids=ids)
    return [sheet.get(id) for id in ids]


@pytest.mark.parametrize(
    "column", ["answer", "Answer", "solution", "label", "Target", "final_answer", "FINAL_ANSWER"]
)
def test_the_answer_column_is_found_by_its_name(column: str) -> None:
    assert answers_of(["5"], column) == ["5"]


def test_a_short_answer_goes_before_a_worked_solution() -> None:
    row: dict[str, object] = {"solution": "long", "final_answer": "6"}
    assert read_answers(table(row), column=None, ids=["x"]).answers == {"x": "6"}
    assert read_answers(table(row), column="solution", ids=["x"]).answers == {"x": "long"}


def test_verl_keeps_the_answer_in_reward_model() -> None:
    cells = [{"style": "rule", "ground_truth": "34"}, {"ground_truth": 7}, {"ground_truth": None}]
    assert answers_of(cells, "reward_model") == ["34", "7", None]


@pytest.mark.parametrize(
    ("cell", "answer"),
    [
        ("9 * 2 = <<9*2=18>>18 a day.\n#### 18", "18"),
        ("a\n#### 1,234 \n", "1,234"),
        ("#### 3\nno, wait\n####4", "4"),
        ("#### Step 1\nadd them\n\\boxed{5}", "5"),
        ("#### The answer is \\boxed{5}", "5"),
        ("First \\boxed{1}, so $x = \\boxed{\\frac{3}{4}}$.", "\\frac{3}{4}"),
        ("  p - q ", "p - q"),
        ("025", "025"),
        (51.0, "51.0"),
        (51, "51"),
        (Decimal("1.50"), "1.50"),
        ("", None),
        (" \n", None),
        ("worked\n#### ", None),
        ("so $\\boxed{}$", None),
        (None, None),
        (float("nan"), None),
    ],
)
def test_the_final_answer_is_taken_out_of_the_cell(cell: object, answer: str | None) -> None:
    assert answers_of([cell, "other"]) == [answer, "other"]


@pytest.mark.parametrize(
    ("rows", "column", "parts"),
    [
        ([{"question": "q", "gold": "1"}], None, ["t.json", "question, gold", "--answers"]),
        ([{"question": "q", "gold": "1"}], "golds", ["t.json", "'golds'", "question, gold"]),
        (
            [{"answer": ""}, {"answer": None}],
            None,
            ["t.json", "'answer'", "2 rows", "at least one"],
        ),
        ([{"answer": "1"}, {"answer": [1, 2]}], None, ["t.json row 2", "got list", "number"]),
        ([{"answer": {"value": 1}}], None, ["t.json row 1", "got dict"]),
    ],
)
def test_a_bad_answer_column_is_told(
    rows: list[dict[str, object]], column: str | None, parts: list[str]
) -> None:
    with pytest.raises(DataError) as caught:
        read_answers(table(*rows), column=column, ids=[str(i) for i in range(len(rows))])
    for part in parts:
        assert part in str(caught.value)


def test_rows_and_ids_have_to_be_equally_many() -> None:
    with pytest.raises(DataError, match="got 1 rows of answers, wanted 2"):
        read_answers(table({"answer": "1"}), column=None, ids=["a", "b"])


QUESTIONS = table(
    {"id": "a", "question": "q", "gold": "1"}, {"id": "b", "question": "q", "gold": "2"}
)
UNNUMBERED = table({"question": "q"}, {"question": "r"})


def write(folder: Path, rows: list[dict[str, object]]) -> str:
    path = folder / "key.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def test_answers_may_be_a_column_of_the_questions() -> None:
    assert resolve_answers("gold", QUESTIONS).answers == {"a": "1", "b": "2"}
    assert resolve_answers("Gold", QUESTIONS).answers == {"a": "1", "b": "2"}


def test_a_file_with_ids_is_matched_by_id(tmp_path: Path) -> None:
    path = write(tmp_path, [{"ID": "b", "answer": "8"}, {"ID": "other", "answer": "9"}])
    assert resolve_answers(path, QUESTIONS).answers == {"b": "8"}
    by_row = write(tmp_path, [{"id": 1, "answer": "8"}])
    assert resolve_answers(by_row, UNNUMBERED).answers == {"1": "8"}


def test_a_file_without_ids_is_matched_by_position(tmp_path: Path) -> None:
    path = write(tmp_path, [{"answer": "8"}, {"answer": ""}])
    assert resolve_answers(path, QUESTIONS).answers == {"a": "8"}
    assert resolve_answers(path, UNNUMBERED).answers == {"0": "8"}


def test_a_file_that_matches_nothing_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, [{"answer": "8"}])
    with pytest.raises(DataError, match=r"got 1 rows and no id column.*2 rows of t\.json"):
        resolve_answers(path, QUESTIONS)
    path = write(tmp_path, [{"id": "z", "answer": "8"}])
    with pytest.raises(DataError, match="such as 'z', wanted ids such as 'a'"):
        resolve_answers(path, QUESTIONS)


def test_a_spec_that_is_neither_column_nor_file_lists_the_columns() -> None:
    for spec in ("golds", "missing.jsonl"):
        with pytest.raises(DataError, match=f"answers={spec}: neither.*id, question, gold"):
            resolve_answers(spec, QUESTIONS)


def test_an_unlabeled_question_has_no_answer() -> None:
    assert AnswerSheet(answers={"a": "1"}).get("b") is None
