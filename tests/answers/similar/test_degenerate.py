"""What says nothing abstains; proofs, lists, tables, Chinese and code do not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttrl.answers.similar.degenerate import degenerate

PROMPT = (
    "Explain in one or two sentences why the sky is blue during the day and red in the evening."
)
PROOF = """
Suppose that n is even. Then n = 2k for some integer k, so n^2 = 4k^2 is even.
Suppose that n is odd. Then n = 2k + 1 for some integer k, so n^2 = 4k^2 + 4k + 1 is odd.
Suppose that n is divisible by 3. Then n = 3k for some integer k, so n^2 = 9k^2 is divisible by 3.
Therefore n^2 is even if and only if n is even.
"""
LIST = "\n".join(f"- item {name}: one {name} of sugar" for name in ("cup", "spoon", "bag", "box"))
TABLE = "| a | b |\n|--------|--------|\n" + "\n".join(f"| {i} | {i * i} |" for i in range(12))
CHINESE = (
    "\u5929\u7a7a\u662f\u84dd\u8272\u7684\uff0c\u56e0\u4e3a\u5927\u6c14\u6563\u5c04\u84dd\u5149"
    "\u6bd4\u6563\u5c04\u7ea2\u5149\u66f4\u5f3a\u3002"
)
CODE = """
def area(shape):
    if shape.kind == "circle":
        return 3.14 * shape.radius * shape.radius
    if shape.kind == "square":
        return shape.side * shape.side
    if shape.kind == "rectangle":
        return shape.width * shape.height
    raise ValueError(shape.kind)
"""


@pytest.mark.parametrize(
    "text",
    [
        "Air scatters blue light more than red light.",
        "The sky is blue during the day because air scatters short waves more.",
        "It is Paris.",
        "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15",
        "x = x + 1",
        PROOF,
        LIST,
        TABLE,
        CHINESE,
        CODE,
        "Result\n" + "=" * 200 + "\nThe sum is 12.",
        "Chapter one" + "." * 300 + "7",
    ],
)
def test_normal_texts_pass(text):
    assert degenerate(text, prompt=PROMPT) is None


@pytest.mark.parametrize("text", ["", " \n\t", "!?", "...", "-" * 5_000, "\u3002", "\u200b"])
def test_nothing_is_empty(text):
    assert degenerate(text, prompt=PROMPT) == "empty"


@pytest.mark.parametrize("text", ["yes", "No.", "a" * 10_000, "two words", "\u662f\u3002"])
def test_fewer_than_three_tokens_are_short(text):
    assert degenerate(text, prompt=PROMPT) == "short"


@pytest.mark.parametrize(
    "text",
    [
        PROMPT,
        PROMPT.upper() + "!!!",
        "why the sky is blue during the day and red",
        "Sure! " + PROMPT,
        PROMPT + "\n" + PROMPT,
    ],
)
def test_the_prompt_again_is_copied(text):
    assert degenerate(text, prompt=PROMPT) == "copied"


def test_a_short_prompt_again_is_copied():
    assert degenerate("Why is it red?", prompt="Why is it red?") == "copied"
    assert degenerate("It is red.", prompt="Why is it red?") is None
    assert degenerate("why the sky is blue", prompt=PROMPT) is None  # a phrase of it


def test_an_answer_after_the_prompt_is_no_copy():
    answer = (
        "Air scatters blue light more strongly than red light, and in the evening its way is long."
    )
    assert degenerate(PROMPT + " " + answer, prompt=PROMPT) is None


@pytest.mark.parametrize(
    "text",
    [
        "no " * 8,
        "the " * 500,
        "I do not know. " * 20,
        "The sky is blue. " + "It is because it is so. " * 30,
        "\u54c8" * 20,
        "ha, ha, ha, ha, ha, ha, ha, ha",
        "x = x + 1\n" * 50,
        "a b " * 10_000,
    ],
)
def test_loops_are_repeated(text):
    assert degenerate(text, prompt=PROMPT) == "repeated"


def test_said_twice_is_no_loop():
    text = "Air scatters blue light more than red light, so the sky looks blue. "
    assert degenerate(text * 2, prompt=PROMPT) is None


@given(st.text(max_size=80), st.text(max_size=80))
def test_every_text_gets_an_answer(text, prompt):
    assert degenerate(text, prompt=prompt) in (None, "empty", "short", "copied", "repeated")


@pytest.mark.parametrize("text", ["a b", "-", "a\u0301\u0327", "\u4e00", "\ud800\x00", "\ufdfa"])
def test_a_megabyte_is_cheap(text, calls_in):
    text *= 10**6 // len(text)
    found = []
    assert calls_in(lambda: found.append(degenerate(text, prompt=text))) <= 250_000
    assert found != [None]
