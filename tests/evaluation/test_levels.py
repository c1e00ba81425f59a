import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ttrl.config import resolve
from ttrl.data.tables import Table
from ttrl.errors import ConfigError, DataError
from ttrl.evaluation.labels import RunSets, build_sets, read_levels


def levels(*cells: Any, column: str | None = None, called: str = "level") -> dict[str, str]:
    rows: list[dict[str, object]] = [{"question": "?", called: cell} for cell in cells]
    table = Table(name="q.jsonl", rows=rows, columns=("question", called))
    ids = [str(place) for place in range(len(cells))]
    return read_levels(table, column, ids=ids, required=True)


def test_numbers_and_short_texts_are_levels_and_empty_cells_are_none() -> None:
    found = levels(3, "Level 3", 3.0, 2.5, Decimal(4), " hard ", "", None, float("nan"))
    assert list(found.values()) == ["3", "Level 3", "3", "2.5", "4", "hard"]
    assert list(found) == ["0", "1", "2", "3", "4", "5"]


def test_the_column_is_found_by_its_name_or_named() -> None:
    assert levels(1, called="Difficulty") == {"0": "1"}
    assert levels(1, called="grade") == {}
    assert levels(1, called="grade", column="grade") == {"0": "1"}


@pytest.mark.parametrize(
    "cell", [["hard"], True, "x" * 41, "a\nb", "\x1b[2J", 10**12, float("inf")]
)
def test_what_is_no_level_is_refused_if_named_and_else_left_alone(cell: Any) -> None:
    assert levels(1, cell) == {}
    with pytest.raises(DataError, match=r"row 2, column 'level'.*--level-column"):
        levels(1, cell, column="level")


def test_a_measurement_is_no_level() -> None:
    cells = [place / 7 for place in range(50)]
    assert levels(*cells) == {}
    with pytest.raises(DataError, match="50 different levels"):
        levels(*cells, column="level")


def test_a_named_column_that_is_not_there_is_refused() -> None:
    with pytest.raises(DataError, match=r"no column 'grade', got the columns question, level"):
        levels(1, column="grade")


def sets(**given: Any) -> RunSets:
    return build_sets(resolve(given, environment={}).values)


def write_rows(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    rows = [{"id": f"q{i}", "question": f"Why {i}?", "level": i % 3} for i in range(10)]
    return write_rows(tmp_path / "q.jsonl", *rows)


def test_both_sides_of_a_held_out_share_know_their_levels(file: Path) -> None:
    found = sets(questions=str(file), holdout="0.3")
    assert [each.name for each in found.all] == ["unlabeled", "heldout"]
    for each in found.all:
        for question in each.questions:
            assert found.labels[each.name].levels[question.id] == str(int(question.id[1:]) % 3)


def test_a_held_out_file_has_levels_of_its_own_or_none(file: Path, tmp_path: Path) -> None:
    own = write_rows(tmp_path / "own.jsonl", {"id": "q0", "question": "Who?", "level": "Level 9"})
    without = write_rows(tmp_path / "without.jsonl", {"question": "Who?"})
    options = {"questions": str(file), "level_column": "level"}
    assert sets(**options, holdout=str(own)).labels["heldout"].levels == {"q0": "Level 9"}
    assert sets(**options, holdout=str(without)).labels["heldout"].levels == {}


def test_embedded_questions_have_no_levels() -> None:
    assert not any(known.levels for known in sets(limit=4).labels.values())
    with pytest.raises(ConfigError, match="level_column='level'"):
        sets(level_column="level")
