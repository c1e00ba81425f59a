"""Texts of models and data sets, cut and numbered before they are embedded in the page."""

from __future__ import annotations

SHORT_LINE = 80


class Strings:
    """Each different text once, by its number."""

    def __init__(self) -> None:
        self._index: dict[str, int] = {}

    def index(self, text: str) -> int:
        """The number of a text, a new one if it has not come before."""
        return self._index.setdefault(text, len(self._index))

    def as_list(self) -> list[str]:
        """All texts in the order of their numbers."""
        return list(self._index)


def line(value: object) -> str:
    """A short text for one line: an answer or an id."""
    text = " ".join(str(value).split())
    return text if len(text) <= SHORT_LINE else text[: SHORT_LINE - 1] + "\N{HORIZONTAL ELLIPSIS}"
