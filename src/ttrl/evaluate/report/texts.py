"""Long texts of models and data sets, cut so that a page stays small whatever they hold."""

from __future__ import annotations

from dataclasses import dataclass

SHORT_TEXT = 280
"""What is always shown of a question."""
LONG_TEXT = 12_000
"""Characters of one text that are embedded. Longer ones are cut, and the report says so."""
ALL_TEXTS = 2_000_000
"""Characters of all texts of a page."""


@dataclass(slots=True, kw_only=True)
class TextRoom:
    """How much room texts still have."""

    left: int = ALL_TEXTS

    def cut(self, value: object, *, at_least: int = 0) -> str | list[str | int]:
        """The text, or [what fits, characters left out]."""
        text = "" if value is None else str(value)
        shown = text[: min(LONG_TEXT, max(at_least, self.left))]
        self.left = max(0, self.left - len(shown))
        return text if len(shown) == len(text) else [shown, len(text) - len(shown)]
