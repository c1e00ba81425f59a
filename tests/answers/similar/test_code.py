"""Programs are equal up to names and layout, alike by their trees, and never run."""

from __future__ import annotations

import ast
import bisect
import heapq
import inspect
import itertools
import textwrap

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttrl.answers.similar.code import (
    DEPTH_LIMIT,
    NODE_LIMIT,
    SOURCE_LIMIT,
    Program,
    code_similarity,
    read_program,
)

TOTAL = """
def total(values, start=0):
    result = start
    for value in values:
        result = result + abs(value)
    return result
"""


def program(source: str) -> Program:
    found = read_program(source)
    assert found is not None, source
    return found


def similarity(one: str, other: str) -> float:
    return float(code_similarity([program(one), program(other)])[0, 1])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (TOTAL, TOTAL.replace("result", "r").replace("value", "v").replace("total", "f")),
        (TOTAL, TOTAL.replace("abs(value)", "abs( value )  # grows")),
        (TOTAL, TOTAL.replace("(values, start=0)", "(values: list[int], start: int = 0) -> int")),
        (TOTAL, TOTAL.replace("result = start", '"""Adds up."""\n    result: int = start')),
        (TOTAL, TOTAL.replace("result = start", "pass\n    count: int\n    result = start")),
        (TOTAL, TOTAL.replace("    ", "\t")),
        ("def f(): pass", "def g():\n    '''Nothing.'''\n    ..."),
        ("x = u'a'", "y = 'a'"),
        ("x = 0x10", "y = 16"),
        ("import numpy as np\nx = np.ones(3)", "import numpy as n\ny = n.ones(3)"),
        (
            "def f(a):\n    def g(b): return a + b\n    return g",
            "def p(b):\n    def q(a): return b + a\n    return q",
        ),
        ("def f(xs): return [x for x in xs]", "def f(a): return [b for b in a]"),
        ("def f(x): return [x for x in x]", "def f(y): return [x for x in y]"),
        ("def f(sum): return sum + 1", "def f(n): return n + 1"),  # here it is no builtin
        ("def f(x): return lambda y: (x, y)", "def f(y): return lambda x: (y, x)"),
        (
            "try:\n    f()\nexcept ValueError as e:\n    print(e)",
            "try:\n    f()\nexcept ValueError as error:\n    print(error)",
        ),
        ("match x:\n    case [a, *rest]: print(a, rest)", "match x:\n    case [b, *c]: print(b, c)"),
        ("def f():\n    global n\n    n = 1\nn = 0", "def g():\n    global m\n    m = 1\nm = 0"),
        (
            "def f(a):\n    b = a\n    def g():\n        nonlocal b\n        b = 1\n    g()",
            "def f(x):\n    y = x\n    def h():\n        nonlocal y\n        y = 1\n    h()",
        ),
        ("class A:\n    def f(self): return self.x", "class B:\n    def f(this): return this.x"),
    ],
)  # fmt: skip
def test_names_comments_annotations_and_docstrings_do_not_matter(one, other):
    assert program(one).key == program(other).key
    assert similarity(one, other) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (TOTAL, TOTAL.replace("+", "-")),
        (TOTAL, TOTAL.replace("start=0", "start=1")),
        (TOTAL, TOTAL.replace("abs", "len")),
        (TOTAL, TOTAL.replace("return result", "return start")),
        ("x = 1", "x = 1.0"),
        ("x = 1", "x = True"),
        ("x = 'a'", "x = b'a'"),
        ("x = y[1:]", "x = y[:1]"),
        ("x = y.first", "x = y.last"),
        ("x = sorted(y, key=f)", "x = sorted(y, default=f)"),
        ("import math", "import cmath"),
        ("from math import sin\nx = sin(1)", "from math import cos\nx = cos(1)"),
        ("def f(a, b): return a", "def f(a, b): return b"),
        ("def f(a, *, b): return a", "def f(a, b): return a"),
        ("def f(a, b=1): return a", "def f(a=1, *, b): return a"),
        ("def f(*a): return a", "def f(**a): return a"),
        ("for x in y:\n    f()\nelse:\n    g()", "for x in y:\n    f()\n    g()"),
        ("if x: f()", "if x: pass\nelse: f()"),
        ("if x: y = 1", "while x: y = 1"),
        ("x = a < b <= c", "x = a <= b < c"),
        ("x = {**a, 'b': 1}", "x = {'b': 1, **a}"),
        ("x = f'{a!r}'", "x = f'{a!s}'"),
        ("from .a import b", "from ..a import b"),
        ("class A:\n    def push(self): pass", "class A:\n    def pop(self): pass"),
        ("class A:\n    x: int", "class A:\n    y: int"),
        ("class A:\n    x: int = 0", "class A:\n    x = 0"),
        ("def f(x): return sum(x)", "def f(x): return total(x)"),
        ("async def f(): return 1", "def f(): return 1"),
        ("x = [a async for a in b]", "x = [a for a in b]"),
        ("def f():\n    global n\n    n = 1", "def f():\n    n = 1"),
    ],
)  # fmt: skip
def test_what_changes_the_program_changes_the_key(one, other):
    assert program(one).key != program(other).key
    assert similarity(one, other) <= 1


def test_a_changed_operator_is_a_small_difference():
    changed = similarity(TOTAL, TOTAL.replace("+", "-"))
    rewritten = similarity(
        TOTAL, "def total(values, start=0): return start + sum(map(abs, values))"
    )
    assert 0.9 < changed < 1
    assert rewritten < changed


def test_the_sequence_is_the_bracketed_preorder():
    double = program("def double(x): return x * 2")
    assert " ".join(double.sequence) == (
        "(Module (FunctionDef ~0 (arguments ~1 ) (Return (BinOp ~1 Mult int:0x2 ) ) ) )"
    )
    assert double.key[0] == "ast" and double.defines
    assert similarity("def double(x): return x * 2", "def f(x): return x * 3") == 14 / 15


@pytest.mark.parametrize("module", [bisect, heapq, textwrap])
def test_layout_of_real_code_does_not_matter(module):
    tree = ast.parse(inspect.getsource(module))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    sources = [ast.get_source_segment(inspect.getsource(module), node) for node in functions]
    keys = [program(source or "").key for source in sources]
    assert keys == [program(ast.unparse(node)).key for node in functions]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    "source",
    [
        "", "   ", "# nothing", "hello", "42", "'text'", "x", "f(x)", "Answer: 7", "return x", "pass",
        "the answer is 7", "def f(:", "  x = 1\n y = 2", "x =", "not a program", "assert x", "...",
        "raise Exception", "-x", "a, b", "x == 1", "print('hi')",
    ],
)  # fmt: skip
def test_what_defines_and_does_nothing_is_no_program(source):
    assert read_program(source) is None


HOSTILE = {
    "parentheses": "x = " + "(" * 5_000 + "1" + ")" * 5_000,
    "open brackets": "x = " + "[{(" * 3_000,
    "minus": "x = " + "-" * 100_000 + "1",
    "minus within limits": "x = " + "-" * 19_000 + "1",
    "attributes": "x = a" + ".a" * 100_000,
    "attributes within limits": "x = a" + ".a" * 9_000,
    "calls": "x = f" + "()" * 9_000,
    "sum": "x = 1" + "+1" * 9_000,
    "comparison": "x = 1" + "<1" * 9_000,
    "elif": "if x: pass\n" + "elif x: pass\n" * 1_000,
    "else if": "".join(" " * i + "if x:\n" for i in range(99)) + " " * 99 + "y = 1",
    "lambda": "x = " + "lambda: " * 2_000 + "1",
    "many statements": "x=1;" * 4_999,
    "NUL": "x = 1\x00",
    "surrogate": "x = '\ud800'",
    "escaped surrogate": "x = '\\ud800'",
    "tower": "x = 9**9**9**9",
    "shift": "x = 1 << 10**10",
    "repeat": "x = 'a' * 10**12",
    "decimal": "x = " + "9" * 19_000,
    "hexadecimal": "x = 0x" + "f" * 19_000,
    "float": "x = 1e999999",
    "megabyte": "x = 1\n" * 170_000,
    "megabyte text": "x = '" + "a" * 10**6 + "'",
    "escapes": "x = '\\d \\w'",
    "identity": "x = 1 is 1",
    "call of text": "x = 'a'(1)",
    "import": "import os; os.system('touch made; echo printed')",
    "walrus": "import sys; [print(s := sys.exit()) for _ in 'a']",
    "encoding": "# -*- coding: utf-7 -*-\nx = 1",
    "form feed": "x = 1\x0c\ny = 2",
    "deep": "def f():\n" + "".join(" " * i + "if x:\n" for i in range(1, 60)) + " " * 60 + "y=1",
    "unicode names": "\uff58 = 1\n\u00aa\u00b5 = x",
}


@pytest.mark.parametrize("source", HOSTILE.values(), ids=HOSTILE)
def test_hostile_sources_do_no_harm(source, tmp_path, monkeypatch, capfd, recwarn, calls_in):
    monkeypatch.chdir(tmp_path)

    def read():
        found = read_program(source)
        if found is not None:
            assert code_similarity([found, found]).tolist() == [[1, 1], [1, 1]]
            assert all(len(token) <= 2 * SOURCE_LIMIT for token in found.sequence)

    assert calls_in(read) <= 50_000
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list
    assert not list(tmp_path.iterdir())


def test_limits():
    assert read_program("x = 1 # " + "a" * (SOURCE_LIMIT - 8)) is not None
    assert read_program("x = 1 # " + "a" * (SOURCE_LIMIT - 7)) is None
    # Module, n assignments, each with a name and its context, and a constant
    n = (NODE_LIMIT - 1) // 4
    assert read_program("x=1;" * n) is not None
    assert read_program("x=1;" * (n + 1)) is None
    # Module, assignment, then the signs, then the constant
    assert read_program("x = " + "-" * (DEPTH_LIMIT - 3) + "1") is not None
    assert read_program("x = " + "-" * (DEPTH_LIMIT - 2) + "1") is None


FRAGMENTS = st.lists(
    st.sampled_from(
        [
            "def f(a, *b, c=1, **d):\n ", "x", "=", "1", "(", ")", "[", "]", "{", "}", ":", ",", "\n",
            "\n ", "for ", " in ", "if ", "else ", "lambda ", "class A", "import a as b", "global x",
            "*", "@", "yield ", "await ", "async ", "with ", "match x:\n case ", "y := ", "f'{x!r:>{w}}'",
            "try:\n ", "except E as e", "return ", "del ", ".a", "not ", "'a'", "nonlocal x", ";", "_",
        ]
    ),
    max_size=14,
).map("".join)  # fmt: skip


@given(FRAGMENTS | st.text(max_size=40))
def test_whatever_the_source_it_is_read_or_refused(source):
    found = read_program(source)
    if found is not None:
        assert found.sequence[0] == "(Module" and found.sequence[-1] == ")"
        opened = sum(token.startswith("(") for token in found.sequence)
        assert opened == found.sequence.count(")")
        assert found == read_program(ast.unparse(ast.parse(source)))


def test_symmetric_in_range_and_free_of_order():
    programs = [program(source) for source in (*FUNCTIONS, TOTAL, FUNCTIONS[0], "x = 1")]
    similarity = code_similarity(programs)
    assert (similarity == similarity.T).all() and (np.diagonal(similarity) == 1).all()
    assert ((similarity > 0) & (similarity <= 1)).all()
    assert similarity[0, -2] == 1
    order = np.random.default_rng(0).permutation(len(programs))
    shuffled = code_similarity([programs[i] for i in order])
    assert (shuffled == similarity[np.ix_(order, order)]).all()
    assert code_similarity([]).shape == (0, 0)


def test_ranks_pairs_as_tree_edit_distance_does():
    apted = pytest.importorskip("apted")
    stats = pytest.importorskip("scipy.stats")
    programs = [program(source) for source in FUNCTIONS]
    sequences = code_similarity(programs)
    ours, theirs = [], []
    for one, other in itertools.combinations(range(len(programs)), 2):
        trees = [_tree(programs[i].sequence) for i in (one, other)]
        nodes = sum(_nodes(tree) for tree in trees)
        theirs.append(1 - apted.APTED(*trees).compute_edit_distance() / nodes)
        ours.append(sequences[one, other])
    assert stats.spearmanr(ours, theirs).statistic > 0.9  # 0.937 measured


class _Tree:
    def __init__(self, name: str) -> None:
        self.name = name
        self.children: list[_Tree] = []


def _tree(sequence: tuple[str, ...]) -> _Tree:
    path = [_Tree("")]
    for token in sequence:
        if token == ")":
            path.pop()
            continue
        node = _Tree(token.removeprefix("("))
        path[-1].children.append(node)
        if token.startswith("("):
            path.append(node)
    return path[0].children[0]


def _nodes(tree: _Tree) -> int:
    return 1 + sum(_nodes(child) for child in tree.children)


FUNCTIONS = [
    "def f(xs):\n    total = 0\n    for x in xs:\n        total += x\n    return total",
    "def f(values):\n    return sum(values)",
    """
def f(xs):
    result = 0
    i = 0
    while i < len(xs):
        result = result + xs[i]
        i += 1
    return result
""",
    "def f(n):\n    if n < 2:\n        return n\n    return f(n - 1) + f(n - 2)",
    "def f(n):\n    a, b = 0, 1\n    for _ in range(n):\n        a, b = b, a + b\n    return a",
    """
def f(n):
    memo = {}
    def go(k):
        if k < 2:
            return k
        if k not in memo:
            memo[k] = go(k - 1) + go(k - 2)
        return memo[k]
    return go(n)
""",
    "def f(s):\n    return s == s[::-1]",
    """
def f(s):
    i, j = 0, len(s) - 1
    while i < j:
        if s[i] != s[j]:
            return False
        i += 1
        j -= 1
    return True
""",
    """
def f(words):
    counts = {}
    for word in words:
        counts[word] = counts.get(word, 0) + 1
    return counts
""",
    """
def f(words):
    counts = {}
    for word in words:
        if word in counts:
            counts[word] += 1
        else:
            counts[word] = 1
    return counts
""",
    """
def f(xs):
    best = xs[0]
    for x in xs[1:]:
        if x > best:
            best = x
    return best
""",
    """
def f(n):
    if n < 2:
        return False
    for d in range(2, int(n ** 0.5) + 1):
        if n % d == 0:
            return False
    return True
""",
]
