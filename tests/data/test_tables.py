import json
import sys
import types
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ttrl.data.tables import Table, read_rows
from ttrl.errors import ConfigError, DataError


def write(folder: Path, name: str, content: str | bytes) -> str:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def failure(path: str) -> str:
    with pytest.raises(DataError) as caught:
        read_rows(path)
    return str(caught.value)


def test_every_format_gives_the_same_rows(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [{"question": "1 + 1?", "answer": "2"}, {"question": 'a, "b"\nc', "answer": "025"}]
    write(tmp_path, "t.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    write(tmp_path, "t.ndjson", "\r\n".join(json.dumps(row) for row in rows))
    write(tmp_path, "t.json", json.dumps(rows, indent=1))
    for suffix, mark in (("csv", ","), ("tsv", "\t")):
        write(
            tmp_path,
            f"t.{suffix}",
            f'question{mark}answer\n1 + 1?{mark}2\n"a, ""b""\nc"{mark}025\n',
        )
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "t.parquet")
    for suffix in ("jsonl", "ndjson", "json", "csv", "tsv", "parquet"):
        table = read_rows(str(tmp_path / f"t.{suffix}"))
        assert (table.name, table.rows, table.columns) == (
            f"t.{suffix}",
            rows,
            ("question", "answer"),
        )


def test_suffixes_may_be_upper_case_and_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    bom = b"\xef\xbb\xbf"
    for name, content in (
        ("A.JSONL", b'{"question": "q"}'),
        ("a.json", b'[{"question": "q"}]'),
        ("a.csv", b"question\r\nq\r\n"),
    ):
        assert read_rows(write(tmp_path, name, bom + content)).columns == ("question",)


def test_places_are_lines_of_jsonl_and_rows_of_the_rest(tmp_path: Path) -> None:
    lines = read_rows(write(tmp_path, "q.jsonl", '\n{"a": 1}\n\n{"a": 2}\n'))
    assert [lines.where(i) for i in range(2)] == ["q.jsonl line 2", "q.jsonl line 4"]
    assert read_rows(write(tmp_path, "q.csv", "a\n1\n2\n")).where(1) == "q.csv row 2"


def test_a_line_separator_inside_a_json_string_does_not_end_the_line(tmp_path: Path) -> None:
    table = read_rows(write(tmp_path, "q.jsonl", '{"a": "x\u2028y\x85z"}\n'))
    assert table.rows == [{"a": "x\u2028y\x85z"}]


def test_columns_are_those_of_all_rows_and_short_csv_rows_lack_cells(tmp_path: Path) -> None:
    table = read_rows(write(tmp_path, "q.jsonl", '{"a": 1}\n{"b": 2, "a": 3}\n'))
    assert table.columns == ("a", "b")
    assert read_rows(write(tmp_path, "q.csv", "a,b\n1\n")).rows == [{"a": "1"}]


def test_folders_named_like_partitions_add_no_columns_to_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    folder = tmp_path / "seed=0"
    folder.mkdir()
    parquet.write_table(pyarrow.table({"a": [1]}), folder / "t.parquet")
    assert read_rows(str(folder / "t.parquet")).columns == ("a",)


def test_times_in_nanoseconds_do_not_hide_the_questions_beside_them(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {"question": ["q"]} | {
        f"at{zone}": pyarrow.array([1_700_000_000_000_000_001], pyarrow.timestamp("ns", zone))
        for zone in (None, "UTC", "Europe/Berlin")
    }
    parquet.write_table(pyarrow.table(columns), tmp_path / "t.parquet")
    row = read_rows(str(tmp_path / "t.parquet")).rows[0]
    assert row["question"] == "q" and str(row["atNone"]) == "2023-11-14 22:13:20"


@pytest.mark.parametrize(
    ("name", "content", "parts"),
    [
        ("e.jsonl", "", ["e.jsonl", "empty"]),
        ("e.csv", b"\xef\xbb\xbf \n", ["e.csv", "empty"]),
        ("e.json", "[]", ["e.json", "no rows"]),
        ("e.csv", "question,answer\n", ["e.csv", "no rows"]),
        ("b.jsonl", '{"a": 1}\n\n{"a": \n', ["b.jsonl line 3", "broken JSON", "column"]),
        ("b.jsonl", '[\n{"a": 1}\n]\n', ["b.jsonl line 1", "named .json"]),
        ("b.jsonl", '{"a": 1}\n[1]\n', ["b.jsonl line 2", "got a list", "one JSON object"]),
        ("b.jsonl", '"text"\n', ["b.jsonl line 1", "got a text"]),
        ("b.jsonl", "null\n", ["got null"]),
        ("b.jsonl", "7\n", ["got a number"]),
        ("b.jsonl", '{"a": ' + "[" * 100_000 + "\n", ["b.jsonl line 1", "nested too deeply"]),
        ("b.jsonl", '{"a": ' + "1" * 5000 + "}\n", ["b.jsonl line 1", "4300 digits"]),
        ("b.jsonl", '{"a": 1}\n{"a": "\\ud83d"}\n', ["b.jsonl line 2", "surrogate"]),
        (
            "b.json",
            '[\n{"a": "\\ud83d\\ude00"},\n{"a": "\\ude00"}]',
            ["b.json line 3", "surrogate"],
        ),
        ("b.json", '[\n{"a": 1},\n{"a" 2}]', ["b.json line 3", "broken JSON"]),
        ("b.json", '{"a": 1}\n{"a": 2}\n', ["b.json line 2", "named .jsonl"]),
        ("b.json", '{"data": []}', ["b.json", "got an object", "list of objects"]),
        ("b.json", '[{"a": 1}, "x"]', ["b.json row 2", "got a text", "list of objects"]),
        ("b.csv", "a,b\n1,2\n3,4,5\n", ["b.csv row 2", "line 3", "got 3 cells", "wanted 2"]),
        ("b.csv", 'a\n1\n"open\n', ["b.csv line 3", "broken table", "close every quote"]),
        ("b.csv", "a,b,a\n1,2,3\n", ["b.csv", "'a'", "more than once"]),
        ("b.csv", "a\n" + "x" * 200_000, ["b.csv line 2", "field limit"]),
        ("b.parquet", "PAR1 no", ["b.parquet", "not a readable parquet"]),
        ("b.xlsx", "x", [".xlsx", ".jsonl, .ndjson, .json, .csv, .tsv, .parquet"]),
        ("noending", "x", ["nothing", ".jsonl"]),
        ("u.jsonl", b'{"a": 1}\n{"a": "\xe9"}\n', ["u.jsonl line 2", "0xe9", "UTF-8"]),
        ("u.csv", "a\n1\n".encode("utf-16"), ["u.csv line 1", "UTF-8"]),
    ],
)
def test_a_bad_file_is_told_with_its_place(
    tmp_path: Path, name: str, content: str | bytes, parts: list[str]
) -> None:
    message = failure(write(tmp_path, name, content))
    for part in parts:
        assert part in message
    assert len(message) < 500


def test_a_missing_file_and_a_folder_are_told(tmp_path: Path) -> None:
    assert "no such file" in failure(str(tmp_path / "no.jsonl"))
    assert "got a folder" in failure(str(tmp_path))
    assert "cannot be read" in failure("a\0b.jsonl")


ROBUST = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@ROBUST
@given(content=st.binary(max_size=200) | st.text(alphabet='{}[]":,\\u d8é1.e-\n', max_size=60))
@pytest.mark.parametrize("suffix", ["jsonl", "json", "csv"])
def test_any_bytes_give_rows_or_a_data_error(
    tmp_path: Path, suffix: str, content: bytes | str
) -> None:
    try:
        table = read_rows(write(tmp_path, f"any.{suffix}", content))
    except DataError:
        return
    assert isinstance(table, Table) and table.rows
    assert all(table.where(i).startswith(f"any.{suffix}") for i in range(len(table.rows)))


@ROBUST
@given(rows=st.lists(st.dictionaries(st.text(), st.text() | st.integers() | st.none()), min_size=1))
def test_what_is_written_as_jsonl_is_read_back(
    tmp_path: Path, rows: list[dict[str, object]]
) -> None:
    for escape in (True, False):
        text = "\n".join(json.dumps(row, ensure_ascii=escape) for row in rows)
        assert read_rows(write(tmp_path, "back.jsonl", text)).rows == rows


class FakeSplit(list[dict[str, object]]):
    column_names = ("question",)


def fake_hub(monkeypatch: pytest.MonkeyPatch, loaded: object) -> list[tuple[object, ...]]:
    """Puts a `datasets` module in place that gives (or raises) `loaded`, and returns its calls."""
    calls: list[tuple[object, ...]] = []

    def load_dataset(name: str, subset: str | None, *, revision: str | None, split: str | None):  # type: ignore[no-untyped-def]
        calls.append((name, subset, revision, split))
        if isinstance(loaded, Exception):
            raise loaded
        return loaded

    module = types.ModuleType("datasets")
    module.load_dataset = load_dataset  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "datasets", module)
    return calls


def test_a_hub_spec_names_subset_revision_and_split(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = fake_hub(monkeypatch, FakeSplit([{"question": "q"}]))
    table = read_rows("hub:openai/gsm8k/main@v1.0:test[:10]")
    assert calls == [("openai/gsm8k", "main", "v1.0", "test[:10]")]
    assert (table.rows, table.columns) == ([{"question": "q"}], ("question",))
    assert table.where(0) == "hub:openai/gsm8k/main@v1.0:test[:10] row 1"


def test_without_a_split_the_only_one_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    one = FakeSplit([{"question": "q"}])
    calls = fake_hub(monkeypatch, {"test": one})
    assert read_rows("hub:a/b").rows == [{"question": "q"}]
    assert calls == [("a/b", None, None, None)]
    fake_hub(monkeypatch, {"train": one, "test": one})
    message = failure("hub:a/b")
    assert "test, train" in message and "hub:a/b:test" in message


def test_hub_failures_are_short_data_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_hub(monkeypatch, RuntimeError("no route to host\n" + "long story\n" * 100))
    message = failure("hub:a/b:test")
    assert "no route to host" in message and "long story" not in message
    fake_hub(monkeypatch, FakeSplit())
    assert "no rows" in failure("hub:a/b:test")


def test_a_missing_package_or_a_wrong_form_is_a_config_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ConfigError, match="pip install datasets"):
        read_rows("hub:a/b:test")
    for spec in ("hub:", "hub:name", "hub:a/b/c/d", "hub:a/b@", "hub:a/b:"):
        with pytest.raises(ConfigError, match="hub:org/name"):
            read_rows(spec)
