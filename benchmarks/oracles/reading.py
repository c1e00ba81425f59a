"""What a reader finds on a page, whatever its markup: texts, tables, and the numbers of its charts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

INLINE = frozenset(
    {"a", "abbr", "b", "code", "em", "i", "small", "span", "strong", "sub", "sup", "u"}
)
"""Elements that do not end a sentence."""
VOID = frozenset({"meta", "link", "input", "br", "img", "hr"})
SENTENCES = re.compile(r"(?<=[.!?]) (?=[A-Z“])")
"""Between two of them."""
SIGNIFICANT = 9
"""Digits of a number that count: more depend on the machine."""

Found = dict[str, Any]
"""texts: sentences; tables: rows of cells; words, series and cards: what scripts draw."""


def of_page(html: str) -> Found:
    """What stands on a page. Order is that of the page; markup, styles and scripts are left out."""
    page = _Page()
    page.feed(html)
    page.close()
    page.end_text()
    found: Found = {
        "texts": page.texts,
        "tables": page.tables,
        "series": [],
        "cards": [],
        "words": [],
    }
    for text in page.data:
        _gather(json.loads(text), found)
    found["words"] = sorted(set(found["words"]))
    return found


def of_markdown(text: str) -> Found:
    """Paragraphs and tables."""
    found: Found = {"texts": [], "tables": []}
    inside = False
    for line in text.splitlines():
        if not line.startswith("|"):
            found["texts"] += SENTENCES.split(_plain(line)) if line.strip() else []
        elif not line.startswith("|---"):
            if not inside:
                found["tables"].append([])
            found["tables"][-1].append(_plain(line.strip("| ")))
        inside = line.startswith("|")
    return found


def of_figure(svg: str) -> Found:
    """Its words; ticks and curves hang on its size."""
    figure = ElementTree.fromstring(svg)
    texts = [_plain(each.text or "") for each in figure.iter() if each.tag.endswith("}text")]
    texts.append(_plain(figure.get("aria-label") or ""))
    return {"texts": [text for text in texts if re.search("[A-Za-z]{2}", text)], "tables": []}


def of_json(value: Any) -> Any:
    """The value with its numbers rounded."""
    if isinstance(value, dict):
        return {key: of_json(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [of_json(inner) for inner in value]
    return float(f"{value:.{SIGNIFICANT}g}") if isinstance(value, float) else value


def sentences(found: Found) -> Iterator[str]:
    """The texts of a page, then its tables, for a person to read."""
    yield from found["texts"]
    for table in found["tables"]:
        yield ""
        yield from (f"| {row} |" for row in table)
    if words := found.get("words"):
        yield ""
        series, cards = len(found["series"]), len(found["cards"])
        yield f"and {len(words)} texts, {series} series and {cards} cards for scripts"


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.texts: list[str] = []
        self.tables: list[list[str]] = []
        self.data: list[str] = []
        """JSON for scripts."""
        self._open: list[str] = []
        self._hidden = 0
        """Elements open, from the first hidden one on."""
        self._is_data = False
        self._row: list[str] | None = None
        self._text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in VOID:
            self._text += " "
            return
        given = dict(attrs)
        self._open.append(tag)
        if self._hidden or tag in ("script", "style") or given.get("aria-hidden") == "true":
            self._hidden += 1
            self._is_data = given.get("type") == "application/json"
            self._text += " "
            return
        if tag == "svg":
            self._hidden += 1  # it is a figure, and stands in a file as well
            return
        if tag in INLINE:
            self._text += " "
        elif self._row is None:
            self.end_text()
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self._row = []
        elif tag in ("td", "th"):
            self._text = ""

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self._open or self._open.pop() != tag:
            raise ValueError(f"the page does not nest: </{tag}>")
        if self._hidden:
            self._hidden -= 1
            self._is_data = False
            return
        if tag in ("td", "th") and self._row is not None:
            self._row.append(_plain(self._text))
            self._text = ""
        elif tag == "tr":
            self.tables[-1].append(" | ".join(cell for cell in self._row or [] if cell))
            self._row = None
        elif tag == "pre":
            lines = map(_plain, self._text.splitlines())
            self.texts += [line for line in lines if re.search(r"\w", line)]
            self._text = ""
        elif tag in INLINE or self._row is not None:
            self._text += " "
        else:
            self.end_text()

    def handle_data(self, data: str) -> None:
        if self._is_data:
            self.data.append(data)
        elif not self._hidden:
            self._text += data

    def end_text(self) -> None:
        if text := _plain(self._text):
            self.texts += SENTENCES.split(text)
        self._text = ""


def _plain(text: str) -> str:
    return re.sub(r" ([.,;:!?)])", r"\1", " ".join(text.split()))


def _gather(value: Any, found: Found) -> None:
    """Lists of numbers are series, lists of mixed values are cards, all other texts are words."""
    if isinstance(value, dict):
        for inner in value.values():
            _gather(inner, found)
    elif isinstance(value, str):
        if not value.startswith("--"):  # names of colours
            found["words"].append(value)
    elif isinstance(value, list) and value:
        if all(inner is None or isinstance(inner, int | float) for inner in value):
            found["series"].append(json.dumps(of_json(value)))
        elif all(isinstance(inner, str) for inner in value) or all(
            isinstance(inner, dict | list) for inner in value
        ):
            for inner in value:
                _gather(inner, found)
        else:
            found["cards"].append(json.dumps(of_json(value), ensure_ascii=False))
