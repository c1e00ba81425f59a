"""A view of a question with Python code: its functions, arguments and variables have other names.

    def add_all(items): ...        def compute(alpha): ...

Code is parsed and never compiled or run. The program of a completion to the view gets the names of the
question back: old and new names are exchanged everywhere, which cannot capture a name of the program's own.
"""

from __future__ import annotations

import ast
import builtins
import keyword
import random
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from ttrl.data.views.rename_program import attributes_of, bound_names, exchanged_in
from ttrl.types import Question, Task, View

LONGEST_TEXT = 10_000
MOST_LINES = 400
LONGEST_LINE = 500

NEW_FUNCTIONS = (
    "solve", "compute", "evaluate", "process_input", "run_task", "get_result", "work_out", "main_function",
)  # fmt: skip
NEW_VARIABLES = (
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "kappa", "sigma", "omega", "rho",
)  # fmt: skip

_IDENTIFIER = re.compile(r"(?<![\w])[A-Za-z_]\w*+")
_FENCE = re.compile(r"\s*(?:```+|~~~+)\s*(\w*)\s*\Z")
_PYTHON = frozenset({"", "py", "python", "python3"})
_DEFINITION = re.compile(r"\s*(?:async\s+)?def\s+\w+\s*\(.*\).*:\s*\Z")
_ASSERTION = re.compile(r"\s*(?:assert\s|>>>\s)")
_READS_NAMES = re.compile(
    r"\b(?:globals|locals|vars|dir|eval|exec|getattr|setattr|hasattr|inspect|__\w+__)\b|=\s*\}"
)
"""Code whose result may depend on what something is called."""
_FIXED = frozenset(dir(builtins)) | frozenset(keyword.kwlist) | frozenset(keyword.softkwlist)
_CUSTOMARY = frozenset(
    "key reverse default start stop step sep end file axis strict maxlen encoding base self cls".split()  # noqa: SIM905
)
"""Arguments of well-known functions, which a program may pass by keyword, and those of a fixed name."""


def other_identifiers(
    question: Question, *, task: Task, place: int, rng: random.Random
) -> View | None:
    """Returns the question with other names in its code, or None if none can be changed for sure.

    A name stays if it is a builtin, imported, an attribute, or a word that the text uses outside of its
    code, unless it cannot be one (`min_cost`).
    """
    own = task.for_question(question).name
    text = question.prompt
    if len(text) > LONGEST_TEXT:
        return None
    code = _Code.of(text, fenced_only=own != "code")
    if code is None or _READS_NAMES.search(text):
        return None
    words = Counter(found[0] for found in _IDENTIFIER.finditer(text))
    renamed = _renamed(code, words, rng)
    if not renamed:
        return None
    asked = replace(question, prompt=_replaced(text, renamed))
    both = renamed | {new: old for old, new in renamed.items()}
    if own == "code":
        return View(question=asked, restore=lambda source: exchanged_in(source, both))
    return View(question=asked, restore=lambda answer: _replaced(answer, both))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Code:
    """What the code of a text uses."""

    functions: frozenset[str]
    """Defined, or called by its examples and defined nowhere."""
    variables: frozenset[str]
    fixed: frozenset[str]
    """Attributes, imported names, names of a class."""
    uses: Mapping[str, int]
    """How often each name is used as one."""

    @classmethod
    def of(cls, text: str, *, fenced_only: bool) -> _Code | None:
        """Reads the code of a text; None if there is none."""
        trees = list(_trees(text, fenced_only=fenced_only))
        if not trees:
            return None
        functions: set[str] = set()
        variables: set[str] = set()
        fixed: set[str] = set()
        uses: Counter[str] = Counter()
        called: set[str] = set()
        for tree in trees:
            bound = bound_names(tree)
            functions |= bound.functions
            variables |= bound.variables
            fixed |= bound.fixed | attributes_of(tree)
            for node in ast.walk(tree):
                if isinstance(node, ast.Name):
                    uses[node.id] += 1
                elif isinstance(node, ast.arg | ast.keyword) and node.arg:
                    uses[node.arg] += 1
                elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                    uses[node.name] += 1
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                    called.add(node.func.id)
        defined = functions | variables | fixed
        functions |= called - defined if not functions else set()
        return cls(
            functions=frozenset(functions),
            variables=frozenset(variables - functions),
            fixed=frozenset(fixed),
            uses=uses,
        )


def _renamed(code: _Code, words: Mapping[str, int], rng: random.Random) -> dict[str, str]:
    taken = {word.casefold() for word in words}
    fixed = code.fixed | _FIXED | _CUSTOMARY
    found = {}
    for names, new_names in (
        (code.functions, NEW_FUNCTIONS),
        (code.variables, NEW_VARIABLES),
    ):
        free = [name for name in new_names if name not in taken]
        rng.shuffle(free)
        for name in sorted(names):
            in_code_only = words[name] == code.uses[name]
            if name not in fixed and free and (in_code_only or _is_no_word(name)):
                found[name] = free.pop()
    return found


def _is_no_word(name: str) -> bool:
    """A name that text outside of code can only use as a name."""
    return "_" in name.strip("_") or bool(re.search(r"[a-z][A-Z]|[A-Za-z]\d", name))


def _replaced(text: str, names: Mapping[str, str]) -> str:
    return _IDENTIFIER.sub(lambda found: names.get(found[0], found[0]), text)


# The code of a text -----------------------------------------------------------------------------


def _trees(text: str, *, fenced_only: bool) -> Iterator[ast.Module]:
    """Its fenced blocks; without one the text as a whole, or else its definitions and examples."""
    lines = text.split("\n")
    if len(lines) > MOST_LINES:
        return
    blocks = list(_fenced(lines))
    if blocks or fenced_only:
        trees = [_parsed(block) for block in blocks]
        yield from (tree for tree in trees if tree is not None)
        return
    whole = _parsed(text)
    if whole is not None and any(isinstance(n, ast.FunctionDef) for n in whole.body):
        yield whole
        yield from _of_lines(lines, only_examples=True)
    else:
        yield from _of_lines(lines, only_examples=False)


def _fenced(lines: list[str]) -> Iterator[str]:
    block: list[str] | None = None
    is_python = False
    for line in lines:
        fence = _FENCE.match(line)
        if fence and block is None:
            block, is_python = [], fence[1].lower() in _PYTHON
        elif fence and block is not None:
            if is_python:
                yield "\n".join(block)
            block = None
        elif block is not None:
            block.append(line)


def _of_lines(lines: list[str], *, only_examples: bool) -> Iterator[ast.Module]:
    for line in lines:
        source = None
        if len(line) > LONGEST_LINE:
            continue
        if _ASSERTION.match(line):
            source = line.strip().removeprefix(">>> ")
            source = source if not only_examples or line.lstrip().startswith(">>>") else None
        elif not only_examples and _DEFINITION.match(line):
            source = line.strip() + " pass"
        tree = None if source is None else _parsed(source)
        if tree is not None:
            yield tree


def _parsed(source: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "\d" warns, on the user's screen
            return ast.parse(source)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None
