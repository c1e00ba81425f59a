"""Reads a run directory so that one broken file or line never costs the page."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml

from ttrl.evaluation.report.text import line, plural
from ttrl.recording.evaluations import Evaluation, When
from ttrl.recording.forgiving import count, entries, finite, mapping, parsed_json, read_text
from ttrl.recording.kept import FILE as KEPT_FILE
from ttrl.recording.kept import KeptCheckpoint, kept_from
from ttrl.recording.results import RunResult, read_result

Kept = TypeVar("Kept")
LONGEST_CONFIG = 200_000
"""Characters of a config that is read. PyYAML takes a second for as many."""
TOP_CLASSES = 4
"""Classes of a vote that a page shows, the elected and the right one aside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A line of votes.jsonl, cut to what is shown: a long run has very many."""

    step: int
    question: str
    labels: tuple[str, ...]
    """The elected one first, then those of the largest classes."""
    votes: tuple[int, ...]
    others: int
    abstained: int

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Visit:
        """Returns the visit that a line records; what the line lacks is empty."""
        counts = [count(value) for value in entries(record.get("counts"))]
        labels = tuple(line(label) for label in entries(record.get("labels"))[:TOP_CLASSES])
        shown = tuple(counts[: len(labels)])
        return cls(
            step=int(finite(record.get("step")) or 0),
            question=str(record.get("question")),
            labels=labels[: len(shown)],
            votes=shown,
            others=sum(counts) - sum(shown),
            abstained=count(record.get("abstained")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run as a page reads it."""

    result: RunResult
    config: str = ""
    """config.yaml as it was written; empty if there is none."""
    manifest: str = ""
    """Indented JSON, or as it was written if it is not JSON; empty if there is none."""
    records: tuple[Mapping[str, Any], ...] = ()
    """Lines of metrics.jsonl, one per step (the last one of a step counts), in order."""
    visits: tuple[Visit, ...] = ()
    """Lines of votes.jsonl, one per question and step (the last one counts), in order of steps."""
    kept: KeptCheckpoint | None = None
    """The choice of `keep: best`, if one was made and can be read."""
    decisions: tuple[Mapping[str, Any], ...] = ()
    """Lines of guard.jsonl, in order of steps; none where the guard was quiet."""
    broken_lines: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """By file: the numbers of the lines, from 1, that are no record; files without any are left out."""

    def evaluation(self, name: str, when: When) -> Evaluation | None:
        """Returns the evaluation of a set, if it was recorded and can be read."""
        return self.result.evaluations.get((name, when))

    @property
    def sets(self) -> set[str]:
        """Sets that were evaluated, if only once or without records of the questions."""
        return {*self.result.metrics, *(name for name, _ in self.result.evaluations)}

    @property
    def settings(self) -> Mapping[str, Any]:
        """Returns the config by key, keys as texts; empty if it cannot be read. Not to be changed."""
        return _settings(self.config)

    def in_manifest(self, key: str) -> Mapping[str, Any]:
        """Returns the manifest's entry of a key, such as 'versions' or 'inputs'; empty if there is none."""
        return mapping(mapping(parsed_json(self.manifest)).get(key))

    @property
    def line_notes(self) -> tuple[str, ...]:
        """Returns notes on the lines that were skipped."""
        notes = []
        for file, lines in self.broken_lines.items():
            were, these = (
                ("was", "This is line") if len(lines) == 1 else ("were", "These are lines")
            )
            more = f" and {len(lines) - 10} more" if len(lines) > 10 else ""
            notes.append(
                f"{plural(len(lines), 'line')} of {file} could not be read and {were} skipped. "
                f"{these} {', '.join(map(str, lines[:10]))}{more}."
            )
        return tuple(notes)

    @property
    def file_notes(self) -> tuple[str, ...]:
        """Returns notes on the evaluations that were skipped."""
        return tuple(
            f"evaluations/{file} could not be read and was skipped."
            for file in self.result.unreadable
        )


def read_run(directory: Path) -> Run:
    """Reads everything that a page shows of a run.

    Raises:
        CheckpointError: there is no readable result.json.
    """
    result = read_result(directory)
    records, broken_records = _by_step(directory / "metrics.jsonl", lambda record: record)
    visits, broken_visits = _by_step(directory / "votes.jsonl", Visit.of, per_question=True)
    decisions, broken_decisions = _by_step(directory / "guard.jsonl", lambda record: record)
    broken = {
        "metrics.jsonl": broken_records,
        "votes.jsonl": broken_visits,
        "guard.jsonl": broken_decisions,
    }
    manifest = read_text(directory / "manifest.json")
    parsed = parsed_json(manifest)
    return Run(
        result=result,
        config=read_text(directory / "config.yaml"),
        manifest=manifest if parsed is None else json.dumps(parsed, indent=2, ensure_ascii=False),
        records=records,
        visits=visits,
        kept=kept_from(mapping(parsed_json(read_text(directory / KEPT_FILE)))),
        decisions=decisions,
        broken_lines={file: lines for file, lines in broken.items() if lines},
    )


def _by_step(
    path: Path, kept: Callable[[Mapping[str, Any]], Kept], *, per_question: bool = False
) -> tuple[tuple[Kept, ...], tuple[int, ...]]:
    """The records in order of their steps, the last one of each place, and the numbers of broken lines."""
    found: dict[tuple[float, str], Kept] = {}
    broken = []
    for number, record in _lines(path):
        step = finite(record.get("step"))
        question = record.get("question") if per_question else ""
        if step is None or not isinstance(question, str):
            broken.append(number)
        else:
            found[step, question] = kept(record)
    order = sorted(found, key=lambda place: place[0])
    return tuple(found[place] for place in order), tuple(broken)


def _lines(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Line numbers and JSON objects; an empty one where a line is none. Blank lines are left out."""
    try:
        with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
            for number, text in enumerate(file, 1):
                if text.strip():
                    yield number, mapping(parsed_json(text))
    except OSError:
        return


@functools.lru_cache(maxsize=64)
def _settings(config: str) -> Mapping[str, Any]:
    """A config that somebody else may have written, as JSON has it.

    Aliases, which grow without bound, and explicit tags are refused: ttrl writes neither.
    """
    if len(config) > LONGEST_CONFIG:
        return {}
    try:
        for event in yaml.parse(config, yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent) or getattr(event, "tag", None) is not None:
                return {}
        return mapping(parsed_json(json.dumps(yaml.safe_load(config), default=str)))
    except (yaml.YAMLError, ValueError, TypeError, ArithmeticError, RecursionError):
        return {}
