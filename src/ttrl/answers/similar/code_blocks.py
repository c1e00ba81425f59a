"""Extracts the Python program of a completion, or None: no program is a value.

Every scan is linear, and only a bounded number of candidates is parsed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ttrl.answers.similar.code import read_program

CANDIDATE_LIMIT = 16
"""Most blocks of a text to try: the last ones in Python, then the last ones in other languages."""

_FENCE = re.compile(r"^([ \t]*+)(`{3,}+|~{3,}+)([^\n]*)$", re.MULTILINE)
_LANGUAGE = re.compile(r"[\s{.]*([^\s{}.:,]*)")
_PYTHON = frozenset({"", "py", "py3", "python", "python3"})

_CODE_START = re.compile(r"(?:async[ ]|class[ ]|def[ ]|from[ ]|import[ ]|@\w)")
_CODE_LINE = re.compile(
    r"\s|[#)\]}]|\Z|(?:elif|else|except|finally|for|if|match|try|while|with)\b.*:\s*(?:#.*)?\Z"
    r"|[A-Za-z_][\w.\[\]]*\s*(?:[-+*/%|&^@]|//|\*\*|<<|>>)?=(?!=)"
)


def extract_program(text: str, *, truncated: bool) -> str | None:
    """Returns the source of the last program with a function or a class, else of the last program.

    Looked for in fenced blocks marked as Python or not at all, then in blocks of other languages; in
    a text without a fence in the text as a whole, then in its runs of lines that look like code.

    Args:
        truncated: the text was cut at the length limit. Then only closed blocks count, since any
            other code may have lost its end. Else an open block reaches to the end of the text.
    """
    blocks = _fenced_blocks(text, with_open_one=not truncated)
    if blocks is not None:
        python = [source for language, source in blocks if language in _PYTHON]
        other = [source for language, source in blocks if language not in _PYTHON]
        return _best(reversed(python[-CANDIDATE_LIMIT:])) or _best(
            reversed(other[-CANDIDATE_LIMIT:])
        )
    if truncated:
        return None
    if read_program(text) is not None:
        return text
    runs = sorted(_code_runs(text), key=len, reverse=True)
    return _best(runs[:CANDIDATE_LIMIT])


def _best(sources: Iterable[str]) -> str | None:
    """The first program that defines something, else the first program."""
    fallback = None
    for source in sources:
        program = read_program(source)
        if program is not None and program.defines:
            return source
        if program is not None and fallback is None:
            fallback = source
    return fallback


def _fenced_blocks(text: str, *, with_open_one: bool) -> list[tuple[str, str]] | None:
    """Returns language and content of each block, or None for a text without fences.

    As in CommonMark a block is closed by a bare fence of the same character that is no shorter, and
    its lines lose the indentation of its opening fence.
    """
    fences = list(_FENCE.finditer(text))
    if not fences:
        return None
    blocks = []
    opening: re.Match[str] | None = None
    for fence in fences:
        if opening is None:
            if "`" not in fence[3]:  # else it is code in a line: ```x```
                opening = fence
        elif fence[2].startswith(opening[2]) and not fence[3].strip():
            blocks.append(_block(opening, text[opening.end() + 1 : fence.start()]))
            opening = None
    if opening is not None and with_open_one:
        blocks.append(_block(opening, text[opening.end() + 1 :]))
    return blocks


def _block(opening: re.Match[str], content: str) -> tuple[str, str]:
    language = _LANGUAGE.match(opening[3].lower())
    if opening[1]:
        content = re.sub(rf"^[ \t]{{1,{len(opening[1])}}}", "", content, flags=re.MULTILINE)
    return language[1] if language else "", content


def _code_runs(text: str) -> list[str]:
    """Runs of lines that begin with a definition or an import and go on as code does."""
    runs: list[list[str]] = []
    inside = False
    for line in text.splitlines():
        starts = _CODE_START.match(line) is not None
        if starts and not inside:
            runs.append([])
        inside = starts or (inside and _CODE_LINE.match(line) is not None)
        if inside:
            runs[-1].append(line)
    return ["\n".join(run) for run in runs]
