"""Which program of a completion is its answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttrl.answers.similar.code import extract_program

DEF = "def f(x):\n    return x + 1\n"
OTHER = "def g(x):\n    return x\n"
PIECES = st.lists(
    st.sampled_from(
        ["```", "~~~", "````", "python", "\n", "  ", "def f(): pass", "x = 1", "text", "js", "\t"]
    ),
    max_size=16,
).map("".join)  # fmt: skip


def block(source: str, fence: str = "```", language: str = "python") -> str:
    return f"{fence}{language}\n{source}{fence}\n"


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("Here:\n" + block(DEF) + "Done.", DEF),
        (block(DEF, "~~~"), DEF),
        (block(DEF, "`````", " Python3 title=a.py"), DEF),
        (block(DEF, language=""), DEF),
        (block(DEF, language="{.python}"), DEF),
        (block(OTHER) + "Better:\n" + block(DEF), DEF),
        (block(DEF) + "Example:\n" + block("y = f(1)\n"), DEF),  # a use is no definition
        (block("y = 1\n") + block("z = 2\n"), "z = 2\n"),
        (block(DEF) + block("2\n", language=""), DEF),
        (block(DEF) + block(OTHER, language="text"), DEF),
        (block("y = 1\n") + block(OTHER, language="text"), "y = 1\n"),
        (block(DEF, language="text"), DEF),
        (block(DEF) + block("broken(\n"), DEF),
        ("1. So:\n\n   ```py\n   def f(x):\n       return x + 1\n   ```\n", DEF),
        (block("s = '```'\n"), "s = '```'\n"),
        (block("s = '''\n~~~\n'''\n"), "s = '''\n~~~\n'''\n"),
        ("Use ```x = 1``` so.\n" + block(DEF), DEF),
        ("```python\r\ndef f(x):\r\n    return x + 1\r\n```\r\n", DEF.replace("\n", "\r\n")),
    ],
)
def test_the_last_definition_in_a_block(text, source):
    assert extract_program(text, truncated=False) == source
    assert extract_program(text, truncated=True) == source


@pytest.mark.parametrize(
    ("text", "source"),
    [
        (DEF, DEF),
        ("x = 5", "x = 5"),
        ("The function is\n\n" + DEF + "\nIt adds one.", DEF),
        ("The function is\n" + DEF + "\ny = f(2)\nIt adds one.\n", DEF + "\ny = f(2)"),
        (
            "import math\n\n@cache\n" + DEF + "That is all.",
            "import math\n\n@cache\n" + DEF.rstrip(),
        ),
        ("Short:\nimport a\nLong:\n" + DEF + "End", DEF.rstrip()),
        ("```python\n" + DEF, DEF),
        (block(OTHER) + "Better:\n```python\n" + DEF, DEF),
    ],
)
def test_an_open_block_and_bare_code_count_only_in_a_complete_text(text, source):
    found = extract_program(text, truncated=False)
    assert found is not None and found.rstrip() == source.rstrip()
    assert extract_program(text, truncated=True) in (None, OTHER)


@pytest.mark.parametrize(
    "text",
    [
        "", "The answer is 7.", "hello", "```\n```", "```python\nThe answer\n```", "from here on it holds",
        "```python\n2 + 2\n```\n" + DEF, "``` x = 1 ```", "class act of a team\nindeed",
    ],
)  # fmt: skip
def test_no_program(text):
    assert extract_program(text, truncated=False) is None


@given(PIECES | st.text(max_size=60), st.booleans())
def test_whatever_the_text_it_is_read_or_refused(text, truncated):
    found = extract_program(text, truncated=truncated)
    assert found is None or isinstance(found, str)


@pytest.mark.parametrize(
    "text",
    [
        "```\n" * 250_000, "```\nx=1\n```\n" * 80_000, "`" * 10**6, "\t\n" * 500_000, "\t" * 10**6,
        "def f(): pass\nx\n" * 60_000, "import a\n" * 100_000, "def f():\nif " + "x:" * 500_000,
        "def f():\n" + "a." * 500_000, ("```\n" + "a=1;" * 4_900 + "\n```\n") * 50,
        " " * 500_000 + "```\n" + (" " * 100 + "x\n") * 5_000, "```" + "{." * 400_000 + "\nx=1\n```",
        ("```\n" + "(" * 19_000 + "\n```\n") * 50, ("```\nx=a" + ".a" * 9_000 + "\n```\n") * 50,
        "~~~\ud800\x00\n" * 100_000,
    ],
)  # fmt: skip
def test_a_megabyte_is_cheap(text, calls_in):
    assert calls_in(lambda: extract_program(text, truncated=False)) <= len(text) + 10_000
    assert calls_in(lambda: extract_program(text, truncated=True)) <= len(text) + 10_000
