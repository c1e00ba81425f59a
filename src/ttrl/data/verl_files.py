"""A folder of parquet files that verl reads. It appears when all of them are complete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ttrl.data.verl_rows import VOTES_COLUMN, Row
from ttrl.errors import ConfigError
from ttrl.files import whole_folder


def write_files(folder: Path, files: Mapping[str, Sequence[Row]]) -> None:
    """Writes rows as parquet files into a new folder.

    Args:
        folder: must not exist.
        files: rows by name of file.

    Raises:
        ConfigError: the folder cannot be written; nothing is left of it.
    """
    from pyarrow import ArrowException

    try:
        with whole_folder(folder) as beside:
            for name, rows in files.items():
                _write(beside / name, rows)
    except (OSError, ArrowException) as error:
        raise ConfigError(
            f"--out {folder}: cannot be written ({error}). Name a place with room and rights."
        ) from None


def _write(path: Path, rows: Sequence[Row]) -> None:
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    votes = any(VOTES_COLUMN in row for row in rows)
    table = arrow.Table.from_pylist(list(rows), schema=_schema(arrow, votes=votes))
    parquet.write_table(table, path)


def _schema(arrow: Any, *, votes: bool) -> Any:
    """Types are told and not found, so that a column of nothing but empty cells has one too."""
    text, whole = arrow.string(), arrow.int64()
    message = arrow.struct([("role", text), ("content", text)])
    asked = [("index", whole), ("id", text), ("question", text), ("task", text)]
    asked += [("options", arrow.list_(text)), ("votes", whole)]
    columns = [
        ("data_source", text),
        ("prompt", arrow.list_(message)),
        ("ability", text),
        ("reward_model", arrow.struct([("style", text), ("ground_truth", text)])),
        ("extra_info", arrow.struct(asked)),
    ]
    return arrow.schema([*columns, *([(VOTES_COLUMN, whole)] if votes else [])])
