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
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ttrl.answers.similar.normal_form import FIELD_MARK, normal_form
from ttrl.answers.similar.sequences import Matrix, subsequence_similarity
from ttrl.types import AnswerKey

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
