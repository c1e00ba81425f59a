import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ttrl.answers.tasks import get_task
from ttrl.data.views import views_of
from ttrl.data.views.rename_program import exchanged_in
from ttrl.types import Question

FENCED = """Complete this.
```python
def foo(xs, k):
    total = 0
    for y in xs:
        total += y * k
    return total
```"""


def views(prompt, task="code", count=3):
    return views_of(
        Question(id="q", prompt=prompt),
        task=get_task(task),
        names=("identifiers",),
        count=count,
        seed=0,
    )


def block(prompt):
    return prompt.split("```python\n")[1].split("```")[0]


def test_a_program_in_the_names_of_a_view_gets_those_of_the_question_back():
    for view in views(FENCED):
        shown = block(view.question.prompt)
        assert not {"foo", "xs", "total"} & set(shown.replace("(", " ").split())
        assert view.restore(shown) == ast.unparse(ast.parse(block(FENCED)))


def test_names_of_the_program_are_not_captured():
    renamed = {"foo": "solve", "xs": "alpha", "solve": "foo", "alpha": "xs"}
    source = "def solve(alpha):\n    xs = 1\n    return alpha + xs"
    assert exchanged_in(source, renamed) == "def foo(xs):\n    alpha = 1\n    return xs + alpha"


@pytest.mark.parametrize(
    "source, mapped",
    [
        (
            "def solve(a=1): return f'{a} {alpha!r:>{alpha}}'",
            "def foo(a=1):\n    return f'{a} {xs!r:>{xs}}'",
        ),
        ("def solve(alpha): return solve(alpha=1)", "def foo(xs):\n    return foo(xs=1)"),
        (
            "x = 1\ntry: f()\nexcept E as alpha: x = alpha",
            "x = 1\ntry:\n    f()\nexcept E as xs:\n    x = xs",
        ),
        ("def g():\n global alpha\n alpha = 1", "def g():\n    global xs\n    xs = 1"),
        ("import m as alpha", None),
        ("from m import alpha", None),
        ("x = a.alpha", None),
        ("class A:\n alpha = 1", None),
        ("class A:\n def solve(self): return 1", None),
        ("x = g(alpha=1)", None),
        ("x = a.g(alpha=1)", None),
        ("no program at all (", None),
        ("", None),
        ("x = " + "(" * 300 + ")" * 300, None),
    ],
)
def test_a_program_is_mapped_back_exactly_or_not_at_all(source, mapped):
    names = {"foo": "solve", "xs": "alpha", "solve": "foo", "alpha": "xs"}
    assert exchanged_in(source, names) == mapped


def test_names_in_assertions_and_docstrings_are_renamed():
    prompt = "Write a function for the minimum cost.\nassert min_cost([[1]], 2) == 8"
    for view in views(prompt):
        name = view.question.prompt.split("assert ")[1].split("(")[0]
        assert view.question.prompt == prompt.replace("min_cost", name) and name != "min_cost"
        assert view.restore(f"def {name}(a, b): return 8") == "def min_cost(a, b):\n    return 8"


def test_words_of_the_text_stay():
    prompt = 'def max_of(numbers, limit):\n    """Largest of the numbers.\n    >>> max_of([1], 2)\n    """\n'
    for view in views(prompt):
        assert "numbers" in view.question.prompt
        assert "max_of" not in view.question.prompt and "limit" not in view.question.prompt


@pytest.mark.parametrize(
    "prompt",
    [
        "Write a function that adds two numbers.",
        "```python\nimport os\nos.getcwd()\n```",
        "```python\nclass A:\n    def run(self): pass\n```",
        "```python\ndef foo(a):\n    return f'{a=}'\n```",
        "```python\ndef foo(a):\n    return globals()\n```",
        "```java\nint foo(int a) {}\n```",
        "```python\ndef broken(:\n```",
        "",
    ],
)
def test_code_whose_names_may_matter_or_that_is_none_has_no_view(prompt):
    assert views(prompt) == []


def test_code_in_other_questions_is_renamed_if_it_is_fenced():
    prompt = "What does f_2(3) return?\n```python\ndef f_2(n_in):\n    return n_in + 1\n```"
    (view,) = views(prompt, task="number", count=1)
    assert "f_2" not in view.question.prompt and "n_in" not in view.question.prompt
    assert view.restore("4") == "4"
    assert views(prompt.replace("```python\n", ""), task="number") == []
    assert views(prompt, task="text") == []


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["def f(a):", "    return a", "```python", "```", "f(a=1)", "assert f(1) == 2", ">>> f(2)",
             "x = f", "class A: a = 1", "\\d", "'", "lambda q: q", "a.b", "import a",
             "\x00", "\ud800", "((((", "@f"]
        ) | st.text(max_size=5),
        max_size=15,
    )
)  # fmt: skip
def test_hostile_texts_and_programs_are_bounded(lines):
    text = "\n".join(lines)
    for view in views(text, count=1):
        view.restore(text)
    exchanged_in(text, {"f": "solve", "solve": "f", "a": "alpha", "alpha": "a"})


def test_long_texts_have_no_view():
    assert views("def f_1(a_1): pass\n" * 5_000) == []
    assert views("```\n" * 2_000) == []
