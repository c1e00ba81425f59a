"""The words and numbers of the pages that `ttrl report` writes about stored folders.

Sections may change their order and their markup. Each sentence, each row of a table and each series
of a chart has to stay.
"""

from __future__ import annotations

import contextlib
import difflib
import io
import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.oracles import folders, reading, stored
from ttrl.cli.main import main

NAME = "pages"
GROUPS = {
    "texts": "sentence",
    "words": "text for a script",
    "series": "series of a chart",
    "cards": "card",
}
SCENES: dict[str, tuple[str, ...]] = {
    **{
        name: (name,)
        for name in (
            "labeled", "unlabeled", "levels", "upper-bound", "texts", "silent", "other-settings", "broken",
            "older", "reversed", "memorised", "unmoved", "only-a-result", "unended", "study",
            "study-of-levels", "bare-study", "study-with-gaps", "sweep", "sweep-with-gaps",
            "study-that-lost", "sweep-that-lost", "study-that-won", "study-of-texts", "study-of-few",
            "bare-sweep", "empty-study", "empty-sweep", "won", "few", "few-that-won", "one-sided",
            "labeled-without-records", "reversed-without-records", "won-without-records",
            "unmoved-without-records",
        )
    },
    "two seeds": ("pair/seed-0", "pair/seed-1"),
    "two groups": ("pair/seed-0", "labeled", "other-settings", "pair/seed-1"),
    "unlike runs": ("levels", "broken", "texts", "older", "unlabeled"),
    "one has not ended": ("labeled", "unended"),
    "better and worse": ("labeled", "reversed", "memorised", "unmoved"),
    "without labels": ("unlabeled", "bare-study/runs/ttrl-seed-0"),
    "few questions": ("few", "few-that-won"),
    "seeds that differ": ("study/runs/ttrl-seed-0", "study/runs/ttrl-seed-1", "other-settings"),
    "many groups": (
        "labeled", "other-settings", "pair/seed-0", "pair/seed-1", "upper-bound", "one-sided", "won",
        "study/runs/random-seed-0", "study/runs/leakage-seed-0", "study/runs/format-seed-0",
        "sweep/runs/temperature-0.7-seed-0", "sweep/runs/temperature-1.3-seed-0",
    ),
    "elsewhere": ("labeled", "--out", "page.html"),
    "over another file": ("labeled", "--out", "labeled/config.yaml"),
    "in no folder": ("labeled", "--out", "nowhere/page.html"),
}  # fmt: skip
"""By name: the arguments of `ttrl report`."""
Table = list[str]


def record(scenes: Iterable[str] = SCENES) -> dict[str, Any]:
    """By scene and file: what `ttrl report` says and writes."""
    return {name: _scene(SCENES[name]) for name in scenes}


def reference() -> dict[str, Any]:
    """What was recorded when the reference was made."""
    return dict(stored.read(NAME))


def update() -> str:
    """Makes the reference anew from the folders that are stored."""
    path = stored.write(NAME, record())
    archive = folders.ARCHIVE
    return "\n".join(
        f"{each.name}: {each.stat().st_size / 2**10:.0f} KiB" for each in (archive, path)
    )


def told(content: dict[str, Any]) -> str:
    """How much was compared."""
    found = [
        file for scene in content.values() for file in scene.values() if isinstance(file, dict)
    ]
    texts = sum(len(file.get("texts", ())) for file in found)
    rows = sum(len(table) for file in found for table in file.get("tables", ()))
    series = sum(len(file.get("series", ())) for file in found)
    return f"{len(content)} scenes: {texts:,} sentences, {rows:,} rows of tables, {series:,} series"


def compare(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What is missing, what is new and what has changed, by scene and file."""
    lines = []
    for scene, then in before.items():
        now = after.get(scene, {})
        for file in dict.fromkeys([*then, *now]):
            found = list(_of_file(then.get(file), now.get(file)))
            lines += stored.listed(f"{scene}: {file}", found)
    return lines


def show(folder: Path) -> Iterator[str]:
    """The sentences and tables of a page, or of the page that `ttrl report` writes about a folder."""
    if folder.is_file():
        yield from reading.sentences(reading.of_page(folder.read_text("utf-8")))
        return
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name) / folder.resolve().name
        folders.copy_for_report(folder, copy)
        with _inside(copy.parent):
            for file, found in _scene((copy.name,), inside=True).items():
                yield f"== {file}"
                if isinstance(found, dict) and "tables" in found:
                    yield from reading.sentences(found)
                else:
                    yield json.dumps(found, indent=1, ensure_ascii=False)


def _scene(arguments: Sequence[str], *, inside: bool = False) -> dict[str, Any]:
    if not inside:
        with tempfile.TemporaryDirectory() as name:
            folders.unpack(Path(name), arguments)
            with _inside(Path(name)):
                return _scene(arguments, inside=True)
    there = {path: path.stat().st_mtime_ns for path in Path().rglob("*")}
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(["report", *arguments])
    found: dict[str, Any] = {
        "exit code": code,
        "standard output": out.getvalue().splitlines(),
        "standard error": err.getvalue().splitlines(),
    }
    for path in sorted(Path().rglob("*")):
        if path.is_file() and there.get(path) != path.stat().st_mtime_ns:
            found[path.as_posix()] = _read(path)
    return found


def _read(path: Path) -> Any:
    text = path.read_text("utf-8")
    if path.suffix == ".html":
        return reading.of_page(text)
    if path.suffix == ".svg":
        return reading.of_figure(text)
    if path.suffix == ".md":
        return reading.of_markdown(text)
    return reading.of_json(json.loads(text))


def _of_file(then: Any, now: Any) -> Iterator[str]:
    if not isinstance(then, dict) or not isinstance(now, dict) or "texts" not in then:
        yield from stored.differences(then, now)
        return
    for group, word in GROUPS.items():
        yield from _changes(word, then.get(group, []), now.get(group, []))
    yield from _table_changes(then["tables"], now.get("tables", []))


def _changes(word: str, then: Sequence[str], now: Sequence[str]) -> Iterator[str]:
    """Counted, so that what stood twice has to stand twice; the order is free."""
    missing = list((Counter(then) - Counter(now)).elements())
    extra = list((Counter(now) - Counter(then)).elements())
    for text in missing:
        near = difflib.get_close_matches(
            text[:400], [each[:400] for each in extra], n=1, cutoff=0.6
        )
        if near:
            other = next(each for each in extra if each[:400] == near[0])
            extra.remove(other)
            yield f"{word} changed: {_cut(text)}\n        now: {_cut(other)}"
        else:
            yield f"{word} missing: {_cut(text)}"
    for text in extra:
        yield f"{word} new: {_cut(text)}"


def _table_changes(then: Sequence[Table], now: Sequence[Table]) -> Iterator[str]:
    """Tables may change their order, rows may not. What differs is held against what is nearest."""
    lost, left = list(then), list(now)
    for table in [table for table in then if table in now]:
        if table in left:
            lost.remove(table)
            left.remove(table)
    for table in lost:
        near = max(left, key=lambda other: _likeness(table, other), default=None)
        if near is None or not _likeness(table, near) > 0.2:
            yield f"table missing: {_titled(table)}"
            continue
        left.remove(near)
        found = [f"\n        {line}" for line in _changes("row", table, near)]
        yield f"in {_titled(table)}" + ("".join(found) or ": rows in another order")
    yield from (f"table new: {_titled(table)}" for table in left)


def _likeness(table: Table, other: Table) -> float:
    """Of two tables: 0 to 1, 1 with the same rows."""
    return difflib.SequenceMatcher(None, "\n".join(table), "\n".join(other)).ratio()


def _titled(table: Table) -> str:
    return f"the table below {_cut(table[0]) if table else 'nothing'!r}"


def _cut(text: str) -> str:
    return text if len(text) <= 400 else f"{text[:400]}..."


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
