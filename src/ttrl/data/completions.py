"""Reads completions from JSON Lines, one row per completion or one per question, as a stream."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ttrl.data.questions import ID_COLUMNS, find_column, options_of_cell, shown, task_of_cell
from ttrl.errors import DataError
from ttrl.types import Completion, FinishReason, Group, Question

LARGEST = 1e9
"""The largest accepted log-probability or entropy by absolute value, in nats."""
WANTED = (
    'Wanted one JSON object in each line: {"id": ..., "completion": text}, rows of one id after each other, '
    'or {"id": ..., "completions": [text, ...]}.'
)


def read_groups(lines: Iterable[bytes], *, name: str, unsorted: bool = False) -> Iterator[Group]:
    """Yields one group per question, each as soon as its last row is read.

    Besides `id` and `completion` or `completions`, a row may hold `question` or `prompt`, `task`, `options`,
    and for each completion `finish_reason` ("stop" or "length"), `logprobs`, `entropy` and `order` (of the
    options as they were shown); items of `completions` are texts or objects with these keys. The
    question is read from its first row.

    Args:
        lines: the lines of a .jsonl file, as bytes.
        name: the name of the file, for messages.
        unsorted: whether rows of one id may be anywhere; then everything is held in memory.

    Raises:
        DataError: broken JSON, a row without id or completion, or an id that comes back after others.
    """
    open_groups: dict[str, tuple[Question, list[Completion]]] = {}
    closed: set[bytes] = set()
    rows = 0
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        place = f"{name} line {number}"
        row = _row(line, place)
        question = _question(row, place, rows)
        rows += 1
        whole = "completions" in row
        if question.id not in open_groups:
            _refuse_return(question.id, closed, place)
            if not unsorted:
                yield from _close(open_groups, closed)
            open_groups[question.id] = (question, [])
        elif whole:
            raise DataError(
                f"{place}: the id {question.id!r} occurs twice. Give each question its own id."
            )
        open_groups[question.id][1].extend(_completions(row, question.id, place))
        if whole and not unsorted:
            yield from _close(open_groups, closed)
    yield from _close(open_groups, closed)


def read_completion(value: str | Mapping[str, Any], *, id: str, place: str) -> Completion:
    """Reads one completion from its text, or from an object that holds it under `completion`.

    Raises:
        DataError: the value is neither, or a part of it is of the wrong kind.
    """
    if isinstance(value, str):
        value = {"completion": value}
    if not isinstance(value, Mapping) or not isinstance(value.get("completion"), str):
        raise DataError(
            f'{place}: got {shown(value)}, wanted a text, or an object {{"completion": text, ...}}.'
        )
    reason = value.get("finish_reason") or "stop"
    return Completion(
        question_id=id,
        prompt_ids=(),
        token_ids=(),
        logprobs=_numbers(value, "logprobs", place),
        entropy=_numbers(value, "entropy", place),
        finish_reason=_finish_reason(reason, place),
        policy_version=0,
        text=value["completion"],
        order=_order(value.get("order"), place),
    )


def _order(value: object, place: str) -> tuple[int, ...]:
    if value is None:
        return ()
    is_list = isinstance(value, list | tuple) and all(type(item) is int for item in value)
    if not is_list or sorted(value) != list(range(len(value))) or not 2 <= len(value) <= 26:  # type: ignore[call-overload, arg-type]
        raise DataError(
            f"{place}: order is {shown(value)}, wanted the place from 0 of the option that was shown first, "
            "second and so on, each once, such as [2, 0, 1]."
        )
    return tuple(value)  # type: ignore[arg-type]


def _close(
    open_groups: dict[str, tuple[Question, list[Completion]]], closed: set[bytes]
) -> Iterator[Group]:
    for id, (question, completions) in open_groups.items():
        closed.add(_digest(id))
        yield Group(question=question, completions=tuple(completions))
    open_groups.clear()


def _refuse_return(id: str, closed: set[bytes], place: str) -> None:
    if _digest(id) in closed:
        raise DataError(
            f"{place}: the id {id!r} comes back after other ids. Sort the file by id, or give --unsorted, "
            "which holds everything in memory. Rows without an id count as 0, 1, ..."
        )


def _digest(id: str) -> bytes:
    """Eight bytes that stand for an id, since a file may hold millions of them."""
    return hashlib.blake2b(id.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _row(line: bytes, place: str) -> dict[str, Any]:
    try:
        # utf-8-sig: some writers put a byte order mark before the first line
        row = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise DataError(f"{place}: not UTF-8. Save the file as UTF-8 text.") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place}: broken JSON ({error}). {WANTED}") from None
    if not isinstance(row, dict):
        raise DataError(f"{place}: got {shown(row)}. {WANTED}")
    if ("completion" in row) == ("completions" in row):
        got = ", ".join(row) or "no keys"
        raise DataError(
            f"{place}: got {got}; a row needs exactly one of completion, completions. {WANTED}"
        )
    return row


def _question(row: dict[str, Any], place: str, rows: int) -> Question:
    key = find_column(list(row), ID_COLUMNS)
    id = row.get(key) if key is not None else None
    if id is None and "completions" in row:
        id = rows  # as rows of a question file without ids are numbered
    if not isinstance(id, str | int) or isinstance(id, bool) or id == "":
        raise DataError(
            f"{place}: the id is {shown(id)}, wanted a text or a whole number. {WANTED}"
        )
    text = row.get("question", row.get("prompt", ""))
    if not isinstance(text, str):
        raise DataError(f"{place}: the question is {shown(text)}, wanted a text, or leave it out.")
    return Question(
        id=str(id),
        prompt=text,
        task=task_of_cell(row.get("task"), place=place),
        options=options_of_cell(row.get("options"), place=place),
    )


def _completions(row: dict[str, Any], id: str, place: str) -> list[Completion]:
    if "completion" in row:
        return [read_completion(row, id=id, place=place)]
    values = row["completions"]
    if not isinstance(values, list):
        raise DataError(f"{place}: completions is {shown(values)}, wanted a list of texts.")
    return [
        read_completion(value, id=id, place=f"{place}, completion {index}")
        for index, value in enumerate(values)
    ]


def _finish_reason(value: object, place: str) -> FinishReason:
    if value == "length":
        return "length"
    if value == "stop":
        return "stop"
    raise DataError(f'{place}: finish_reason is {shown(value)}, wanted "stop" or "length" (cut).')


def _numbers(row: Mapping[str, Any], key: str, place: str) -> tuple[float, ...]:
    values = row.get(key)
    if values is None:
        return ()
    if not isinstance(values, list | tuple) or not all(map(_is_number, values)):
        raise DataError(
            f"{place}: {key} is {shown(values)}, wanted a list of numbers, one per token."
        )
    return tuple(map(float, values))


def _is_number(value: object) -> bool:
    """Whether a value is a finite number so small that sums over a completion stay finite."""
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and -LARGEST < value < LARGEST
    )
