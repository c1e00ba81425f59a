"""Reads the rows of a file or of a hub data set as plain dicts and records where each came from.

Nothing here knows about questions or answers. Cells keep the type that the format gives them; those
of .csv and .tsv stay text, so that an answer of 025 is not read as the number 25.
"""

from __future__ import annotations

import codecs
import csv
import importlib
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ttrl.errors import ConfigError, DataError

HUB_PREFIX = "hub:"
_HUB_FORM = "hub:org/name[/subset][@revision][:split], for example hub:openai/gsm8k/main:test"
_HUB_SPEC = re.compile(
    r"hub:(?P<name>[\w.-]+/[\w.-]+)(?:/(?P<subset>[\w.-]+))?(?:@(?P<revision>[^@:]+))?(?::(?P<split>.+))?"
)

Row = dict[str, object]

_HALF_PAIR = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    r"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F]"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of a file or data set, with the names and places that error messages need."""

    name: str
    """The name of the file without its folder, or the hub spec."""
    rows: list[Row]
    columns: tuple[str, ...]
    """Every column of any row, in the order of first appearance."""
    lines: tuple[int, ...] | None = None
    """The line of each row, counted from 1, in formats where a row is a line."""

    def where(self, index: int) -> str:
        """Returns the place of row `index` (from 0) for messages: its line, or its number counted from 1."""
        if self.lines is not None:
            return f"{self.name} line {self.lines[index]}"
        return f"{self.name} row {index + 1}"


def read_rows(path_or_spec: str) -> Table:
    """Reads a .jsonl, .ndjson, .json, .csv, .tsv or .parquet file, or `hub:...`.

    Raises:
        DataError: a file that is missing, empty, broken or of an unknown kind, or a hub failure.
        ConfigError: the spec has the wrong form, or needs a package that is not installed.
    """
    if path_or_spec.startswith(HUB_PREFIX):
        table = _read_hub(path_or_spec)
    else:
        path = Path(path_or_spec)
        data = _read_bytes(path)
        reader = _READERS.get(path.suffix.lower())
        if reader is None:
            raise DataError(
                f"{path}: got a file that ends in {path.suffix or 'nothing'!r}, wanted one of "
                f"{', '.join(_READERS)}. Convert the file or rename it to what it holds."
            )
        if not data.removeprefix(codecs.BOM_UTF8).strip():
            raise DataError(f"{path}: the file is empty, wanted at least one row. Fill it.")
        table = reader(path.name, data)
    if not table.rows:
        raise DataError(f"{table.name}: got no rows, wanted at least one. Add rows.")
    return table


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise DataError(
            f"{path}: no such file (seen from {Path.cwd()}). "
            f"Give the path of a file ({', '.join(_READERS)}) or {_HUB_FORM}."
        ) from None
    except IsADirectoryError:
        raise DataError(
            f"{path}: got a folder, wanted one file ({', '.join(_READERS)}). "
            "Name one of the files in it."
        ) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise DataError(f"{path}: cannot be read ({error}). Check path and rights.") from error


def _text(name: str, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{name} line {line}: byte 0x{data[error.start]:02x} is not UTF-8. "
            "Save the file as UTF-8 text."
        ) from None


def _json_value(text: str, name: str, *, first_line: int, hint: str) -> object:
    try:
        value: object = json.loads(text)
        half = _HALF_PAIR.search(text)
        if half:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        return value
    except UnicodeEncodeError:  # it could not be tokenized or written to a record either
        line = first_line + (text.count("\n", 0, half.start()) if half else 0)
        problem = "half of a surrogate pair (\\ud800 to \\udfff) is no character"
    except json.JSONDecodeError as error:
        line, problem = first_line + error.lineno - 1, f"{error.msg} at column {error.colno}"
    except RecursionError:
        line, problem = first_line, "nested too deeply"
    except ValueError as error:  # a number of more than 4,300 digits
        line, problem = first_line, str(error).split(";")[0]
    raise DataError(f"{name} line {line}: broken JSON ({problem}). {hint}") from None


def _read_json_lines(name: str, data: bytes) -> Table:
    rows: list[Row] = []
    lines: list[int] = []
    hint = "Wanted one JSON object in each line; a file that is one JSON list is named .json."
    # Not splitlines(): JSON strings may hold U+2028 and other characters that end a line for it.
    for line, text in enumerate(_text(name, data).split("\n"), start=1):
        if not text.strip():
            continue
        value = _json_value(text, name, first_line=line, hint=hint)
        if not isinstance(value, dict):
            raise DataError(f"{name} line {line}: got {_kind(value)}. {hint}")
        rows.append(value)
        lines.append(line)
    return Table(name=name, rows=rows, columns=_union(rows), lines=tuple(lines))


def _read_json(name: str, data: bytes) -> Table:
    hint = "Mend that line; a file with one object in each line is named .jsonl."
    value = _json_value(_text(name, data), name, first_line=1, hint=hint)
    wanted = 'wanted a list of objects: [{"question": "..."}, ...]'
    if not isinstance(value, list):
        raise DataError(f"{name}: got {_kind(value)}, {wanted}. Keep only the list in the file.")
    for index, row in enumerate(value):
        if not isinstance(row, dict):
            raise DataError(f"{name} row {index + 1}: got {_kind(row)}, {wanted}.")
    return Table(name=name, rows=value, columns=_union(value))


def _read_separated(name: str, data: bytes, separator: str) -> Table:
    # newline="" leaves line ends inside quotes as they are. strict: a quote that never closes is an
    # error, not one cell that swallows the rest of the file.
    reader = csv.reader(
        io.StringIO(_text(name, data), newline=""), delimiter=separator, strict=True
    )
    rows: list[Row] = []
    columns: list[str] | None = None
    try:
        for cells in reader:
            if not cells:  # a blank line
                continue
            if columns is None:
                columns = cells
                _refuse_repeated(columns, name)
                continue
            if len(cells) > len(columns):
                raise DataError(
                    f"{name} row {len(rows) + 1} (ends at line {reader.line_num}): "
                    f"got {len(cells)} cells, wanted {len(columns)} as in the header. "
                    "Put quotes around cells that hold the separator."
                )
            rows.append(dict(zip(columns, cells, strict=False)))
    except csv.Error as error:
        raise DataError(
            f"{name} line {reader.line_num}: broken table ({error}). "
            'Write a quote inside a quoted cell twice ("") and close every quote, or use .jsonl.'
        ) from None
    return Table(name=name, rows=rows, columns=tuple(columns or ()))


def _read_csv(name: str, data: bytes) -> Table:
    return _read_separated(name, data, ",")


def _read_tsv(name: str, data: bytes) -> Table:
    return _read_separated(name, data, "\t")


def _read_parquet(name: str, data: bytes) -> Table:
    arrow = _import("pyarrow", "pip install pyarrow", "reading .parquet files")
    parquet = importlib.import_module("pyarrow.parquet")
    try:
        # From bytes: given a path, pyarrow adds columns for folders that are named like key=value.
        content = parquet.ParquetFile(arrow.BufferReader(data)).read()
        columns = [str(column) for column in content.column_names]
        _refuse_repeated(columns, name)
        for index, field in enumerate(content.schema):
            if arrow.types.is_timestamp(
                field.type
            ):  # nanoseconds, which pandas writes, need pandas
                seconds = content.column(index).cast(arrow.timestamp("s"), safe=False)
                content = content.set_column(index, field.name, seconds)
        rows = content.to_pylist()
    except (arrow.ArrowException, OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"{name}: not a readable parquet file ({_first_line(error)}). Write it again."
        ) from error
    return Table(name=name, rows=rows, columns=tuple(columns))


_READERS: dict[str, Callable[[str, bytes], Table]] = {
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".json": _read_json,
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".parquet": _read_parquet,
}


def _read_hub(spec: str) -> Table:
    parts = _HUB_SPEC.fullmatch(spec)
    if parts is None:
        raise ConfigError(f"{spec}: not a data set of the hub. Write it as {_HUB_FORM}.")
    datasets = _import("datasets", "pip install datasets", "reading hub: data sets")
    try:
        loaded = datasets.load_dataset(
            parts["name"], parts["subset"], revision=parts["revision"], split=parts["split"]
        )
    except Exception as error:  # the hub's errors share no base class
        raise DataError(
            f"{spec}: cannot be loaded ({_first_line(error)}). Check the name, the split and the "
            "network, or download the data set as a file."
        ) from error
    if parts["split"] is None:  # then it is one data set per split
        splits = sorted(map(str, loaded))
        if len(splits) != 1:
            raise DataError(
                f"{spec}: got the splits {', '.join(splits)}, wanted one. "
                f"Name it, as in {spec}:{splits[0]}"
            )
        loaded = loaded[splits[0]]
    return Table(
        name=spec, rows=[dict(row) for row in loaded], columns=tuple(map(str, loaded.column_names))
    )


def _import(module: str, remedy: str, purpose: str) -> Any:
    """Imports a module as Any, since neither pyarrow nor datasets has types."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ConfigError(
            f"{purpose} needs the package {module!r}, which is not installed. Run: {remedy}"
        ) from None


def _refuse_repeated(columns: Sequence[str], name: str) -> None:
    repeated = [column for column, count in Counter(columns).items() if count > 1]
    if repeated:
        raise DataError(
            f"{name}: the column {repeated[0]!r} occurs more than once, wanted distinct names. "
            "Rename one of them."
        )


def _union(rows: Iterable[Row]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(column for row in rows for column in row))


def _kind(value: object) -> str:
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "a truth value"}
    return "null" if value is None else kinds.get(type(value), "a number")


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200]
