"""Compares Python programs: equal up to names and layout, else similar by their syntax trees.

    similarity = 1 if the keys are equal, else 2 * LCS / (m + n)

m, n: lengths of the bracketed preorders of the trees in normal form (`normal_form.py`), LCS: their
longest common subsequence. It ranks pairs much as tree edit distance does, at a ten-thousandth of its
cost (Zhang & Shasha 1989 is quartic in the worst case).

Programs are hostile text. They are parsed and never compiled or run; limits come before any walk.
"""

from __future__ import annotations

import ast
import hashlib
import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ttrl.answers.similar.normal_form import FIELD_MARK, normal_form
from ttrl.answers.similar.text import Matrix, subsequence_similarity
from ttrl.types import AnswerKey

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


SOURCE_LIMIT = 20_000
NODE_LIMIT = 2_000
DEPTH_LIMIT = 100

_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_Assignment = ast.Assign | ast.AugAssign | ast.Import | ast.ImportFrom
_Control = (
    ast.If | ast.For | ast.AsyncFor | ast.While | ast.Match
    | ast.With | ast.AsyncWith | ast.Try | ast.TryStar
)  # fmt: skip
_DEFINITIONS = frozenset({"(FunctionDef", "(AsyncFunctionDef", "(ClassDef"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """The two forms in which a program is compared."""

    key: AnswerKey
    """("ast", hash): equal for programs that differ in names, comments and layout only."""
    sequence: tuple[str, ...]
    """The bracketed preorder of its normal form."""

    @property
    def defines(self) -> bool:
        """Returns whether the program defines a function or a class."""
        return not _DEFINITIONS.isdisjoint(self.sequence)


def read_program(source: str) -> Program | None:
    """Reads a program, or returns None. It never raises, prints or runs anything, whatever the source.

    None for what does not parse, is over a limit, or neither defines nor assigns nor imports nor
    controls anything at its top level: `hello` and `Answer: 7` are Python, too.
    """
    if len(source) > SOURCE_LIMIT:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "\d" warns, on the user's screen
            module = ast.parse(source)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None
    if not any(_has_effect(statement) for statement in module.body) or not _is_small(module):
        return None
    tokens = normal_form(module)
    digest = hashlib.blake2b("\n".join(tokens).encode("utf-8", "surrogatepass"), digest_size=16)
    return Program(
        key=("ast", digest.hexdigest()),
        sequence=tuple(token for token in tokens if not token.startswith(FIELD_MARK)),
    )


def code_similarity(programs: Sequence[Program]) -> Matrix:
    """Returns the similarity of all pairs of programs: symmetric, in [0, 1], 1 on the diagonal.   [N, N]"""
    distinct = {program.key: program.sequence for program in programs}
    at = {key: row for row, key in enumerate(distinct)}
    sequences = list(distinct.values())
    rows = [at[program.key] for program in programs]
    return subsequence_similarity(sequences, sequences)[np.ix_(rows, rows)]


def _has_effect(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.AnnAssign):
        return statement.value is not None
    return isinstance(statement, _Definition | _Assignment | _Control)


def _is_small(module: ast.Module) -> bool:
    level: list[ast.AST] = [module]
    nodes = 0
    for _ in range(DEPTH_LIMIT):
        nodes += len(level)
        if nodes > NODE_LIMIT:
            return False
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return True
    return False
