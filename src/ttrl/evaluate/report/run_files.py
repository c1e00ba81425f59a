"""What a run directory holds, read so that one broken file or line never costs the report."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ttrl.errors import CheckpointError
from ttrl.evaluate.report.quantities import finite, mapping, plural
from ttrl.evaluate.report.visits import Visit

MAX_DEPTH = 50
"""Of JSON; a deeper one is broken. So whatever walks through it may recurse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFiles:
    """The files of one run."""

    result: Mapping[str, Any]
    config: str
    """As it was written; empty if there is none."""
    manifest: str
    """Indented JSON, or as it was written if it is not JSON; empty if there is none."""
    records: tuple[Mapping[str, Any], ...]
    """Lines of metrics.jsonl, one per step (the last one of a step counts), in order."""
    visits: tuple[Visit, ...]
    """Lines of votes.jsonl, one per question and step (the last one counts), in order of steps."""
    broken_lines: Mapping[str, tuple[int, ...]]
    """By file: the numbers of the lines, from 1, that are no record; files without any are left out."""
    evaluations: Mapping[tuple[str, str], Mapping[str, Any]]
    """By (set, 'base' or 'final')."""
    unreadable: tuple[str, ...]
    """Names of evaluation files that are not JSON objects."""


def broken_line_notes(run: RunFiles) -> tuple[str, ...]:
    """What has to be said of the lines that were skipped."""
    notes = []
    for file, lines in run.broken_lines.items():
        one = len(lines) == 1
        numbers = ", ".join(map(str, lines[:10]))
        more = f" and {len(lines) - 10} more" if len(lines) > 10 else ""
        notes.append(
            f"{plural(len(lines), 'line')} of {file} could not be read and "
            f"{'was' if one else 'were'} skipped. {'This is line' if one else 'These are lines'} "
            f"{numbers}{more}."
        )
    return tuple(notes)


def unreadable_notes(run: RunFiles) -> tuple[str, ...]:
    """What has to be said of the evaluations that were skipped."""
    return tuple(
        f"evaluations/{file} could not be read and was skipped." for file in run.unreadable
    )


def read_run(run_directory: Path) -> RunFiles:
    """Reads everything the report shows.

    Raises:
        CheckpointError: there is no readable result.json.
    """
    records, broken_records = _read_records(run_directory / "metrics.jsonl")
    visits, broken_visits = _read_visits(run_directory / "votes.jsonl")
    broken = {"metrics.jsonl": broken_records, "votes.jsonl": broken_visits}
    evaluations, unreadable = _read_evaluations(run_directory / "evaluations")
    return RunFiles(
        result=_read_result(run_directory / "result.json"),
        config=_text(run_directory / "config.yaml"),
        manifest=_indented(_text(run_directory / "manifest.json")),
        records=records,
        visits=visits,
        broken_lines={file: lines for file, lines in broken.items() if lines},
        evaluations=evaluations,
        unreadable=unreadable,
    )


def _read_result(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        raise CheckpointError(
            f"{path}: not found. A report needs a run that has ended; resume the run to end it."
        )
    result = parsed_json(_text(path))
    if not isinstance(result, dict):
        raise CheckpointError(
            f"{path}: got no JSON object, wanted the result of a run. Resume the run to write it."
        )
    return result


def _read_records(path: Path) -> tuple[tuple[Mapping[str, Any], ...], tuple[int, ...]]:
    """The records by step, and the numbers of broken lines."""
    by_step: dict[float, Mapping[str, Any]] = {}
    broken = []
    for line_number, record in _records(path):
        step = finite(record.get("step"))
        if step is None:
            broken.append(line_number)
        else:
            by_step[step] = record
    return tuple(by_step[step] for step in sorted(by_step)), tuple(broken)


def _read_visits(path: Path) -> tuple[tuple[Visit, ...], tuple[int, ...]]:
    """The visits by step and question, and the numbers of broken lines."""
    found: dict[tuple[float, str], Visit] = {}
    broken = []
    for line_number, record in _records(path):
        step, question = finite(record.get("step")), record.get("question")
        if step is None or not isinstance(question, str):
            broken.append(line_number)
        else:
            found[step, question] = Visit.of(record)
    order = sorted(found, key=lambda place: place[0])
    return tuple(found[place] for place in order), tuple(broken)


def _records(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Line numbers and JSON objects; an empty one where a line is none. Blank lines are left out."""
    try:
        with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
            for line_number, line in enumerate(file, 1):
                if line.strip():
                    yield line_number, mapping(parsed_json(line))
    except OSError:
        return


def _read_evaluations(
    folder: Path,
) -> tuple[dict[tuple[str, str], Mapping[str, Any]], tuple[str, ...]]:
    evaluations: dict[tuple[str, str], Mapping[str, Any]] = {}
    unreadable = []
    for path in sorted(folder.glob("*.json")):
        when, _, name = path.stem.partition("-")
        if when not in ("base", "final") or not name:
            continue
        content = parsed_json(_text(path))
        if isinstance(content, dict):
            evaluations[name, when] = content
        else:
            unreadable.append(path.name)
    return evaluations, tuple(unreadable)


def _text(path: Path) -> str:
    """The file's text, empty if there is none. Bytes that are not UTF-8 become U+FFFD."""
    try:
        return path.read_text("utf-8", errors="replace")
    except OSError:
        return ""


def read_object(path: Path) -> Mapping[str, Any]:
    """The object that a JSON file holds; empty if there is none."""
    return mapping(parsed_json(_text(path)))


def parsed_json(text: str) -> object:
    """What the text says; None if it is no JSON, or deeper than anything that ttrl writes."""
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if text.count("[") + text.count("{") <= MAX_DEPTH or _depth(parsed) <= MAX_DEPTH:
        return parsed
    return None


def _depth(value: object) -> int:
    """Lists and objects around the innermost one, itself counted; without recursion."""
    depth, level = 0, [value]
    while level := [each for each in level if isinstance(each, dict | list)]:
        depth += 1
        level = [
            inner for each in level for inner in (each.values() if isinstance(each, dict) else each)
        ]
    return depth


def _indented(text: str) -> str:
    content = parsed_json(text)
    return text if content is None else json.dumps(content, indent=2, ensure_ascii=False)
